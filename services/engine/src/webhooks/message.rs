//! What webhooks are told: `{type, timestamp, data}`, as Standard Webhooks propose. Ids rather than media,
//! which is fetched by the API.

use chrono::SecondsFormat;
use domain::ids::ShotId;
use domain::job::Kind;
use domain::project::Event;
use infra::postgres::deliveries::Fact;
use infra::postgres::tail::Recorded;
use serde_json::{Value, json};

/// The message's body. The same event always gives the same bytes.
pub(super) fn body(fact: &Fact, recorded: &Recorded, kind: Kind, shot: Option<ShotId>) -> String {
    let mut data = json!({
        "projectId": fact.project,
        "version": fact.version,
        "taskId": fact.task,
        "taskType": kind.task_type(),
        "shotId": shot,
    });
    if let (Value::Object(data), Value::Object(further)) = (&mut data, further(&recorded.event)) {
        data.extend(further);
    }
    let timestamp = fact.at.to_rfc3339_opts(SecondsFormat::Millis, true);
    json!({ "type": fact.topic, "timestamp": timestamp, "data": data }).to_string()
}

/// What only one topic tells.
fn further(event: &Event) -> Value {
    match event {
        Event::TaskFinished(event) => json!({
            "attempt": event.attempt,
            "takeId": event.take.as_ref().map(|take| take.take_id),
            "provider": event.made_with.provider,
            "model": event.made_with.model,
        }),
        Event::TaskFailed(event) => json!({ "attempt": event.attempt, "error": event.failure }),
        Event::FilmRendered(event) => json!({
            "filmVersion": event.film_version,
            "durationSeconds": event.film.duration_seconds,
            "width": event.film.width,
            "height": event.film.height,
            "fps": event.film.fps,
            "sizeBytes": event.film.film.bytes,
            "incomplete": event.incomplete,
        }),
        _ => json!({}),
    }
}
