//! How long open work will take, by what such work took lately.

use std::time::Duration;

use domain::job::Kind;
use infra::postgres::PostgresError;
use infra::postgres::views::pace::{self, Measured};
use infra::postgres::views::tasks::OpenWork;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::Api;

/// Pieces of work of a kind that are measured.
const SAMPLES: i64 = 100;
/// How long a measurement is good for.
const FRESH: Duration = Duration::from_secs(2);

/// What the newest work of each kind took, looked up when somebody asks, and not for each who does.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    measured: Mutex<Option<(Instant, Vec<Measured>)>>,
}

impl Pace {
    /// Seconds until nothing of this is left to do; nothing when work of one of the kinds was never measured.
    pub(crate) async fn eta(&self, api: &Api, open: &[OpenWork]) -> Result<Option<f64>, PostgresError> {
        if open.is_empty() {
            return Ok(None);
        }
        let mut known = self.measured.lock().await;
        let measured = match known.take() {
            Some((at, measured)) if at.elapsed() < FRESH => known.insert((at, measured)),
            _ => known.insert((Instant::now(), pace::measured(&api.pool, SAMPLES).await?)),
        };
        Ok(seconds_left(open, &measured.1))
    }
}

/// Of each kind as many are made at once as run now. Voices are made beside pictures and clips, all of them after the
/// storyboard, and the film is made of them.
fn seconds_left(open: &[OpenWork], measured: &[Measured]) -> Option<f64> {
    let of_kind = |kind: Kind| {
        let Some(work) = open.iter().find(|work| work.kind == kind) else { return Some(0.0) };
        let known = measured.iter().find(|measured| measured.kind == kind)?;
        Some(known.seconds * f64::from(work.open.div_ceil(work.running.max(1))))
    };
    let shown = of_kind(Kind::Image)? + of_kind(Kind::Video)?;
    Some(of_kind(Kind::Storyboard)? + shown.max(of_kind(Kind::Tts)?) + of_kind(Kind::Film)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(kind: Kind, open: u32, running: u32) -> OpenWork {
        OpenWork { kind, open, running }
    }

    fn took(kind: Kind, seconds: f64) -> Measured {
        Measured { kind, samples: 1, seconds, cost: 0.0 }
    }

    #[test]
    fn as_many_are_made_at_once_as_run_now() {
        let measured = [took(Kind::Image, 3.0)];
        assert_eq!(seconds_left(&[open(Kind::Image, 5, 2)], &measured), Some(9.0));
        assert_eq!(seconds_left(&[open(Kind::Image, 5, 0)], &measured), Some(15.0));
    }

    #[test]
    fn voices_come_beside_pictures_and_the_film_after_both() {
        let measured = [
            took(Kind::Storyboard, 1.0),
            took(Kind::Image, 10.0),
            took(Kind::Video, 20.0),
            took(Kind::Tts, 25.0),
            took(Kind::Film, 5.0),
        ];
        let all = Kind::ALL.map(|kind| open(kind, 1, 0));
        assert_eq!(seconds_left(&all, &measured), Some(36.0));
    }

    #[test]
    fn nobody_guesses_how_long_work_takes_that_was_never_done() {
        let measured = [took(Kind::Image, 3.0)];
        assert_eq!(seconds_left(&[open(Kind::Image, 1, 0), open(Kind::Film, 1, 0)], &measured), None);
    }
}
