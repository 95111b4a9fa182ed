//! Work that a node of somebody else's does: it is told what to make, and reports to the API when it has. The API
//! records what it made and stops the run that waits here, so nothing is lost when this worker is (docs/adr/0018).

use std::collections::BTreeSet;
use std::path::Path;
use std::slice;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use domain::asset::AssetKey;
use domain::desk::Job;
use domain::job::{Failure, ImageSpec, Kind, Spec, TtsSpec, VideoSpec};
use domain::upload_pass::UploadPass;
use domain::webhook::{Secret, headers};
use infra::outbound::{AddressRules, Outbound, OutboundError, OutboundSetupError, UrlError};
use infra::runtime::Clock;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{JobContext, Made, ProgressReport, Provider};

/// Largest picture that is sent along, in bytes.
const PICTURE_LIMIT: u64 = 50 * 1024 * 1024;

/// A node that cannot take an order is asked again after such pauses, each twice the one before, and for so long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(300);
/// Where nodes report to, at the end of its address. Beside it is where they bring what they made.
const REPORTS: &str = "/task_complete";

/// A node, as it was configured.
#[derive(Debug, Clone)]
pub struct Node {
    /// Where it is told what to make.
    pub url: String,
    /// Where it reports to: the API's `/api/webhook/task_complete`, as the node reaches it.
    pub callback_url: String,
    /// What orders to it, and its reports, are signed with.
    pub secret: Secret,
    /// What it makes: pictures, clips, voices.
    pub kinds: BTreeSet<Kind>,
}

/// A node cannot be worked with.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// Its address is none.
    #[error("external.url: {0}")]
    Url(UrlError),
    /// The way back is none.
    #[error("external.callback_url: {0}")]
    CallbackUrl(UrlError),
    /// The way back is not where reports are taken.
    #[error("external.callback_url: must end in {REPORTS}")]
    NoReports,
    /// It is to make something that takes more than one file.
    #[error("external.kinds: {0} cannot be made elsewhere; image, video and tts can")]
    Kind(Kind),
    /// No requests can be made at all.
    #[error(transparent)]
    Setup(#[from] OutboundSetupError),
}

/// Some kinds go to a node, all others to another provider.
#[derive(Debug)]
pub struct WithNode<P> {
    node: Option<Reached>,
    other: P,
}

/// A node with the way to it.
#[derive(Debug)]
struct Reached {
    node: Node,
    /// Where its results may be brought, but for the task.
    upload_url: String,
    outbound: Outbound,
    clock: Clock,
}

impl<P> WithNode<P> {
    /// Without a node everything goes to `other`. The node may be anywhere: whoever runs this system named it.
    ///
    /// # Errors
    /// [`NodeError`] when the node's configuration makes no sense.
    pub fn new(node: Option<Node>, clock: Clock, other: P) -> Result<Self, NodeError> {
        let node = node.map(|node| Reached::new(node, clock)).transpose()?;
        Ok(Self { node, other })
    }
}

impl<P: Provider> Provider for WithNode<P> {
    async fn run(&self, spec: &Spec, context: &JobContext) -> Result<Made, Failure> {
        match &self.node {
            Some(reached) if reached.node.kinds.contains(&spec.kind()) => {
                reached.ask(spec, context).await?;
                // Whoever records the report stops this run; the time limit does, when there is none.
                std::future::pending().await
            }
            _ => self.other.run(spec, context).await,
        }
    }
}

impl Reached {
    fn new(node: Node, clock: Clock) -> Result<Self, NodeError> {
        let outbound = Outbound::new(AddressRules::everywhere())?;
        outbound.check_url(&node.url).map_err(NodeError::Url)?;
        outbound.check_url(&node.callback_url).map_err(NodeError::CallbackUrl)?;
        if let Some(kind) = node.kinds.iter().find(|kind| matches!(kind, Kind::Storyboard | Kind::Film)) {
            return Err(NodeError::Kind(*kind));
        }
        let beside = node.callback_url.strip_suffix(REPORTS).ok_or(NodeError::NoReports)?;
        Ok(Self { upload_url: format!("{beside}/task_upload"), node, outbound, clock })
    }

    /// Tells the node what to make, for as long as it is away or has enough to do: that uses up no attempt.
    async fn ask(&self, spec: &Spec, context: &JobContext) -> Result<(), Failure> {
        let order = Bytes::from(self.order(spec, context).await?.to_string());
        let (started, mut pause) = (Instant::now(), FIRST_PAUSE);
        loop {
            let Err(failure) = self.tell(context.job, &order).await else { return Ok(()) };
            if !failure.retryable || started.elapsed() + pause > PATIENCE {
                return Err(failure);
            }
            let message = format!("{}; asking again", failure.message);
            context.progress.send_replace(ProgressReport { message, ..ProgressReport::default() });
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Tells it once. When it is not known whether it heard that, it may be at it: asking again could cost twice, so
    /// its report is waited for all the same.
    async fn tell(&self, job: Job, order: &Bytes) -> Result<(), Failure> {
        let (id, at) = (format!("{}-{}", job.task, job.attempt), self.clock.now().timestamp());
        let headers = headers(slice::from_ref(&self.node.secret), id, at, order);
        match self.outbound.post_json(&self.node.url, &headers, order.clone()).await {
            Ok(200..=299) | Err(OutboundError::TimedOut | OutboundError::Broken) => Ok(()),
            Ok(status @ (408 | 425 | 429 | 500..=599)) => {
                Err(Failure::retry("node_unavailable", format!("the external node answered {status}")))
            }
            Ok(status) => Err(Failure::fail("node_refused", format!("the external node answered {status}"))),
            Err(error) => Err(Failure::retry("node_unavailable", format!("the external node: {error}"))),
        }
    }

    /// What a node is told. It may be told so again after a fault: the same task and attempt is the same work.
    async fn order(&self, spec: &Spec, context: &JobContext) -> Result<Value, Failure> {
        let (task, attempt) = (context.job.task, context.job.attempt);
        let mut order = match spec {
            Spec::Image(spec) => picture(spec),
            Spec::Video(spec) => clip(spec, context).await?,
            Spec::Tts(spec) => voice(spec),
            Spec::Storyboard(_) | Spec::Film(_) => json!({}),
        };
        let pass = UploadPass::new(task, attempt, &self.node.secret, self.clock.now());
        order["task_id"] = json!(task);
        order["attempt"] = json!(attempt);
        order["kind"] = json!(spec.kind());
        order["callback_url"] = json!(self.node.callback_url);
        order["upload_url"] = json!(format!("{}/{task}?{}", self.upload_url, pass.to_query()));
        Ok(order)
    }
}

fn picture(spec: &ImageSpec) -> Value {
    json!({
        "prompt": spec.prompt, "negative_prompt": spec.negative_prompt, "seed": spec.seed,
        "params": {
            "style": spec.style, "width": spec.width, "height": spec.height,
            "model": spec.model, "steps": spec.steps, "cfg_scale": spec.cfg_scale,
        },
    })
}

async fn clip(spec: &VideoSpec, context: &JobContext) -> Result<Value, Failure> {
    let missing = || Failure::retry("input_missing", "the picture that was to be moved is not there");
    let path = context.inputs.get(&spec.image).ok_or_else(missing)?;
    let image = encoded(path, &spec.image).await?;
    Ok(json!({
        "prompt": spec.prompt, "negative_prompt": "", "seed": spec.seed,
        "params": {
            "image": image, "width": spec.width, "height": spec.height, "fps": spec.fps,
            "duration": spec.duration_seconds, "model": spec.model, "steps": spec.steps,
            "cfg_scale": spec.cfg_scale,
        },
    }))
}

fn voice(spec: &TtsSpec) -> Value {
    json!({
        "prompt": spec.text, "negative_prompt": "", "seed": 0,
        "params": {
            "language": spec.language, "voice": spec.voice, "speed": spec.speed, "model": spec.model,
            "format": "wav",
        },
    })
}

/// A picture as a `data:` URL: a node needs no way to our media.
async fn encoded(path: &Path, key: &AssetKey) -> Result<String, Failure> {
    let unreadable = |error: std::io::Error| Failure::retry("input_unreadable", error);
    let size = tokio::fs::metadata(path).await.map_err(unreadable)?.len();
    if size > PICTURE_LIMIT {
        return Err(Failure::fail("input_too_large", format!("the picture has {size} bytes")));
    }
    let bytes = tokio::fs::read(path).await.map_err(unreadable)?;
    let media_type = if key.extension() == "jpg" { "jpeg" } else { key.extension() };
    Ok(format!("data:image/{media_type};base64,{}", STANDARD.encode(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node() -> Node {
        Node {
            url: "http://10.0.0.7:9000/jobs".to_owned(),
            callback_url: "https://films.example/api/webhook/task_complete".to_owned(),
            secret: Secret::new([7; 32]),
            kinds: [Kind::Image].into(),
        }
    }

    #[test]
    fn a_node_that_makes_no_sense_is_refused_by_its_setting() {
        let words = |node| WithNode::new(Some(node), Clock::System, ()).err().map(|error| error.to_string());
        assert_eq!(words(node()), None);
        let url = |url: &str| Node { url: url.to_owned(), ..node() };
        assert!(words(url("ftp://x")).unwrap().starts_with("external.url"));
        for callback_url in ["/api", "https://films.example/", "https://films.example/task_complete?x=1"] {
            let callback = Node { callback_url: callback_url.to_owned(), ..node() };
            assert!(words(callback).unwrap().starts_with("external.callback_url"), "{callback_url}");
        }
        let film = Node { kinds: [Kind::Film].into(), ..node() };
        assert!(words(film).unwrap().contains("film"));
    }
}
