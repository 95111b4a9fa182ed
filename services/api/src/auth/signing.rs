//! What we sign ourselves: sessions, tickets and the addresses of media. Each kind has a key of its own,
//! derived from one, so that nothing signed as one can be shown as another.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::ids::ProjectId;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, crypto, decode, encode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::identity::Grounds;

/// For how long a ticket opens its project.
const TICKET: Duration = Duration::from_secs(5 * 60);
/// For how long the address of media is good, at least.
const MEDIA: Duration = Duration::from_secs(72 * 60 * 60);
/// Addresses that are made within this time are the same, so that they can be cached.
const MEDIA_STEP: u64 = 60 * 60;

/// Marks our own tokens in their header, to tell them from those of others before they are verified.
pub(super) const SESSION: &str = "stv-session";

/// An API key's session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Session {
    /// The API key, which may be revoked before the session ends.
    pub(crate) key: Uuid,
    /// When it ends, in seconds since 1970.
    pub(crate) exp: u64,
}

/// A ticket for one project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ticket {
    /// Who asked for it.
    pub(crate) sub: String,
    /// What it opens.
    pub(crate) project: ProjectId,
    /// The credentials of whoever asked for it: what it opened ends with them.
    #[serde(default)]
    pub(crate) grounds: Grounds,
    /// When it ends, in seconds since 1970.
    pub(crate) exp: u64,
}

#[derive(Debug)]
struct Keys {
    session: Vec<u8>,
    ticket: Vec<u8>,
    media: Vec<u8>,
}

/// Signs, and knows again what it signed.
#[derive(Debug, Clone)]
pub(crate) struct Signing {
    keys: Arc<Keys>,
}

impl Signing {
    /// With keys that are derived from this one.
    pub(crate) fn new(key: &[u8]) -> Result<Self, jsonwebtoken::errors::Error> {
        let root = EncodingKey::from_secret(key);
        let derive = |purpose: &[u8]| crypto::sign(purpose, &root, Algorithm::HS256).map(String::into_bytes);
        let keys =
            Keys { session: derive(b"session")?, ticket: derive(b"ticket")?, media: derive(b"media")? };
        Ok(Self { keys: Arc::new(keys) })
    }

    /// A token for an API key's session.
    pub(crate) fn session(&self, session: &Session) -> Result<String, jsonwebtoken::errors::Error> {
        let header = Header { typ: Some(SESSION.to_owned()), ..Header::new(Algorithm::HS256) };
        encode(&header, session, &EncodingKey::from_secret(&self.keys.session))
    }

    /// The session of a token, unless it is forged or over.
    pub(crate) fn read_session(&self, token: &str) -> Option<Session> {
        read(token, &self.keys.session)
    }

    /// A ticket for a project, and until when it is good.
    pub(crate) fn ticket(
        &self,
        subject: &str,
        grounds: Grounds,
        project: ProjectId,
        now: DateTime<Utc>,
    ) -> Result<(String, DateTime<Utc>), jsonwebtoken::errors::Error> {
        let until = now + TICKET;
        let ticket = Ticket { sub: subject.to_owned(), project, grounds, exp: seconds(until) };
        let header = Header::new(Algorithm::HS256);
        Ok((encode(&header, &ticket, &EncodingKey::from_secret(&self.keys.ticket))?, until))
    }

    /// A ticket, unless it is forged or over.
    pub(crate) fn read_ticket(&self, token: &str) -> Option<Ticket> {
        read(token, &self.keys.ticket)
    }

    /// What is added to the address of media, at `path`, so that it can be fetched without credentials.
    pub(crate) fn media_query(&self, path: &str, now: DateTime<Utc>) -> Option<String> {
        let expires = (seconds(now + MEDIA) / MEDIA_STEP + 1) * MEDIA_STEP;
        let key = EncodingKey::from_secret(&self.keys.media);
        let signature = crypto::sign(media_text(path, expires).as_bytes(), &key, Algorithm::HS256).ok()?;
        Some(format!("expires={expires}&signature={signature}"))
    }

    /// Whether the query of an address of media has a signature that is ours and still good. Other
    /// parameters mean nothing.
    pub(crate) fn is_signed(&self, path: &str, query: &str, now: DateTime<Utc>) -> bool {
        let parameter = |name: &str| {
            let mut values =
                query.split('&').filter_map(|pair| pair.split_once('=')).filter(|(of, _)| *of == name);
            let first = values.next().map(|(_, value)| value);
            // Two of a kind are nobody's that we made.
            first.filter(|_| values.next().is_none())
        };
        let Some(expires) = parameter("expires").and_then(|text| text.parse::<u64>().ok()) else {
            return false;
        };
        let Some(signature) = parameter("signature") else { return false };
        let key = DecodingKey::from_secret(&self.keys.media);
        let text = media_text(path, expires);
        let genuine = crypto::verify(signature, text.as_bytes(), &key, Algorithm::HS256).unwrap_or(false);
        genuine && seconds(now) < expires
    }
}

fn media_text(path: &str, expires: u64) -> String {
    format!("{expires}\n{path}")
}

pub(crate) fn seconds(at: DateTime<Utc>) -> u64 {
    u64::try_from(at.timestamp()).unwrap_or(0)
}

fn read<T: DeserializeOwned>(token: &str, key: &[u8]) -> Option<T> {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.leeway = 0;
    decode(token, &DecodingKey::from_secret(key), &validation).ok().map(|token| token.claims)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "/media/image/00.png";
    const PROJECT: ProjectId = ProjectId(Uuid::from_u128(7));

    fn signing(key: &[u8]) -> Signing {
        Signing::new(key).unwrap()
    }

    fn now() -> DateTime<Utc> {
        infra::runtime::Clock::System.now()
    }

    #[test]
    fn an_address_of_media_is_good_for_three_days_and_for_that_media_only() {
        let (ours, now) = (signing(b"ours"), now());
        let query = ours.media_query(PATH, now).unwrap();
        assert!(ours.is_signed(PATH, &query, now));
        assert!(ours.is_signed(PATH, &format!("v=1&{query}&retry=2"), now + MEDIA));
        assert!(!ours.is_signed(PATH, &query, now + MEDIA + Duration::from_secs(MEDIA_STEP)));
        assert!(!ours.is_signed("/media/image/01.png", &query, now));
        assert!(!signing(b"theirs").is_signed(PATH, &query, now));
    }

    #[test]
    fn an_address_that_was_tampered_with_is_not_ours() {
        let (ours, now) = (signing(b"ours"), now());
        let query = ours.media_query(PATH, now).unwrap();
        let (expires, signature) = query.split_once('&').unwrap();
        let later: u64 = expires["expires=".len()..].parse::<u64>().unwrap() + 1;
        for forged in [
            String::new(),
            expires.to_owned(),
            signature.to_owned(),
            format!("expires={later}&{signature}"),
            format!("{expires}&expires={later}&{signature}"),
            format!("{expires}&signature="),
            format!("{expires}&signature=AAAA"),
            format!("expires=-1&{signature}"),
            format!("expires=99999999999999999999999&{signature}"),
        ] {
            assert!(!ours.is_signed(PATH, &forged, now), "{forged}");
        }
    }

    #[test]
    fn nothing_signed_as_one_thing_is_another() {
        let ours = signing(b"ours");
        let (ticket, until) = ours.ticket("ada", Grounds::default(), PROJECT, now()).unwrap();
        let session = ours.session(&Session { key: Uuid::nil(), exp: seconds(until) }).unwrap();
        assert_eq!(ours.read_ticket(&ticket).unwrap().project, PROJECT);
        assert_eq!(ours.read_session(&session).unwrap().key, Uuid::nil());
        assert!(ours.read_session(&ticket).is_none() && ours.read_ticket(&session).is_none());
        assert!(signing(b"theirs").read_ticket(&ticket).is_none());
    }

    #[test]
    fn a_ticket_ends() {
        let ours = signing(b"ours");
        let (ticket, _) =
            ours.ticket("ada", Grounds::default(), PROJECT, now() - TICKET - Duration::from_secs(1)).unwrap();
        assert!(ours.read_ticket(&ticket).is_none());
    }
}
