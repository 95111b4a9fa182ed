//! What an external node reports of a task, and how it proves that it may: the hexadecimal HMAC-SHA256 of the
//! report's canonical form without its signature, by a secret that both sides know.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::value::RawValue;
use sha2::Sha256;

use crate::canonical::{self, Members, NotCanonical};
use crate::ids::TaskId;

/// The clocks of both sides may differ by so much, the way of the report included.
const TOLERANCE: TimeDelta = TimeDelta::minutes(5);
/// Numbers beyond this count milliseconds since 1970, and not seconds: in seconds it is the year 5138.
const MILLISECONDS: f64 = 100_000_000_000.0;

/// A report whose signature is good.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The task that it is about; `None` for what is no id and so names nothing.
    pub task: Option<TaskId>,
    /// What it was signed with: the same report again has the same.
    pub signature: [u8; 32],
    /// The attempt that it is about, when the node says so.
    pub attempt: Option<u32>,
    /// How the work ended.
    pub ended: Ended,
}

/// How a node's work ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// It made something.
    Success {
        /// Where it is: `image_url`, `video_url` and `audio_url`, those that are there.
        urls: BTreeMap<String, String>,
        /// The model that made it, in the node's words.
        model: Option<String>,
    },
    /// It made nothing.
    Failed {
        /// Why, in the node's words.
        message: String,
    },
}

/// Why a report says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// It is no JSON object.
    #[error("the report is no JSON object: {0}")]
    Malformed(String),
    /// Its signature is missing or another's.
    #[error("the report's signature is wrong")]
    Unsigned,
    /// It was signed too long ago, or by a clock that is wrong.
    #[error("the report's timestamp is more than 5 minutes off")]
    Stale,
    /// A part of it makes no sense.
    #[error("{field}: {message}")]
    Invalid {
        /// Which part.
        field: &'static str,
        /// What it must be.
        message: &'static str,
    },
}

impl From<NotCanonical> for ReportError {
    fn from(error: NotCanonical) -> Self {
        Self::Malformed(error.to_string())
    }
}

impl Report {
    /// Reads a report. Nothing of it is believed, or told to be wrong, before its signature is checked.
    ///
    /// # Errors
    /// [`ReportError`].
    pub fn read(body: &str, secret: &str, now: DateTime<Utc>) -> Result<Self, ReportError> {
        let mut members: Members<'_> =
            serde_json::from_str(body).map_err(|error| ReportError::Malformed(error.to_string()))?;
        let signature = members.remove("signature").and_then(text);
        let signed = canonical::object(&members)?;
        let signature = checked(signature.as_deref(), &signed, secret).ok_or(ReportError::Unsigned)?;
        check_time(members.get("timestamp").copied(), now)?;
        let task = required(&members, "task_id", "must be the id of a task")?.parse().ok();
        let result = parts(&members)?;
        let attempt = members.get("attempt").map_or(Ok(None), |sent| serde_json::from_str(sent.get()));
        let attempt =
            attempt.map_err(|_| invalid("attempt", "must be the number that came with the order"))?;
        let status = required(&members, "status", "must be SUCCESS or FAILED")?;
        let ended = match status.to_ascii_uppercase().as_str() {
            "SUCCESS" | "FINISHED" => Ended::Success { urls: urls(&result), model: said(&result, "model") },
            "FAILED" => Ended::Failed { message: why(&members, &result) },
            _ => return Err(invalid("status", "must be SUCCESS or FAILED")),
        };
        Ok(Self { task, signature, attempt, ended })
    }
}

fn invalid(field: &'static str, message: &'static str) -> ReportError {
    ReportError::Invalid { field, message }
}

/// The signature's bytes, if they are those of what was signed. Compared in constant time.
fn checked(signature: Option<&str>, signed: &str, secret: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(signature?, &mut bytes).ok()?;
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(signed.as_bytes());
    mac.verify_slice(&bytes).ok().map(|()| bytes)
}

fn check_time(sent: Option<&RawValue>, now: DateTime<Utc>) -> Result<(), ReportError> {
    let Some(sent) = sent.filter(|sent| sent.get() != "null") else { return Ok(()) };
    let at = time(sent).ok_or(invalid(
        "timestamp",
        "must be seconds or milliseconds since 1970, or a time like RFC 3339's",
    ))?;
    if (now - at).abs() <= TOLERANCE { Ok(()) } else { Err(ReportError::Stale) }
}

fn time(sent: &RawValue) -> Option<DateTime<Utc>> {
    let written = text(sent).unwrap_or_else(|| sent.get().to_owned());
    if let Ok(time) = DateTime::parse_from_rfc3339(&written) {
        return Some(time.to_utc());
    }
    let number = written.parse::<f64>().ok().filter(|number| number.is_finite())?;
    let millis = if number.abs() < MILLISECONDS { number * 1_000.0 } else { number };
    DateTime::from_timestamp_millis(millis as i64)
}

fn text(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

fn said(members: &Members<'_>, name: &str) -> Option<String> {
    members.get(name).copied().and_then(text).filter(|words| !words.trim().is_empty())
}

fn required(
    members: &Members<'_>,
    field: &'static str,
    message: &'static str,
) -> Result<String, ReportError> {
    said(members, field).ok_or(invalid(field, message))
}

/// What the result consists of; nothing when there is none.
fn parts<'a>(members: &Members<'a>) -> Result<Members<'a>, ReportError> {
    match members.get("result").map(|result| result.get()) {
        None | Some("null") => Ok(Members::new()),
        Some(result) => serde_json::from_str(result).map_err(|_| invalid("result", "must be an object")),
    }
}

fn urls(result: &Members<'_>) -> BTreeMap<String, String> {
    let names = ["image_url", "video_url", "audio_url"];
    names.into_iter().filter_map(|name| Some((name.to_owned(), said(result, name)?))).collect()
}

/// Why it failed, wherever the node says so.
fn why(members: &Members<'_>, result: &Members<'_>) -> String {
    let places = [members, result];
    let names = ["err_msg", "error", "message"];
    let words = places.iter().flat_map(|place| names.map(|name| said(place, name))).flatten().next();
    words.unwrap_or_else(|| "the external node does not say why".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "a shared secret of thirty-two bytes";
    const ID: &str = "01900000-0000-7000-8000-000000000001";

    /// Signed by another implementation: Python's `hmac` over its `json.dumps(…, sort_keys=True,
    /// separators=(",", ":"), ensure_ascii=False)`.
    const SIGNED: [(&str, &str); 3] = [
        (
            r#"{"task_id":"01900000-0000-7000-8000-000000000001","status":"SUCCESS","result":{"image_url":"https://files.example/a.png"}}"#,
            "88287c319c4cc5ddb616a9b90692d5fea1d373e7217eb281fafaa47a3b0b4fc3",
        ),
        (
            "{ \"timestamp\" : 1795348800.25, \"task_id\":\"01900000-0000-7000-8000-000000000001\",\"status\":\"success\",\n \
             \"result\":{\"image_url\":\"https://files.example/a.png\",\"z\":1.0,\"a\":1,\
             \"big\":123456789012345678901234567890,\"neg\":-0.0,\"small\":1e-07,\
             \"deep\":{\"y\":[1,2.5,{\"d\":null,\"c\":true},[],{}],\
             \"x\":\"\\u00e9é / \\\" \\\\ \\n \\t \\b \\f \\u0001 \\u007f \\u2028 电影 \\ud83e\\udd8a\"},\
             \"É\":1,\"Z\":2,\"\\ud83e\\udd8a\":3,\"\\uffee\":4,\"\":5}}",
            "eeb103bef81b00685e16a61160526d9624d761f33cef7e50209795ada7239add",
        ),
        (
            r#"{"status":"FAILED","task_id":"01900000-0000-7000-8000-000000000001","timestamp":"2026-11-22T12:00:00Z","err_msg":"out of memory <\/script>","result":null}"#,
            "e8040f14c348111e6b2eaafeeaf932191573fa214b0f8fa309245d3f8c2406b1",
        ),
    ];

    fn now() -> DateTime<Utc> {
        "2026-11-22T12:03:00Z".parse().unwrap()
    }

    fn with_signature(report: &str, signature: &str) -> String {
        let members = report.trim_end().strip_suffix('}').unwrap();
        format!("{members}, \"signature\": \"{signature}\"}}")
    }

    /// Signs what is in its canonical form already.
    fn sign(canonical: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update(canonical.as_bytes());
        with_signature(canonical, &hex::encode(mac.finalize().into_bytes()))
    }

    fn read(body: &str) -> Result<Report, ReportError> {
        Report::read(body, SECRET, now())
    }

    #[test]
    fn what_others_sign_is_read() {
        for (report, signature) in SIGNED {
            let read = read(&with_signature(report, signature)).unwrap();
            assert_eq!((read.task, hex::encode(read.signature)), (ID.parse().ok(), signature.to_owned()));
            match read.ended {
                Ended::Success { urls, .. } => assert_eq!(urls["image_url"], "https://files.example/a.png"),
                Ended::Failed { message } => assert_eq!(message, "out of memory </script>"),
            }
        }
    }

    #[test]
    fn another_signature_or_another_word_or_none_is_refused() {
        for (report, signature) in SIGNED {
            let other =
                format!("{:x}{}", u8::from_str_radix(&signature[..1], 16).unwrap() ^ 1, &signature[1..]);
            let changed = report.replace("000001\"", "000002\"");
            for body in [
                with_signature(report, &other),
                with_signature(&changed, signature),
                with_signature(report, ""),
                with_signature(report, &signature[..62]),
                report.to_owned(),
                with_signature(report, signature).replace(&format!("\"{signature}\""), "null"),
            ] {
                assert_eq!(read(&body), Err(ReportError::Unsigned), "{body}");
            }
            let body = with_signature(report, signature);
            assert_eq!(Report::read(&body, "another secret", now()), Err(ReportError::Unsigned));
        }
    }

    #[test]
    fn a_timestamp_that_was_sent_is_within_five_minutes() {
        let at = |timestamp: &str| {
            let body = format!(r#"{{"status":"FAILED","task_id":"{ID}","timestamp":{timestamp}}}"#);
            read(&sign(&body)).map(drop)
        };
        for good in ["1795348980", "1795348980.5", "1795348980000", "\"1795348980\"", "1795349280", "null"] {
            assert_eq!(at(good), Ok(()), "{good}");
        }
        assert_eq!(at("\"2026-11-22T13:03:00+01:00\""), Ok(()));
        for stale in ["1795348679", "1795349281", "0", "\"2026-11-22T11:00:00Z\"", "-1e30", "1e30"] {
            let refused = at(stale).unwrap_err();
            assert!(matches!(refused, ReportError::Stale | ReportError::Invalid { .. }), "{stale}");
        }
        for nonsense in ["\"noon\"", "[]", "true", "\"NaN\"", "\"\""] {
            let refused = at(nonsense).unwrap_err();
            assert!(matches!(refused, ReportError::Invalid { field: "timestamp", .. }), "{nonsense}");
        }
    }

    #[test]
    fn what_is_signed_and_makes_no_sense_is_named() {
        let field = |body: &str| match read(&sign(body)) {
            Err(ReportError::Invalid { field, .. }) => field,
            other => panic!("{body}: {other:?}"),
        };
        assert_eq!(field(r#"{"status":"FAILED"}"#), "task_id");
        assert_eq!(field(r#"{"status":"FAILED","task_id":7}"#), "task_id");
        assert_eq!(field(r#"{"result":[],"status":"SUCCESS","task_id":"x"}"#), "result");
        assert_eq!(field(r#"{"status":"RUNNING","task_id":"x"}"#), "status");
        for attempt in ["-1", "1.5", "\"1\"", "[]", "4294967296"] {
            let report = format!(r#"{{"attempt":{attempt},"status":"FAILED","task_id":"x"}}"#);
            assert_eq!(field(&report), "attempt", "{attempt}");
        }
        assert_eq!(read(&sign(r#"{"status":"FAILED","task_id":"x"}"#)).unwrap().task, None);
    }

    #[test]
    fn an_attempt_may_be_named() {
        let attempt = |sent: &str| {
            read(&sign(&format!(r#"{{{sent}"status":"FAILED","task_id":"x"}}"#))).unwrap().attempt
        };
        assert_eq!(
            (attempt(r#""attempt":2,"#), attempt(r#""attempt":null,"#), attempt("")),
            (Some(2), None, None)
        );
    }

    #[test]
    fn what_is_no_object_is_malformed() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(100), "]".repeat(100));
        for body in ["", "[]", "null", "{", "{\"a\":NaN}", "\u{feff}{}", deep.as_str()] {
            assert!(matches!(read(body), Err(ReportError::Malformed(_))), "{body}");
        }
    }
}
