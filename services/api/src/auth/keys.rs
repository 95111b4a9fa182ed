//! API keys: `stv_<id>_<secret>`. The id finds the row, the secret's hash proves the rest; both are
//! hexadecimal, so that a key can stand in a path.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::hash::sha256;
use infra::postgres::access::{self, ApiKeyRow};
use infra::postgres::{PgPool, PostgresError};
use tokio::time::Instant;
use uuid::Uuid;

use super::identity::{Grounds, Identity, Role};

/// What every key begins with.
pub(super) const PREFIX: &str = "stv_";
/// Keys that are remembered.
const REMEMBERED: usize = 4_096;
/// For how long, so that a revoked key opens nothing after that.
const MEMORY: Duration = Duration::from_secs(5);
/// Bytes of a secret.
const SECRET: usize = 32;

/// A key as it is shown, once.
#[derive(Clone)]
pub struct NewKey {
    /// What is kept of it.
    pub row: ApiKeyRow,
    /// The whole key.
    pub text: String,
}

/// Without the key itself.
impl fmt::Debug for NewKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewKey").field("id", &self.row.id).finish_non_exhaustive()
    }
}

impl NewKey {
    /// A key that nobody can guess.
    pub fn new(label: &str, subject: &str, role: Role, at: DateTime<Utc>) -> Self {
        let id = Uuid::now_v7();
        let secret = random_secret();
        let row = ApiKeyRow {
            id,
            label: label.to_owned(),
            subject: subject.to_owned(),
            role: role.to_string(),
            secret_hash: sha256(&[&secret]).to_vec(),
            created_at: at,
            revoked_at: None,
        };
        Self { row, text: format!("{PREFIX}{}_{}", id.simple(), hex::encode(secret)) }
    }
}

/// 244 random bits: a random UUID has 122.
pub(super) fn random_secret() -> [u8; SECRET] {
    let mut secret = [0; SECRET];
    let (first, second) = secret.split_at_mut(SECRET / 2);
    first.copy_from_slice(Uuid::new_v4().as_bytes());
    second.copy_from_slice(Uuid::new_v4().as_bytes());
    secret
}

/// A key as it is shown to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shown {
    id: Uuid,
    secret_hash: [u8; 32],
}

impl Shown {
    fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let mut bytes = [0; SECRET];
        hex::decode_to_slice(secret, &mut bytes).ok()?;
        let id = Some(id).filter(|id| id.len() == 32).and_then(|id| Uuid::try_parse(id).ok())?;
        Some(Self { id, secret_hash: sha256(&[&bytes]) })
    }
}

/// Looks keys up, and remembers them for a moment.
#[derive(Debug)]
pub(super) struct Keys {
    /// Those that were made, also when they are revoked: ids can be made up without end.
    remembered: Mutex<lru::LruCache<Uuid, (ApiKeyRow, Instant)>>,
}

impl Keys {
    pub(super) fn new() -> Self {
        let size = NonZeroUsize::new(REMEMBERED).unwrap_or(NonZeroUsize::MIN);
        Self { remembered: Mutex::new(lru::LruCache::new(size)) }
    }

    /// Who shows this key, and the key's id; `None` for one that is unknown, wrong or revoked.
    pub(super) async fn identify(
        &self,
        pool: &PgPool,
        text: &str,
    ) -> Result<Option<(Uuid, Identity)>, PostgresError> {
        let Some(shown) = Shown::parse(text) else { return Ok(None) };
        let row = self.row(pool, shown.id).await?;
        // Hashes of secrets that cannot be guessed: how far two of them agree tells nobody anything.
        let genuine = row.filter(|row| row.secret_hash == shown.secret_hash);
        Ok(genuine.and_then(|row| identity(&row)).map(|identity| (shown.id, identity)))
    }

    /// Whether it takes a look to tell that there was never such a key.
    pub(super) fn is_unheard_of(&self, text: &str) -> bool {
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        Shown::parse(text).is_some_and(|shown| !remembered.contains(&shown.id))
    }

    /// Whom a key of this id stands for, unless it is revoked.
    pub(super) async fn holder(&self, pool: &PgPool, id: Uuid) -> Result<Option<Identity>, PostgresError> {
        Ok(self.row(pool, id).await?.as_ref().and_then(identity))
    }

    async fn row(&self, pool: &PgPool, id: Uuid) -> Result<Option<ApiKeyRow>, PostgresError> {
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        if let Some((row, _)) = remembered.filter(|(_, at)| at.elapsed() < MEMORY) {
            return Ok(Some(row));
        }
        let row = access::key(pool, id).await?;
        if let Some(row) = &row {
            let remembered = (row.clone(), Instant::now());
            self.remembered.lock().unwrap_or_else(PoisonError::into_inner).put(id, remembered);
        }
        Ok(row)
    }
}

fn identity(row: &ApiKeyRow) -> Option<Identity> {
    let role: Role = row.role.parse().ok()?;
    let grounds = Grounds { key: Some(row.id), until: None };
    row.revoked_at.is_none().then(|| Identity::new(&row.subject, role).on(grounds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_again_by_the_hash_of_its_secret_alone() {
        let key = NewKey::new("studio", "ada", Role::Editor, DateTime::default());
        let shown = Shown::parse(&key.text).unwrap();
        assert_eq!(shown.id, key.row.id);
        assert_eq!(shown.secret_hash.to_vec(), key.row.secret_hash);
        let secret = key.text.rsplit('_').next().unwrap();
        assert_ne!(hex::encode(&key.row.secret_hash), secret);
        assert!(key.text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'), "it can stand in a path");
    }

    #[test]
    fn what_is_not_formed_like_a_key_is_none() {
        let key = NewKey::new("", "ada", Role::Viewer, DateTime::default()).text;
        for text in ["", "stv_", "stv__", "stv_x_y", &key[1..], &key[..key.len() - 1], &format!("{key}0")] {
            assert_eq!(Shown::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_revoked_key_stands_for_nobody() {
        let mut row = NewKey::new("", "ada", Role::Viewer, DateTime::default()).row;
        assert!(identity(&row).is_some());
        row.revoked_at = Some(DateTime::default());
        assert!(identity(&row).is_none());
    }
}
