//! How much each caller may ask for: a sliding window of a minute for each caller and kind of request. It
//! weighs the minute before by how much of it the last sixty seconds still touch.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use domain::ids::TaskId;

/// Length of a window, in milliseconds.
const WINDOW: i64 = 60_000;
/// Windows that are kept; those not asked about for longest are forgotten.
const KEPT: usize = 65_536;
/// Sessions that one address may begin in a minute.
const SESSIONS: u32 = 30;
/// Refusals that one address is given in a minute with their reasons.
const REFUSALS: u32 = 120;

/// What a caller may ask for in a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Requests that look.
    pub reads: u32,
    /// Requests that change something.
    pub writes: u32,
    /// Looks at one task. Each task has a window of its own, so that all open tasks may be polled.
    pub polls: u32,
}

impl Default for Rates {
    fn default() -> Self {
        Self { reads: 3_000, writes: 600, polls: 180 }
    }
}

/// A kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Class {
    Read,
    Write,
    Poll,
    Session,
    Refusal,
}

/// Whose window, and of what.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) class: Class,
    pub(super) caller: Arc<str>,
    /// The task that is polled.
    pub(super) task: Option<TaskId>,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    /// Which minute since 1970.
    minute: i64,
    now: u32,
    before: u32,
}

/// What a window says to one more request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Whether it is within the limit.
    pub(crate) allowed: bool,
    /// Requests allowed in a minute.
    pub(crate) limit: u32,
    /// How many are left.
    pub(crate) remaining: u32,
    /// Seconds until there are more again.
    pub(crate) reset: u32,
}

/// The windows of this process.
#[derive(Debug)]
pub(super) struct Windows {
    rates: Rates,
    kept: Mutex<lru::LruCache<Key, Window>>,
}

impl Windows {
    pub(super) fn new(rates: Rates) -> Self {
        let size = NonZeroUsize::new(KEPT).unwrap_or(NonZeroUsize::MIN);
        Self { rates, kept: Mutex::new(lru::LruCache::new(size)) }
    }

    /// Counts a request, unless it is beyond the limit.
    pub(super) fn count(&self, key: Key, at: DateTime<Utc>) -> Verdict {
        let (limit, (minute, elapsed)) = (self.limit(key.class), minute_of(at));
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let window = kept.get_or_insert_mut(key, || Window::new(minute));
        window.move_to(minute);
        window.ask(limit, elapsed)
    }

    /// What [`Self::count`] would say, without counting.
    pub(super) fn look(&self, key: &Key, at: DateTime<Utc>) -> Verdict {
        let (minute, elapsed) = minute_of(at);
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(key).copied();
        let mut window = kept.unwrap_or(Window::new(minute));
        window.move_to(minute);
        window.ask(self.limit(key.class), elapsed)
    }

    fn limit(&self, class: Class) -> u32 {
        match class {
            Class::Read => self.rates.reads,
            Class::Write => self.rates.writes,
            Class::Poll => self.rates.polls,
            Class::Session => SESSIONS,
            Class::Refusal => REFUSALS,
        }
    }
}

/// Which minute it is, and how many milliseconds of it have passed.
fn minute_of(at: DateTime<Utc>) -> (i64, u64) {
    let millis = at.timestamp_millis();
    (millis.div_euclid(WINDOW), millis.rem_euclid(WINDOW).unsigned_abs())
}

impl Window {
    fn new(minute: i64) -> Self {
        Self { minute, now: 0, before: 0 }
    }

    fn move_to(&mut self, minute: i64) {
        match minute - self.minute {
            0 => {}
            1 => *self = Self { minute, now: 0, before: self.now },
            _ => *self = Self { minute, now: 0, before: 0 },
        }
    }

    fn ask(&mut self, limit: u32, elapsed: u64) -> Verdict {
        let length = WINDOW.unsigned_abs();
        let weighed = u64::from(self.before) * (length - elapsed) / length;
        let used = u64::from(self.now) + weighed;
        let allowed = used < u64::from(limit);
        if allowed {
            self.now += 1;
        }
        let used = used + u64::from(allowed);
        let remaining = u32::try_from(u64::from(limit).saturating_sub(used)).unwrap_or(0);
        let reset = u32::try_from((length - elapsed).div_ceil(1_000)).unwrap_or(60);
        Verdict { allowed, limit, remaining, reset: reset.max(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(caller: &str, class: Class, task: Option<u128>) -> Key {
        Key { class, caller: caller.into(), task: task.map(|id| TaskId(uuid::Uuid::from_u128(id))) }
    }

    fn at(seconds: f64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_800_000_000_000 + (seconds * 1_000.0) as i64).unwrap()
    }

    fn windows() -> Windows {
        Windows::new(Rates { reads: 10, writes: 2, polls: 3 })
    }

    #[test]
    fn no_sixty_seconds_hold_many_more_requests_than_the_limit() {
        let windows = windows();
        let mut allowed: Vec<f64> = Vec::new();
        for tick in 0..1_200 {
            let now = f64::from(tick) / 4.0;
            if windows.count(key("ada", Class::Read, None), at(now)).allowed {
                allowed.push(now);
            }
        }
        let most =
            allowed.iter().map(|from| allowed.iter().filter(|t| (*from..from + 60.0).contains(t)).count());
        let most = most.max().unwrap();
        assert!((10..=13).contains(&most), "{most}");
        assert!(allowed.len() >= 40, "{}", allowed.len());
    }

    #[test]
    fn a_verdict_tells_what_is_left_and_when_there_is_more() {
        let windows = windows();
        let ask = |second| windows.count(key("ada", Class::Write, None), at(second));
        assert_eq!(ask(0.0), Verdict { allowed: true, limit: 2, remaining: 1, reset: 60 });
        assert_eq!(ask(30.0), Verdict { allowed: true, limit: 2, remaining: 0, reset: 30 });
        assert_eq!(ask(31.0), Verdict { allowed: false, limit: 2, remaining: 0, reset: 29 });
        assert!(!ask(60.0).allowed, "the minute before still counts");
        assert!(ask(180.0).allowed);
    }

    #[test]
    fn a_look_tells_the_same_and_counts_nothing() {
        let windows = windows();
        let writes = || key("ada", Class::Write, None);
        for _ in 0..10 {
            assert!(windows.look(&writes(), at(0.0)).allowed);
        }
        while windows.count(writes(), at(1.0)).allowed {}
        assert!(!windows.look(&writes(), at(30.0)).allowed);
        assert!(windows.look(&writes(), at(180.0)).allowed);
        assert!(windows.look(&key("bob", Class::Write, None), at(1.0)).allowed);
    }

    #[test]
    fn callers_and_tasks_have_windows_of_their_own() {
        let windows = windows();
        let poll =
            |caller: &str, task: u128| windows.count(key(caller, Class::Poll, Some(task)), at(0.0)).allowed;
        for task in 0..100 {
            for _ in 0..3 {
                assert!(poll("ada", task));
            }
            assert!(!poll("ada", task));
        }
        assert!(poll("bob", 0));
    }

    #[test]
    fn an_open_task_may_be_polled_every_second() {
        assert!(Rates::default().polls > 60);
    }

    #[test]
    fn forgotten_windows_take_no_memory() {
        let windows = windows();
        for caller in 0..KEPT + 10 {
            windows.count(key(&caller.to_string(), Class::Read, None), at(0.0));
        }
        assert_eq!(windows.kept.lock().unwrap().len(), KEPT);
    }
}
