//! Identifiers as newtypes, so that a shot's id can never be passed where a task's is meant.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    };
}

id!(/// A project: one story, its shots and its film; one event stream.
    ProjectId);
id!(/// A shot of a project.
    ShotId);
id!(/// One piece of work asked for: a storyboard, a picture, a clip, a voice or a film.
    TaskId);
id!(/// One generated or uploaded picture, clip or voice of a shot.
    TakeId);
id!(/// A command; sending the same one twice has one effect.
    CommandId);
id!(/// The fencing token of one run of a task by one worker.
    ClaimId);

/// Makes the ids that one command needs: UUIDv7 with the command's time, and random bits that follow
/// from the command's id. Deciding the same command again gives the same ids.
#[derive(Debug, Clone)]
pub struct NewIds {
    seed: Uuid,
    unix_millis: u64,
    made: u64,
}

impl NewIds {
    /// Starts the sequence of ids for `command`, stamped with `unix_millis` (milliseconds since 1970).
    pub fn for_command(command: CommandId, unix_millis: u64) -> Self {
        Self { seed: command.0, unix_millis, made: 0 }
    }

    /// The next id. Ids of one command sort in the order they were made.
    pub fn next_uuid(&mut self) -> Uuid {
        self.made += 1;
        let mut random = [0_u8; 10];
        let digest = crate::hash::sha256(&[self.seed.as_bytes(), &self.made.to_be_bytes()]);
        random.copy_from_slice(&digest[..10]);
        random[..2].copy_from_slice(&(self.made as u16 & 0x0fff).to_be_bytes());
        uuid::Builder::from_unix_timestamp_millis(self.unix_millis, &random).into_uuid()
    }

    /// The next 32 random bits, for seeds.
    pub fn next_seed(&mut self) -> u32 {
        let bytes = self.next_uuid().into_bytes();
        u32::from_be_bytes([bytes[12], bytes[13], bytes[14], bytes[15]])
    }
}
