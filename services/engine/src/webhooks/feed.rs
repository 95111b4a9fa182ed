//! Turns settled events into deliveries. The checkpoint moves in the transaction that adds them, so each
//! event is told once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use domain::ids::TaskId;
use domain::project::Event;
use domain::webhook::Topic;
use infra::postgres::deliveries::{self, Fact, Message, Wanted};
use infra::postgres::leadership::Fence;
use infra::postgres::tail::{Place, Recorded, Tail};
use infra::postgres::{PgPool, checkpoint};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::message;
use crate::EngineError;
use crate::looping::{Reader, Step};

const PAGE: usize = 500;
/// Where nobody wants to be told of anything, the checkpoint is saved at most so often.
const SAVE_EVERY: Duration = Duration::from_secs(1);

/// Reads the log for webhooks.
#[derive(Debug)]
pub struct Feed {
    pool: PgPool,
    tail: Tail,
    fence: Fence,
    news: Arc<Notify>,
    /// Up to where events were looked at, and up to where that is saved.
    places: Option<(Place, Place)>,
    saved_at: Instant,
}

impl Feed {
    pub(crate) fn new(pool: PgPool, tail: Tail, fence: Fence, news: Arc<Notify>) -> Self {
        Self { pool, tail, fence, news, places: None, saved_at: Instant::now() }
    }

    /// The messages that a page is worth; `None` when the read tables do not have its tasks yet.
    async fn messages(&self, page: &[Arc<Recorded>]) -> Result<Option<Vec<Message>>, EngineError> {
        let told: Vec<(Fact, &Recorded)> =
            // What another system did is no news.
            page.iter()
                .filter(|recorded| !recorded.imported)
                .filter_map(|recorded| Some((fact(recorded)?, &**recorded)))
                .collect();
        if told.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let facts: Vec<Fact> = told.iter().map(|(fact, _)| *fact).collect();
        let Some(wanted) = deliveries::wanted(&self.pool, &facts).await? else { return Ok(None) };
        let mut bodies: HashMap<usize, String> = HashMap::new();
        let mut messages = Vec::with_capacity(wanted.len());
        for Wanted { fact, webhook, kind, shot } in wanted {
            let Some((about, recorded)) = told.get(fact) else { continue };
            let body = bodies.entry(fact).or_insert_with(|| message::body(about, recorded, kind, shot));
            messages.push(Message { webhook, fact: *about, body: body.clone() });
        }
        Ok(Some(messages))
    }
}

impl Reader for Feed {
    async fn run_once(&mut self) -> Result<Step, EngineError> {
        let (place, saved) = match self.places.take() {
            Some(places) => places,
            None => {
                let saved = checkpoint::load(&self.pool, deliveries::READER).await?;
                (saved, saved)
            }
        };
        let page = self.tail.page(place, PAGE).await?;
        let Some(messages) = self.messages(&page).await? else {
            self.places = Some((place, saved));
            return Ok(Step::Idle);
        };
        let reached = page.last().map_or(place, |last| last.place);
        if messages.is_empty() && (reached == saved || self.saved_at.elapsed() < SAVE_EVERY) {
            self.places = Some((reached, saved));
        } else {
            deliveries::add(&self.pool, (saved, reached), &messages, &self.fence).await?;
            self.places = Some((reached, reached));
            self.saved_at = Instant::now();
            self.news.notify_one();
        }
        Ok(if page.is_empty() { Step::Idle } else { Step::Worked })
    }
}

/// What an event is to webhooks, if it is anything.
fn fact(recorded: &Recorded) -> Option<Fact> {
    let topic = Topic::of(&recorded.event)?;
    let task = task_of(&recorded.event)?;
    Some(Fact { project: recorded.project, version: recorded.version, topic, task, at: recorded.at })
}

fn task_of(event: &Event) -> Option<TaskId> {
    match event {
        Event::TaskFinished(event) => Some(event.task_id),
        Event::TaskFailed(event) => Some(event.task_id),
        Event::FilmRendered(event) => Some(event.task_id),
        _ => None,
    }
}
