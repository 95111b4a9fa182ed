//! The shapes that leave the system: `lowerCamelCase`, times in UTC with milliseconds, media as absolute
//! URLs.

mod task;

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use domain::asset::Asset;
use domain::ids::{ProjectId, ShotId, TakeId, TaskId};
use domain::job::{FilmOutput, Kind, SegmentCounts};
use domain::project::{Origin, Parameters, Take};
use domain::settings::{Mood, Quality, Settings, Transition};
use infra::postgres::tail::rfc3339_millis;
use infra::postgres::views::films::FilmRow;
use infra::postgres::views::projects::ProjectRow;
use infra::postgres::views::shots::{ShotRow, Stale};
use infra::postgres::views::takes::TakeRow;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

pub(crate) use task::Task;

use crate::extract::Base;

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Page<T> {
    /// The items.
    pub(crate) items: Vec<T>,
    /// Where the next page starts; none after the last.
    pub(crate) next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A page of `limit` items, of one more that were looked for: that one only says that there are more.
    pub(crate) fn cut(mut items: Vec<T>, limit: i64, place: impl Fn(&T) -> String) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let next_cursor = items.last().filter(|_| more).map(place);
        Self { items, next_cursor }
    }

    /// The same page of what its items become.
    pub(crate) fn map<U>(self, shape: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(shape).collect(), next_cursor: self.next_cursor }
    }
}

/// A project as it is listed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProjectSummary {
    id: ProjectId,
    version: u64,
    title: String,
    description: String,
    story: String,
    style: String,
    settings: Settings,
    #[schema(pattern = "^(created|storyboard|generating|ready|failed)$")]
    status: String,
    progress: Progress,
    /// What all that was ever made for it cost, in the currency of the providers' prices. Copies and what was there
    /// already cost nothing.
    cost: f64,
    /// The user's own music; the film has it while `settings.music` is `own`.
    #[serde(skip_serializing_if = "Option::is_none")]
    music: Option<Media>,
    /// Where it comes from, when it stands for calls of another system's client; such projects are in no list.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline)]
    origin: Option<Origin>,
    /// What that client calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<String>,
    /// When it went to the trash.
    #[serde(serialize_with = "optional_millis", skip_serializing_if = "Option::is_none")]
    deleted_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "rfc3339_millis")]
    created_at: DateTime<Utc>,
    #[serde(serialize_with = "rfc3339_millis")]
    updated_at: DateTime<Utc>,
}

/// A project with its shots and its film.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Project {
    #[serde(flatten)]
    pub(crate) summary: ProjectSummary,
    pub(crate) shots: Vec<Shot>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) film: Option<Film>,
}

/// How far a project is.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Progress {
    /// 0 to 100: tasks that have ended, of all it ever had.
    percent: u8,
    /// The first kind of work that is still open.
    stage: Option<Kind>,
    /// Seconds until all that is open is done, by what such work took lately and how much of it runs at once; null
    /// when nothing is open, when work of that kind was never done, and for an earlier version.
    eta_seconds: Option<f64>,
}

impl Progress {
    /// Of a project; `stage` is the first kind of work that is still open.
    pub(crate) fn of(row: &ProjectRow, stage: Option<Kind>, eta_seconds: Option<f64>) -> Self {
        Self { percent: percent(row.tasks_total, row.tasks_open), stage, eta_seconds }
    }
}

fn percent(total: u32, open: u32) -> u8 {
    let ended = u64::from(total.saturating_sub(open));
    let percent = (ended * 100).checked_div(u64::from(total)).unwrap_or(0);
    u8::try_from(percent).unwrap_or(100)
}

impl ProjectSummary {
    /// The shape of a row.
    pub(crate) fn of(row: ProjectRow, progress: Progress, base: &Base) -> Self {
        Self {
            id: row.id,
            version: row.version,
            title: row.title,
            description: row.description,
            story: row.story,
            style: row.style,
            settings: row.settings,
            status: row.status,
            progress,
            cost: row.cost,
            music: row.music.map(|asset| Media::of(&asset, base)),
            origin: row.origin,
            external_id: row.external_id,
            deleted_at: row.deleted_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// A shot.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shot {
    id: ShotId,
    project_id: ProjectId,
    /// The project's version at which its content last changed.
    version: u64,
    /// Its place in the film, from 1.
    order: u32,
    title: String,
    prompt: String,
    negative_prompt: String,
    narration: String,
    mood: Mood,
    /// The project's own when null.
    transition: Option<Transition>,
    /// Minimum length in seconds.
    duration: Option<f64>,
    locked: bool,
    #[schema(pattern = "^(created|pending|processing|completed|failed)$")]
    status: String,
    stale: Stale,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<SelectedTake>,
    #[serde(skip_serializing_if = "Option::is_none")]
    video: Option<SelectedTake>,
    #[serde(skip_serializing_if = "Option::is_none")]
    voice: Option<SelectedTake>,
    /// Of an earlier version: what it had then, and whose media was given up since.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    expired: Vec<Kind>,
    #[serde(serialize_with = "rfc3339_millis")]
    created_at: DateTime<Utc>,
    #[serde(serialize_with = "rfc3339_millis")]
    updated_at: DateTime<Utc>,
}

/// A picture, clip or voice that a shot uses.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SelectedTake {
    take_id: TakeId,
    #[serde(flatten)]
    media: Media,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
}

/// Stored media.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Media {
    url: String,
    size_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_seconds: Option<f64>,
}

impl Media {
    fn of(asset: &Asset, base: &Base) -> Self {
        Self {
            url: base.media(&asset.key),
            size_bytes: asset.bytes,
            duration_seconds: asset.duration_seconds,
        }
    }
}

impl SelectedTake {
    fn of(take: Take, base: &Base) -> Self {
        Self {
            take_id: take.id,
            media: Media::of(&take.asset, base),
            seed: take.parameters.seed,
            model: take.parameters.model,
        }
    }
}

impl Shot {
    /// The shape of a row.
    pub(crate) fn of(row: ShotRow, base: &Base) -> Self {
        let take = |take: Option<Take>| take.map(|take| SelectedTake::of(take, base));
        Self {
            id: row.id,
            project_id: row.project_id,
            version: row.version,
            order: row.place + 1,
            title: row.title,
            prompt: row.prompt,
            negative_prompt: row.negative_prompt,
            narration: row.narration,
            mood: row.mood,
            transition: row.transition,
            duration: row.duration_seconds,
            locked: row.locked,
            status: row.status,
            stale: row.stale,
            image: take(row.image),
            video: take(row.video),
            voice: take(row.voice),
            expired: Vec::new(),
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }

    /// The takes that it uses.
    pub(crate) fn chosen(&self) -> impl Iterator<Item = TakeId> {
        [&self.image, &self.video, &self.voice].into_iter().flatten().map(|take| take.take_id)
    }

    /// Shows no take whose media was given up, and says so.
    pub(crate) fn leave_out(&mut self, given_up: &HashSet<TakeId>) {
        let takes =
            [(Kind::Image, &mut self.image), (Kind::Video, &mut self.video), (Kind::Tts, &mut self.voice)];
        for (kind, take) in takes {
            if take.take_if(|take| given_up.contains(&take.take_id)).is_some() {
                self.expired.push(kind);
            }
        }
    }
}

/// A picture, clip or voice that a shot had at some time.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Take)]
pub(crate) struct ShotTake {
    id: TakeId,
    shot_id: ShotId,
    /// The task that made it; absent for what was uploaded, copied or brought from elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    task_id: Option<TaskId>,
    kind: Kind,
    /// Whether the shot uses it.
    chosen: bool,
    /// Whether its media was given up, so that there is no `url`.
    expired: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    size_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_seconds: Option<f64>,
    /// Who made it; `upload` when the user did.
    provider: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u32>,
    parameters: Parameters,
    /// How long it took, in seconds; 0 when it was there already.
    seconds: f64,
    /// In the currency of the providers' prices.
    cost: f64,
    /// Why it is not as good as what was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    degraded: Option<String>,
    #[serde(serialize_with = "rfc3339_millis")]
    created_at: DateTime<Utc>,
}

impl ShotTake {
    /// The shape of a row; `chosen` are the takes that the shot uses.
    pub(crate) fn of(row: TakeRow, chosen: &[TakeId], base: &Base) -> Self {
        let expired = row.expired_at.is_some();
        Self {
            id: row.id,
            shot_id: row.shot_id,
            task_id: row.task_id,
            kind: row.kind,
            chosen: chosen.contains(&row.id),
            expired,
            url: (!expired).then(|| base.media(&row.asset.key)),
            size_bytes: row.asset.bytes,
            duration_seconds: row.asset.duration_seconds,
            provider: row.made_with.provider,
            model: row.made_with.model.or_else(|| row.parameters.model.clone()),
            seed: row.made_with.seed.or(row.parameters.seed),
            parameters: row.parameters,
            seconds: row.made_with.millis as f64 / 1_000.0,
            cost: row.made_with.cost.unwrap_or(0.0),
            degraded: row.made_with.degraded,
            created_at: row.created_at,
        }
    }
}

/// A film.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Film {
    /// Counts the project's films, from 1.
    version: u32,
    quality: Quality,
    url: String,
    srt_url: String,
    vtt_url: String,
    poster_url: String,
    duration_seconds: f64,
    width: u32,
    height: u32,
    fps: u32,
    size_bytes: u64,
    /// Whether it shows something older than the project.
    stale: bool,
    incomplete: Vec<ShotId>,
    segments: SegmentCounts,
    render_seconds: f64,
    warnings: Vec<String>,
    #[serde(serialize_with = "rfc3339_millis")]
    created_at: DateTime<Utc>,
}

impl Film {
    /// The shape of a row; `render_millis` is how long its task took.
    pub(crate) fn of(row: FilmRow, stale: bool, render_millis: u64, base: &Base) -> Self {
        let FilmOutput { film, srt, vtt, poster, width, height, fps, duration_seconds, segments, warnings } =
            row.film;
        Self {
            version: row.version,
            quality: row.quality,
            url: base.media(&film.key),
            srt_url: base.media(&srt.key),
            vtt_url: base.media(&vtt.key),
            poster_url: base.media(&poster.key),
            duration_seconds,
            width,
            height,
            fps,
            size_bytes: film.bytes,
            stale,
            incomplete: row.incomplete,
            segments,
            render_seconds: render_millis as f64 / 1_000.0,
            warnings,
            created_at: row.created_at,
        }
    }
}

/// The answer to a change of something that has no project version of its own.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Changed<T> {
    /// What was changed or made.
    #[serde(flatten)]
    pub(crate) item: T,
    /// The project's version after it.
    pub(crate) project_version: u64,
}

pub(crate) fn optional_millis<S: Serializer>(
    at: &Option<DateTime<Utc>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => rfc3339_millis(at, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests;
