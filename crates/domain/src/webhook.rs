//! What webhooks tell and how they prove it: topics, signatures by Standard Webhooks
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>), and when
//! to try again.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::hash::sha256;
use crate::project::Event;

/// What a webhook can be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub enum Topic {
    /// A task succeeded.
    #[serde(rename = "task.finished")]
    TaskFinished,
    /// A task failed for good.
    #[serde(rename = "task.failed")]
    TaskFailed,
    /// A film became its project's newest.
    #[serde(rename = "film.rendered")]
    FilmRendered,
}

impl Topic {
    /// Every topic.
    pub const ALL: [Self; 3] = [Self::TaskFinished, Self::TaskFailed, Self::FilmRendered];

    /// The word in requests and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TaskFinished => "task.finished",
            Self::TaskFailed => "task.failed",
            Self::FilmRendered => "film.rendered",
        }
    }

    /// What an event is told as, if it is told at all.
    pub fn of(event: &Event) -> Option<Self> {
        match event {
            Event::TaskFinished(_) => Some(Self::TaskFinished),
            Event::TaskFailed(_) => Some(Self::TaskFailed),
            Event::FilmRendered(_) => Some(Self::FilmRendered),
            _ => None,
        }
    }
}

impl FromStr for Topic {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|topic| topic.as_str() == text);
        known.ok_or_else(|| format!("unknown topic {text:?}"))
    }
}

/// What the text form of a secret begins with.
const SECRET_PREFIX: &str = "whsec_";

/// The key that a webhook's messages are signed with. Never shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// A key of these bytes, 32 or more that nobody can guess.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// Reads `whsec_<base64>`.
    pub fn parse(text: &str) -> Option<Self> {
        let encoded = text.strip_prefix(SECRET_PREFIX)?;
        STANDARD.decode(encoded).ok().map(Self)
    }

    /// `whsec_<base64>`: for the table, and once for its owner.
    pub fn reveal(&self) -> String {
        format!("{SECRET_PREFIX}{}", STANDARD.encode(&self.0))
    }

    /// The header `webhook-signature` of a message sent at `timestamp` (seconds since 1970).
    pub fn sign(&self, message: &str, timestamp: i64, body: impl AsRef<[u8]>) -> String {
        // HMAC takes keys of any length; an empty signature keeps the function total.
        let Some(mut mac) = self.mac() else { return String::new() };
        mac.update(format!("{message}.{timestamp}.").as_bytes());
        mac.update(body.as_ref());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }

    pub(crate) fn mac(&self) -> Option<Hmac<Sha256>> {
        Hmac::new_from_slice(&self.0).ok()
    }
}

/// The headers of a message sent at `timestamp` (seconds since 1970), signed with each of these keys.
pub fn headers(
    secrets: &[Secret],
    message: String,
    timestamp: i64,
    body: impl AsRef<[u8]>,
) -> [(&'static str, String); 3] {
    let signatures: Vec<String> = secrets.iter().map(|key| key.sign(&message, timestamp, &body)).collect();
    [
        ("webhook-id", message),
        ("webhook-timestamp", timestamp.to_string()),
        ("webhook-signature", signatures.join(" ")),
    ]
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The first pause after a failed delivery.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);

/// How long to wait after a delivery's `attempt`th failure (from 1): 5 s, doubled each time up to an hour,
/// ± 25 %, so that what failed together does not come back together.
pub fn pause_after(delivery: Uuid, attempt: u32) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << attempt.saturating_sub(1).min(16));
    let digest = sha256(&[delivery.as_bytes(), &attempt.to_be_bytes()]);
    let spread = f64::from(u16::from_be_bytes([digest[0], digest[1]])) / f64::from(u16::MAX);
    doubled.min(LONGEST_PAUSE).mul_f64(0.75 + spread / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_the_one_that_the_specification_gives_as_its_example() {
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_is_read_back_from_its_text_and_shows_itself_nowhere_else() {
        let secret = Secret::new([7; 32]);
        assert_eq!(Secret::parse(&secret.reveal()), Some(secret.clone()));
        assert!(!format!("{secret:?}").contains(&secret.reveal()["whsec_".len()..]));
        assert_eq!(Secret::parse("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), None);
    }

    #[test]
    fn pauses_grow_from_seconds_to_an_hour_and_differ_between_deliveries() {
        let pause = |delivery, attempt| pause_after(Uuid::from_u128(delivery), attempt).as_secs_f64();
        for delivery in 0..50 {
            assert!((3.75..=6.25).contains(&pause(delivery, 1)));
            assert!((7.5..=12.5).contains(&pause(delivery, 2)));
            assert!((2_700.0..=4_500.0).contains(&pause(delivery, u32::MAX)));
        }
        assert_ne!(pause(1, 3), pause(2, 3));
    }

    #[test]
    fn every_topic_is_read_back_from_its_word() {
        for topic in Topic::ALL {
            assert_eq!(topic.as_str().parse(), Ok(topic));
            assert_eq!(serde_json::to_value(topic).unwrap(), topic.as_str());
        }
    }
}
