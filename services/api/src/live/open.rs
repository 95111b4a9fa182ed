//! Ends open streams whose reader may look no more: the API key is revoked, the token or session is over, the project
//! is somebody else's or gone for good. One task a process looks, with two queries for all streams.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::ids::ProjectId;
use infra::postgres::{PgPool, PostgresError, access};
use infra::runtime::{CancellationToken, Clock};
use uuid::Uuid;

use crate::auth::Identity;

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The streams that are open in this process.
#[derive(Debug)]
pub(crate) struct Open {
    pool: PgPool,
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    streams: HashMap<u64, Stream>,
    last: u64,
    /// Whether somebody looks after them.
    watched: bool,
}

#[derive(Debug, Clone)]
struct Stream {
    reader: Identity,
    project: ProjectId,
    end: CancellationToken,
}

/// One open stream, for as long as it is held.
#[derive(Debug)]
pub(crate) struct Held {
    open: Arc<Open>,
    number: u64,
    end: CancellationToken,
}

impl Held {
    /// Cancelled when the reader may look no more.
    pub(crate) fn end(&self) -> &CancellationToken {
        &self.end
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.open.state().streams.remove(&self.number);
    }
}

impl Open {
    pub(super) fn new(pool: PgPool, clock: Clock) -> Self {
        Self { pool, clock, state: Mutex::default() }
    }

    /// Takes a stream up, and says whether [`Self::watch`] has to be started.
    pub(super) fn hold(self: &Arc<Self>, project: ProjectId, reader: Identity) -> (Held, bool) {
        let end = CancellationToken::new();
        let mut state = self.state();
        state.last += 1;
        let number = state.last;
        state.streams.insert(number, Stream { reader, project, end: end.clone() });
        let unwatched = !std::mem::replace(&mut state.watched, true);
        (Held { open: self.clone(), number, end }, unwatched)
    }

    /// Looks after the open streams until there is none.
    pub(super) async fn watch(self: Arc<Self>, shutdown: CancellationToken) {
        loop {
            if tokio::time::timeout(LOOK_EVERY, shutdown.cancelled()).await.is_ok() {
                return;
            }
            let streams: Vec<Stream> = {
                let mut state = self.state();
                state.watched = !state.streams.is_empty();
                if !state.watched {
                    return;
                }
                state.streams.values().cloned().collect()
            };
            self.look(&streams).await;
        }
    }

    async fn look(&self, streams: &[Stream]) {
        let now = self.clock.now();
        let known = match self.known(streams).await {
            Ok(known) => Some(known),
            Err(error) => {
                // Whose time is over is known all the same.
                tracing::debug!(%error, "whether readers of open streams still may look is not known now");
                None
            }
        };
        for stream in streams {
            let is_over = stream.reader.grounds().is_over(now);
            if is_over || known.as_ref().is_some_and(|known| !known.allow(stream)) {
                stream.end.cancel();
            }
        }
    }

    async fn known(&self, streams: &[Stream]) -> Result<Known, PostgresError> {
        let keys: HashSet<Uuid> = streams.iter().filter_map(|stream| stream.reader.grounds().key).collect();
        let projects: HashSet<ProjectId> = streams.iter().map(|stream| stream.project).collect();
        let keys: Vec<Uuid> = keys.into_iter().collect();
        let good_keys =
            if keys.is_empty() { Vec::new() } else { access::good_keys(&self.pool, &keys).await? };
        let projects: Vec<ProjectId> = projects.into_iter().collect();
        let owners = access::owners_of_projects(&self.pool, &projects).await?;
        Ok(Known { good_keys: good_keys.into_iter().collect(), owners: owners.into_iter().collect() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What PostgreSQL says of keys and projects.
struct Known {
    good_keys: HashSet<Uuid>,
    owners: HashMap<ProjectId, Option<String>>,
}

impl Known {
    fn allow(&self, stream: &Stream) -> bool {
        let key_is_good = stream.reader.grounds().key.is_none_or(|key| self.good_keys.contains(&key));
        let owner = self.owners.get(&stream.project);
        key_is_good && owner.is_some_and(|owner| stream.reader.may_see(stream.project, owner.as_deref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{Grounds, Role};

    const PROJECT: ProjectId = ProjectId(Uuid::from_u128(1));
    const KEY: Uuid = Uuid::from_u128(2);

    fn stream(reader: Identity) -> Stream {
        Stream { reader, project: PROJECT, end: CancellationToken::new() }
    }

    fn known(keys: &[Uuid], owner: Option<Option<&str>>) -> Known {
        let owners = owner.map(|owner| (PROJECT, owner.map(str::to_owned)));
        Known { good_keys: keys.iter().copied().collect(), owners: owners.into_iter().collect() }
    }

    #[test]
    fn a_stream_goes_on_while_its_key_is_good_and_its_project_the_readers() {
        let grounds = Grounds { key: Some(KEY), until: None };
        let ada = || stream(Identity::new("ada", Role::Viewer).on(grounds));
        assert!(known(&[KEY], Some(Some("ada"))).allow(&ada()));
        assert!(!known(&[], Some(Some("ada"))).allow(&ada()), "the key is revoked");
        assert!(!known(&[KEY], Some(Some("bob"))).allow(&ada()), "it is another's now");
        assert!(!known(&[KEY], None).allow(&ada()), "it is gone");
        let anybody = stream(Identity::anybody());
        assert!(known(&[], Some(None)).allow(&anybody) && !known(&[], None).allow(&anybody));
    }
}
