//! What open streams are sent.

use domain::desk::Progress;
use serde::Serialize;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::json::{Project, Task};

/// One message.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub(crate) enum Message<'a, E: Serialize> {
    /// The project as it is, with its tasks.
    Snapshot { version: u64, project: &'a Project, tasks: &'a [Task] },
    /// What happened next.
    Event { version: u64, event: &'a E },
    /// How far a task is.
    #[serde(rename_all = "camelCase")]
    Progress { task_id: domain::ids::TaskId, progress: u8, message: &'a str, eta_seconds: Option<f64> },
    /// The stream lives; the log's head.
    Ping { head: u64 },
    /// The client is too slow, and the stream ends.
    Lagged,
}

/// A message without an event in it.
pub(crate) type Plain<'a> = Message<'a, ()>;

impl<E: Serialize> Message<'_, E> {
    /// As it is sent. Plain data always has a JSON form; an empty text keeps the function total.
    pub(crate) fn text(&self) -> Utf8Bytes {
        serde_json::to_string(self).unwrap_or_default().into()
    }
}

/// A worker's report, cut to what streams carry.
pub(crate) fn progress(report: &Progress) -> Utf8Bytes {
    Plain::Progress {
        task_id: report.task_id,
        progress: report.progress.min(100),
        message: &report.message,
        eta_seconds: report.eta_seconds,
    }
    .text()
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::ids::TaskId;
    use serde_json::json;

    #[test]
    fn messages_look_as_documented() {
        let value = |text: Utf8Bytes| serde_json::from_str::<serde_json::Value>(&text).unwrap();
        assert_eq!(value(Plain::Lagged.text()), json!({ "type": "lagged" }));
        assert_eq!(value(Plain::Ping { head: 7 }.text()), json!({ "type": "ping", "head": 7 }));
        let event = json!({ "version": 3, "type": "ShotLocked" });
        let message = Message::Event { version: 3, event: &event };
        assert_eq!(value(message.text()), json!({ "type": "event", "version": 3, "event": event }));
        let task_id = TaskId(uuid::Uuid::from_u128(1));
        let report =
            Progress { task_id, progress: 200, message: "painting".to_owned(), eta_seconds: Some(1.5) };
        let expected = json!({ "type": "progress", "taskId": task_id, "progress": 100, "message": "painting", "etaSeconds": 1.5 });
        assert_eq!(value(progress(&report)), expected);
    }
}
