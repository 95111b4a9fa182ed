//! The streams and consumers of `nats/topology.json`: applied idempotently, and compared with what the
//! server really holds, because servers drop fields they do not know without a word.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Bus, BusError, subject};

const TOPOLOGY: &str = include_str!("../../../../nats/topology.json");
/// JetStream API error codes (`ErrorCode` in the server's `errors.json`).
const STREAM_NOT_FOUND: u64 = 10059;
const CONSUMER_NOT_FOUND: u64 = 10014;

/// The bus is not what this program needs.
#[derive(Debug, thiserror::Error)]
pub enum TopologyError {
    /// NATS did not answer.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// JetStream refused.
    #[error("JetStream refused {subject}: {reason}")]
    Refused {
        /// The API subject.
        subject: String,
        /// Its words.
        reason: String,
    },
    /// What the server holds differs from the file.
    #[error("{name} differs from nats/topology.json in {field}: the server has {has}, the file {wants}")]
    Differs {
        /// Stream or consumer.
        name: String,
        /// The field.
        field: String,
        /// The server's value.
        has: Value,
        /// The file's value.
        wants: Value,
    },
    /// The file itself cannot be read.
    #[error("nats/topology.json: {0}")]
    File(#[from] serde_json::Error),
}

#[derive(Deserialize)]
struct Topology {
    streams: Vec<Map<String, Value>>,
    consumers: Vec<Consumer>,
}

#[derive(Deserialize)]
struct Consumer {
    stream: String,
    config: Map<String, Value>,
}

impl Bus {
    /// Makes every stream and consumer be as the file says, then compares.
    pub async fn apply_topology(&self) -> Result<(), TopologyError> {
        let topology: Topology = serde_json::from_str(TOPOLOGY)?;
        for stream in &topology.streams {
            self.apply_stream(stream).await?;
        }
        for consumer in &topology.consumers {
            self.apply_consumer(consumer).await?;
        }
        Ok(())
    }

    async fn apply_stream(&self, wanted: &Map<String, Value>) -> Result<(), TopologyError> {
        let name = text(wanted, "name");
        let known = self.js_api(&format!("$JS.API.STREAM.INFO.{name}"), &json!({})).await?;
        let verb = match error_code(&known) {
            None if difference(&known["config"], wanted).is_none() => return Ok(()),
            // Where a stream is stored cannot be changed. Jobs are sent again.
            None if name == subject::JOBS && known["config"].get("storage") != wanted.get("storage") => {
                self.js_api(&format!("$JS.API.STREAM.DELETE.{name}"), &json!({})).await?;
                "CREATE"
            }
            None => "UPDATE",
            Some(STREAM_NOT_FOUND) => "CREATE",
            Some(_) => return refused(&name, &known),
        };
        let subject = format!("$JS.API.STREAM.{verb}.{name}");
        let made = self.js_api(&subject, &Value::Object(wanted.clone())).await?;
        check(&subject, &name, &made, wanted)
    }

    async fn apply_consumer(&self, consumer: &Consumer) -> Result<(), TopologyError> {
        let (stream, wanted) = (&consumer.stream, &consumer.config);
        let name = text(wanted, "durable_name");
        let known = self.js_api(&format!("$JS.API.CONSUMER.INFO.{stream}.{name}"), &json!({})).await?;
        match error_code(&known) {
            None if difference(&known["config"], wanted).is_none() => return Ok(()),
            None | Some(CONSUMER_NOT_FOUND) => {}
            Some(_) => return refused(&name, &known),
        }
        let subject = format!("$JS.API.CONSUMER.DURABLE.CREATE.{stream}.{name}");
        let made = self.js_api(&subject, &json!({ "stream_name": stream, "config": wanted })).await?;
        check(&subject, &name, &made, wanted)
    }

    pub(super) async fn js_api(&self, subject: &str, body: &Value) -> Result<Value, BusError> {
        let reply = self
            .client
            .request(subject.to_owned(), body.to_string().into())
            .await
            .map_err(BusError::during("ask JetStream"))?;
        serde_json::from_slice(&reply.payload).map_err(BusError::during("read JetStream's answer"))
    }
}

fn check(subject: &str, name: &str, made: &Value, wanted: &Map<String, Value>) -> Result<(), TopologyError> {
    if error_code(made).is_some() {
        return refused(subject, made);
    }
    match difference(&made["config"], wanted) {
        None => Ok(()),
        Some((field, has, wants)) => Err(TopologyError::Differs { name: name.to_owned(), field, has, wants }),
    }
}

fn refused(subject: &str, answer: &Value) -> Result<(), TopologyError> {
    let reason = answer["error"]["description"].as_str().unwrap_or("no reason given").to_owned();
    Err(TopologyError::Refused { subject: subject.to_owned(), reason })
}

fn error_code(answer: &Value) -> Option<u64> {
    answer.get("error").map(|error| error["err_code"].as_u64().unwrap_or(0))
}

/// The first field of the file that the server holds otherwise.
fn difference(has: &Value, wanted: &Map<String, Value>) -> Option<(String, Value, Value)> {
    let differs = |(field, wants): &(&String, &Value)| has.get(*field) != Some(*wants);
    wanted
        .iter()
        .find(differs)
        .map(|(field, wants)| (field.clone(), has.get(field).cloned().unwrap_or(Value::Null), wants.clone()))
}

fn text(object: &Map<String, Value>, field: &str) -> String {
    object.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
}
