//! A worker whose every step the test takes itself: to deliver twice, late, or not at all.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::asset::{Asset, AssetKey};
use domain::desk::{
    ClaimReply, ClaimRequest, Job, LeaseRequest, Outcome, Place, ResultReply, ResultReport, UploadReply,
    UploadRequest, WorkerId,
};
use domain::hash::sha256;
use domain::ids::{ClaimId, ProjectId};
use domain::job::{Kind, MadeWith, Output};
use infra::nats::{Bus, JobMessage};
use uuid::Uuid;

use super::{LONG, World, storyboard, until};

/// A worker with a queue position of its own for each job it takes.
pub(crate) struct Hand {
    bus: Bus,
    id: WorkerId,
}

impl Hand {
    /// A worker that has said hello.
    pub(crate) async fn new(world: &World, name: &str) -> Self {
        let id = WorkerId { name: name.to_owned(), incarnation: Uuid::new_v4() };
        let hand = Self { bus: world.shared.bus.clone(), id };
        let slots: BTreeMap<Kind, u32> = Kind::ALL.into_iter().map(|kind| (kind, 1)).collect();
        let hello = LeaseRequest { worker: hand.id.clone(), running: Vec::new(), slots, draining: false };
        until("the desk answers", LONG, async || {
            hand.bus.renew_lease(&hello).await.map_err(|error| error.to_string())
        })
        .await;
        hand
    }

    /// The next job of a kind.
    pub(crate) async fn take(&self, kind: Kind) -> JobMessage {
        let mut queue = self.bus.job_queue(kind).await.unwrap();
        let taken = tokio::time::timeout(LONG, queue.next()).await;
        taken.expect("a job comes").unwrap().expect("a job comes within the time of a pull")
    }

    /// The desk's answer; a desk that is busy is asked again, as workers do.
    pub(crate) async fn claim(&self, kind: Kind, job: Job) -> ClaimReply {
        let request = ClaimRequest { job, worker: self.id.clone() };
        until("the desk has an answer", LONG, async || match self.bus.claim(kind, &request).await.unwrap() {
            busy @ ClaimReply::Busy { .. } => Err(format!("{busy:?}")),
            answer => Ok(answer),
        })
        .await
    }

    /// Takes the next job of a kind and claims it.
    pub(crate) async fn start(&self, kind: Kind) -> (JobMessage, ClaimId) {
        let message = self.take(kind).await;
        match self.claim(kind, message.job).await {
            ClaimReply::Run { claim, .. } => (message, claim),
            other => panic!("the claim is granted, not {other:?}"),
        }
    }

    /// Writes `content` where the desk wants what has the address of `promised`.
    pub(crate) async fn upload(&self, job: Job, claim: ClaimId, promised: &[u8], content: &[u8]) -> Asset {
        let digest: String = sha256(&[promised]).iter().map(|byte| format!("{byte:02x}")).collect();
        let key = AssetKey::new("image", &digest, "png").unwrap();
        let request = UploadRequest { task: job.task, claim, key: key.clone() };
        match self.bus.request_upload(Kind::Image, &request).await.unwrap() {
            UploadReply::Put { place: Place::Path(path) } => tokio::fs::write(path, content).await.unwrap(),
            other => panic!("the desk gives a place, not {other:?}"),
        }
        Asset { key, bytes: content.len() as u64, duration_seconds: None }
    }

    pub(crate) async fn report(&self, kind: Kind, job: Job, claim: ClaimId, output: Output) -> ResultReply {
        let outcome = Outcome::Finished { output: Box::new(output), made_with: MadeWith::default() };
        self.report_outcome(kind, job, claim, outcome).await
    }

    pub(crate) async fn report_outcome(
        &self,
        kind: Kind,
        job: Job,
        claim: ClaimId,
        outcome: Outcome,
    ) -> ResultReply {
        let report = ResultReport { job, claim, worker: self.id.clone(), outcome };
        until("the desk has an answer", LONG, async || {
            match self.bus.report_result(kind, &report).await.unwrap() {
                busy @ ResultReply::Busy { .. } => Err(format!("{busy:?}")),
                answer => Ok(answer),
            }
        })
        .await
    }

    /// Does the storyboard of a project, so that its pictures and voices are queued.
    pub(crate) async fn do_storyboard(&self, world: &World, project: ProjectId, shots: u32) {
        let (message, claim) = self.start(Kind::Storyboard).await;
        let output = Output::Storyboard(storyboard(shots));
        assert_eq!(self.report(Kind::Storyboard, message.job, claim, output).await, ResultReply::Recorded);
        message.ack().await.unwrap();
        until("the pictures are queued", Duration::from_secs(20), async || {
            let open =
                world.state(project).await.open_tasks().filter(|(_, task)| task.kind == Kind::Image).count();
            if open == shots as usize { Ok(()) } else { Err(format!("{open} pictures")) }
        })
        .await;
    }
}
