//! What is known about a command besides what it asks for: who, why, and as part of what.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::ids::{CommandId, NewIds};

/// Carried from a request to the events it causes.
#[derive(Debug, Clone, PartialEq)]
pub struct Context {
    /// The command's own id; sending it twice has one effect.
    pub command: CommandId,
    /// When it was given.
    pub at: DateTime<Utc>,
    /// Who gave it: `user:<name>`, `worker:<name>`, `system`.
    pub actor: String,
    /// Whom a project that the command starts belongs to; nobody in particular when absent.
    pub owner: Option<String>,
    /// Groups everything that follows from one request.
    pub correlation: String,
    /// The id of the event or command that caused this one, if any.
    pub causation: Option<String>,
    /// W3C trace context (<https://www.w3.org/TR/trace-context/>), if any.
    pub traceparent: Option<String>,
}

impl Context {
    /// The ids that deciding this command makes.
    pub fn new_ids(&self) -> NewIds {
        NewIds::for_command(self.command, u64::try_from(self.at.timestamp_millis()).unwrap_or(0))
    }

    /// As stored beside each event.
    pub fn to_metadata(&self) -> HashMap<String, String> {
        let always = [
            ("commandId", Some(self.command.to_string())),
            ("actor", Some(self.actor.clone())),
            ("correlationId", Some(self.correlation.clone())),
            ("causationId", self.causation.clone()),
            ("traceparent", self.traceparent.clone()),
        ];
        always.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
    }
}
