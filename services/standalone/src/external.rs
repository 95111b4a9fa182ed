//! Settings of an external node: what it makes, and where it is told so.

use std::collections::BTreeMap;

use clap::Args;
use domain::job::Kind;
use worker::providers::external::{Node, WithNode};

use crate::exit::Failed;

/// A node that makes what the built-in providers would.
#[derive(Debug, Clone, Args)]
pub(crate) struct ExternalArgs {
    /// Where an external node is told what to make (docs/external.md); nothing is made elsewhere when not given.
    #[arg(
        long,
        env = "STORYTOVIDEO_EXTERNAL_URL",
        requires = "external_callback_url",
        hide_env_values = true,
        value_name = "URL"
    )]
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

impl ExternalArgs {
    /// The node, if there is one.
    pub(crate) fn node(&self) -> Option<Node> {
        let (url, callback_url) = self.external_url.clone().zip(self.external_callback_url.clone())?;
        Some(Node { url, callback_url, kinds: self.external_kinds.iter().copied().collect() })
    }

    /// The provider with the node beside it, and the slots with those that wait for the node.
    pub(crate) fn beside<P>(
        &self,
        provider: P,
        mut slots: BTreeMap<Kind, u32>,
    ) -> Result<(WithNode<P>, BTreeMap<Kind, u32>), Failed> {
        let node = self.node();
        let kinds = node.iter().flat_map(|node| node.kinds.clone());
        slots.extend(kinds.map(|kind| (kind, self.external_slots)));
        let provider = WithNode::new(node, provider).map_err(|error| Failed::Usage(error.to_string()))?;
        Ok((provider, slots))
    }
}
