//! The open batches of a watched project, kept by what the bus says of it, so that how far they are can be shown with
//! every step of a child. What was missed is made good when the head is compared.

use std::collections::BTreeMap;

use domain::desk::Progress;
use domain::ids::TaskId;
use domain::project::{ChildState, Project};
use serde_json::Value;

use super::percentages::{Percentages, mean};

/// Every open batch, with how its children stand.
#[derive(Debug, Default)]
pub(super) struct Batches {
    open: BTreeMap<TaskId, BTreeMap<TaskId, ChildState>>,
}

impl Batches {
    /// Takes over what the log says.
    pub(super) fn refresh(&mut self, state: &Project) {
        self.open = state.batches.iter().map(|(id, batch)| (*id, batch.children.clone())).collect();
    }

    /// Takes an event in, as the relay publishes it; answers the batches that it moves.
    pub(super) fn hear(&mut self, event: &Value) -> Vec<TaskId> {
        let payload = &event["payload"];
        let Some(task) = id(&payload["taskId"]) else { return Vec::new() };
        let state = match event["type"].as_str() {
            Some("BatchPlanned") => {
                let children = payload["children"].as_array().into_iter().flatten().filter_map(id);
                self.open.insert(task, children.map(|child| (child, ChildState::Open)).collect());
                return Vec::new();
            }
            Some("TaskPlanned" | "TaskQueued") => ChildState::Open,
            Some("TaskFinished") => ChildState::Finished,
            Some("TaskFailed") => ChildState::Failed,
            Some("TaskCancelled") => ChildState::Cancelled,
            _ => return Vec::new(),
        };
        self.open.remove(&task);
        let of_child: Vec<TaskId> = self.of_child(task).collect();
        for children in self.open.values_mut() {
            children.entry(task).and_modify(|child| *child = state);
        }
        of_child
    }

    /// The batches that a task is a child of.
    pub(super) fn of_child(&self, task: TaskId) -> impl Iterator<Item = TaskId> {
        let open = self.open.iter();
        open.filter(move |(_, children)| children.contains_key(&task)).map(|(batch, _)| *batch)
    }

    /// How far a batch is.
    pub(super) fn progress(&self, batch: TaskId, percentages: &Percentages) -> Option<Progress> {
        let children = self.open.get(&batch)?;
        let percent = |(task, state): (&TaskId, &ChildState)| match state {
            ChildState::Finished => 100,
            ChildState::Open => percentages.of(*task),
            ChildState::Failed | ChildState::Cancelled => 0,
        };
        let done = children.values().filter(|state| **state == ChildState::Finished).count();
        Some(Progress {
            task_id: batch,
            progress: mean(children.iter().map(percent)),
            message: format!("{done} of {}", children.len()),
            eta_seconds: None,
        })
    }
}

fn id(value: &Value) -> Option<TaskId> {
    value.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    fn task(number: u128) -> TaskId {
        TaskId(Uuid::from_u128(number))
    }

    #[test]
    fn a_batch_follows_its_children_by_events_and_reports_until_it_ends() {
        let (mut batches, percentages) = (Batches::default(), Percentages::default());
        let say = |event: &str, number| json!({ "type": event, "payload": { "taskId": task(number) } });
        let planned = json!({ "taskId": task(9), "kind": "image", "children": [task(1), task(2), task(3)] });
        assert_eq!(batches.hear(&json!({ "type": "BatchPlanned", "payload": planned })), []);
        assert_eq!(batches.hear(&say("TaskFinished", 1)), [task(9)]);
        assert_eq!(batches.hear(&say("TaskFinished", 4)), [], "of no batch");
        let report =
            Progress { task_id: task(2), progress: 50, message: "painting".to_owned(), eta_seconds: None };
        percentages.note(&report);
        assert_eq!(batches.of_child(task(2)).collect::<Vec<_>>(), [task(9)]);
        let shown = batches.progress(task(9), &percentages).unwrap();
        assert_eq!((shown.progress, shown.message.as_str()), (50, "1 of 3"));
        assert_eq!(batches.hear(&say("TaskFailed", 2)), [task(9)]);
        assert_eq!(batches.progress(task(9), &percentages).unwrap().progress, 33);
        batches.hear(&say("TaskFailed", 9));
        assert!(batches.progress(task(9), &percentages).is_none());
    }
}
