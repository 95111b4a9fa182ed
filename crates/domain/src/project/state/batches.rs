//! Batches: tasks without a job, which end when the last of their children has.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::TaskId;
use crate::job::Kind;
use crate::project::event::{BatchPlanned, Event};
use crate::project::state::{Project, Task};

/// Work that is followed as one task. An ended one leaves the state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// The first kind of its children.
    pub kind: Kind,
    /// Its children, and how each has ended.
    pub children: BTreeMap<TaskId, ChildState>,
}

/// Where a child of a batch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChildState {
    /// It is blocked, pending or processing.
    Open,
    /// It succeeded.
    Finished,
    /// It failed for good.
    Failed,
    /// It was stopped.
    Cancelled,
}

impl Batch {
    /// How many children stand so.
    pub fn count(&self, state: ChildState) -> usize {
        self.children.values().filter(|child| **child == state).count()
    }
}

impl Project {
    pub(super) fn begin_batch(&mut self, event: &BatchPlanned) {
        let state = |id: &TaskId| match self.tasks.get(id) {
            Some(task) if task.is_open() => ChildState::Open,
            Some(_) => ChildState::Failed,
            None => ChildState::Finished,
        };
        let children = event.children.iter().map(|id| (*id, state(id))).collect();
        self.batches.insert(event.task_id, Batch { kind: event.kind, children });
    }

    /// Notes what becomes of children, and lets go of batches that have ended.
    pub(super) fn follow_batches(&mut self, event: &Event) {
        let (id, state) = match event {
            Event::TaskPlanned(event) => (event.task_id, ChildState::Open),
            Event::TaskQueued(event) => (event.task_id, ChildState::Open),
            Event::TaskFinished(event) => (event.task_id, ChildState::Finished),
            Event::TaskFailed(event) => (event.task_id, ChildState::Failed),
            Event::TaskCancelled(event) => (event.task_id, ChildState::Cancelled),
            _ => return,
        };
        self.batches.remove(&id);
        for batch in self.batches.values_mut() {
            if let Some(child) = batch.children.get_mut(&id) {
                *child = state;
            }
        }
    }

    /// The open children of a batch.
    pub(in crate::project) fn open_children<'a>(
        &'a self,
        batch: &'a Batch,
    ) -> impl Iterator<Item = (TaskId, &'a Task)> {
        self.open_tasks().filter(|(id, _)| batch.children.contains_key(id))
    }
}
