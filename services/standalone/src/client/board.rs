//! Where a project's tasks stand, as its live stream tells it.

use std::collections::BTreeMap;

use domain::job::Kind;
use serde_json::Value;

use super::output::plain;

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It waits for others, or for a worker.
    Waiting,
    /// A worker has it.
    Running,
    /// It succeeded.
    Finished,
    /// It failed for good.
    Failed,
    /// It was stopped.
    Cancelled,
}

impl Standing {
    fn of(status: &str) -> Self {
        match status {
            "processing" => Self::Running,
            "finished" => Self::Finished,
            "failed" => Self::Failed,
            "cancelled" => Self::Cancelled,
            _ => Self::Waiting,
        }
    }
}

/// A task.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) kind: Kind,
    pub(super) standing: Standing,
    /// 0 to 100.
    pub(super) percent: u8,
    /// What it is doing, or why it failed.
    pub(super) words: String,
    /// Whether it stands there since before the stream was opened.
    pub(super) since_before: bool,
}

/// All tasks that the stream told of.
#[derive(Debug, Default)]
pub(super) struct Board {
    tasks: BTreeMap<String, Seen>,
}

impl Board {
    /// Takes in a message of the stream.
    pub(super) fn apply(&mut self, message: &Value) {
        match message["type"].as_str() {
            Some("snapshot") => {
                self.tasks.clear();
                message["tasks"].as_array().into_iter().flatten().for_each(|task| self.add(task));
            }
            Some("event") => self.event(&message["event"]),
            Some("progress") => {
                if let Some(task) = self.task_mut(&message["taskId"]) {
                    let percent = message["progress"].as_u64().unwrap_or(0).min(100);
                    task.percent = u8::try_from(percent).unwrap_or(100);
                    task.words = plain(message["message"].as_str().unwrap_or_default());
                }
            }
            _ => {}
        }
    }

    /// A task by its id.
    pub(super) fn task(&self, id: &str) -> Option<&Seen> {
        self.tasks.get(id)
    }

    /// The tasks of a kind that were not stopped.
    pub(super) fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Seen> {
        self.tasks.values().filter(move |task| task.kind == kind && task.standing != Standing::Cancelled)
    }

    /// Whether nothing waits or runs.
    pub(super) fn is_settled(&self) -> bool {
        self.tasks.values().all(|task| !matches!(task.standing, Standing::Waiting | Standing::Running))
    }

    /// A task of the snapshot.
    fn add(&mut self, task: &Value) {
        let kind = Kind::ALL.into_iter().find(|kind| task["type"] == kind.task_type());
        let (Some(id), Some(kind)) = (task["id"].as_str(), kind) else { return };
        let standing = Standing::of(task["status"].as_str().unwrap_or_default());
        let why = task["error"]["message"].as_str().or_else(|| task["message"].as_str());
        let words = plain(why.unwrap_or_default());
        self.tasks.insert(id.to_owned(), Seen { kind, standing, percent: 0, words, since_before: true });
    }

    fn event(&mut self, event: &Value) {
        let payload = &event["payload"];
        let standing = match event["type"].as_str().unwrap_or_default() {
            "TaskPlanned" | "TaskQueued" => return self.queue(payload),
            "TaskRetryScheduled" | "TaskDeferred" => Standing::Waiting,
            "TaskStarted" => Standing::Running,
            "TaskFinished" => Standing::Finished,
            "TaskFailed" => Standing::Failed,
            "TaskCancelled" => Standing::Cancelled,
            _ => return,
        };
        if let Some(task) = self.task_mut(&payload["taskId"]) {
            let why = payload["failure"]["message"].as_str().or_else(|| payload["reason"].as_str());
            *task = Seen {
                standing,
                percent: 0,
                words: plain(why.unwrap_or_default()),
                since_before: false,
                ..*task
            };
        }
    }

    fn queue(&mut self, payload: &Value) {
        let kind = payload["kind"].as_str().and_then(|kind| kind.parse().ok());
        if let (Some(id), Some(kind)) = (payload["taskId"].as_str(), kind) {
            let seen = Seen {
                kind,
                standing: Standing::Waiting,
                percent: 0,
                words: String::new(),
                since_before: false,
            };
            self.tasks.insert(id.to_owned(), seen);
        }
    }

    fn task_mut(&mut self, id: &Value) -> Option<&mut Seen> {
        self.tasks.get_mut(id.as_str()?)
    }
}
