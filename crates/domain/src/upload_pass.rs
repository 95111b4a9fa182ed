//! Opens the way for what an external node has made: the right to bring the result of one attempt of a task, for a
//! while. It is signed by the secret that node and server share, so that whoever gives the order can write it and
//! whoever takes the result can check it, and neither has to remember it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use hmac::{Hmac, Mac};
use serde::Deserialize;
use sha2::Sha256;

use crate::ids::TaskId;
use crate::webhook::Secret;

/// For how long a pass is good: a task may run for 20 minutes, and a large clip may take as long on its way.
const GOOD_FOR: Duration = Duration::from_secs(3_600);

/// A pass as it stands in a query.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct UploadPass {
    /// The attempt whose result it is.
    pub attempt: u32,
    /// When it ends, in seconds since 1970.
    pub expires: i64,
    /// Hexadecimal.
    pub signature: String,
}

/// Why a pass opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PassError {
    /// It was not written by whoever has the secret, or it is for another task.
    #[error("the address is not one that came with an order: its signature is wrong")]
    Forged,
    /// It is too old.
    #[error("the address was good for an hour, which is over")]
    Over,
}

impl UploadPass {
    /// A pass for this attempt, good from now on.
    pub fn new(task: TaskId, attempt: u32, secret: &Secret, now: DateTime<Utc>) -> Self {
        let expires = (now + GOOD_FOR).timestamp();
        let signature =
            mac(task, attempt, expires, secret).map(|mac| hex::encode(mac.finalize().into_bytes()));
        Self { attempt, expires, signature: signature.unwrap_or_default() }
    }

    /// The query that shows it.
    pub fn to_query(&self) -> String {
        let Self { attempt, expires, signature } = self;
        format!("attempt={attempt}&expires={expires}&signature={signature}")
    }

    /// Whether it is one for this task. Compared in constant time.
    ///
    /// # Errors
    /// [`PassError`] when it is not, or is no longer.
    pub fn check(&self, task: TaskId, secret: &Secret, now: DateTime<Utc>) -> Result<(), PassError> {
        let mut signature = [0; 32];
        hex::decode_to_slice(&self.signature, &mut signature).map_err(|_| PassError::Forged)?;
        let mac = mac(task, self.attempt, self.expires, secret).ok_or(PassError::Forged)?;
        mac.verify_slice(&signature).map_err(|_| PassError::Forged)?;
        if now.timestamp() < self.expires { Ok(()) } else { Err(PassError::Over) }
    }
}

/// What is signed begins with a word, so that it is no report and no order.
fn mac(task: TaskId, attempt: u32, expires: i64, secret: &Secret) -> Option<Hmac<Sha256>> {
    let mut mac = secret.mac()?;
    mac.update(format!("upload\n{task}\n{attempt}\n{expires}").as_bytes());
    Some(mac)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const TASK: TaskId = TaskId(Uuid::from_u128(7));

    fn secret() -> Secret {
        Secret::new(*b"a shared secret of thirty-two bytes")
    }

    fn now() -> DateTime<Utc> {
        "2026-11-22T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_pass_is_good_for_its_attempt_of_its_task_and_for_an_hour() {
        let pass = UploadPass::new(TASK, 2, &secret(), now());
        assert_eq!(pass.check(TASK, &secret(), now()), Ok(()));
        assert_eq!(pass.check(TASK, &secret(), now() + GOOD_FOR - Duration::from_secs(1)), Ok(()));
        assert_eq!(pass.check(TASK, &secret(), now() + GOOD_FOR), Err(PassError::Over));
        assert_eq!(pass.check(TaskId(Uuid::from_u128(8)), &secret(), now()), Err(PassError::Forged));
        assert_eq!(pass.check(TASK, &Secret::new(*b"another secret"), now()), Err(PassError::Forged));
    }

    #[test]
    fn a_pass_that_was_changed_is_forged() {
        let pass = UploadPass::new(TASK, 2, &secret(), now());
        let signature = |signature: &str| UploadPass { signature: signature.to_owned(), ..pass.clone() };
        for changed in [
            UploadPass { attempt: 3, ..pass.clone() },
            UploadPass { expires: pass.expires + 1, ..pass.clone() },
            signature(""),
            signature("é"),
            signature(&pass.signature[..62]),
            signature(&"0".repeat(64)),
        ] {
            assert_eq!(changed.check(TASK, &secret(), now()), Err(PassError::Forged), "{changed:?}");
        }
    }
}
