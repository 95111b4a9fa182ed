//! Settings of an external node: what it makes, and where it is told so.

use std::collections::BTreeMap;

use api::AuthConfig;
use clap::Args;
use domain::job::Kind;
use domain::webhook::Secret;
use infra::runtime::Clock;
use worker::providers::external::{Node, WithNode};

use crate::config::Config;
use crate::exit::Failed;

/// What node and server share.
const SECRET: &str = "webhooks.inbound_secret";

/// A node that makes what the built-in providers would.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "External node")]
pub(crate) struct ExternalArgs {
    /// Where an external node is told what to make (docs/external.md); nothing is made elsewhere when not given.
    #[arg(long, env = "STORYTOVIDEO_EXTERNAL_URL", hide_env_values = true, value_name = "URL")]
    external_url: Option<String>,
    /// Where it reports to: this system's /api/webhook/task_complete, as the node reaches it.
    #[arg(long, env = "STORYTOVIDEO_EXTERNAL_CALLBACK_URL", value_name = "URL")]
    external_callback_url: Option<String>,
    /// What it makes: image, video, tts.
    #[arg(
        long,
        env = "STORYTOVIDEO_EXTERNAL_KINDS",
        value_delimiter = ',',
        default_value = "image",
        value_name = "KIND"
    )]
    external_kinds: Vec<Kind>,
    /// Jobs of each of these kinds that it is given at once.
    #[arg(long, env = "STORYTOVIDEO_EXTERNAL_SLOTS", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=256), value_name = "N")]
    external_slots: u32,
}

/// What the settings of an external node come to.
#[derive(Debug)]
pub(crate) struct External {
    node: Option<Node>,
    slots: u32,
}

impl ExternalArgs {
    /// With the secret that node and server share: orders are signed with it, as reports are.
    pub(crate) fn read(&self, config: &Config) -> Result<External, Failed> {
        let Some(url) = self.external_url.clone() else {
            return Ok(External { node: None, slots: self.external_slots });
        };
        let nowhere =
            || Failed::Usage("external.url: set external.callback_url too; it reports there".into());
        let callback_url = self.external_callback_url.clone().ok_or_else(nowhere)?;
        let webhook_secret = config.secret(SECRET).map_err(|error| Failed::Usage(error.to_string()))?;
        let shared = AuthConfig { webhook_secret, ..AuthConfig::default() };
        shared.check().map_err(|error| Failed::Usage(error.to_string()))?;
        let unsigned = || Failed::Usage(format!("external.url: set {SECRET} too; orders are signed with it"));
        let secret = Secret::new(shared.webhook_secret.ok_or_else(unsigned)?);
        let kinds = self.external_kinds.iter().copied().collect();
        Ok(External { node: Some(Node { url, callback_url, secret, kinds }), slots: self.external_slots })
    }
}

impl External {
    /// The provider with the node beside it, and the slots with those that wait for the node.
    pub(crate) fn beside<P>(
        self,
        provider: P,
        mut slots: BTreeMap<Kind, u32>,
    ) -> Result<(WithNode<P>, BTreeMap<Kind, u32>), Failed> {
        let kinds = self.node.iter().flat_map(|node| node.kinds.clone());
        slots.extend(kinds.map(|kind| (kind, self.slots)));
        let provider = WithNode::new(self.node, Clock::System, provider);
        Ok((provider.map_err(|error| Failed::Usage(error.to_string()))?, slots))
    }
}
