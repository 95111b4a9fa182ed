//! The table `projects`: one row a project, for lists and for the head of the detail page.

use chrono::{DateTime, SecondsFormat, Utc};
use domain::asset::Asset;
use domain::ids::ProjectId;
use domain::project::{Lifecycle, Origin, Project};
use domain::settings::Settings;
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool};

use super::{from_json, upsert};
use crate::postgres::PostgresError;

/// Projects whose titles and stories are searched for one page.
pub const SEARCHED: i64 = 5_000;

const COLUMNS: &[&str] = &[
    "id",
    "version",
    "owner",
    "status",
    "title",
    "description",
    "story",
    "style",
    "settings",
    "language",
    "storyboard_stale",
    "film_stale",
    "tasks_total",
    "tasks_open",
    "cost",
    "deleted",
    "deleted_at",
    "purged",
    "music",
    "origin",
    "external_id",
    "created_at",
    "updated_at",
];

/// A project as it is listed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProjectRow {
    /// The project.
    pub id: ProjectId,
    /// How many events made it.
    pub version: u64,
    /// Whom it belongs to, if anybody.
    pub owner: Option<String>,
    /// `created | storyboard | generating | ready | failed`.
    pub status: String,
    /// Its title.
    pub title: String,
    /// Its description.
    pub description: String,
    /// Its story.
    pub story: String,
    /// Its style.
    pub style: String,
    /// Its settings.
    pub settings: Settings,
    /// BCP 47 language, once known.
    pub language: Option<String>,
    /// Whether the storyboard is of an older story.
    pub storyboard_stale: bool,
    /// Whether the film shows something older than the project.
    pub film_stale: bool,
    /// Tasks it ever had.
    pub tasks_total: u32,
    /// Tasks that are blocked, pending or processing.
    pub tasks_open: u32,
    /// What all that was ever made for it cost, in the currency of the providers' prices.
    pub cost: f64,
    /// Whether it is in the trash.
    pub deleted: bool,
    /// When it went there.
    pub deleted_at: Option<DateTime<Utc>>,
    /// Whether it is given up for good.
    pub purged: bool,
    /// The user's own music.
    pub music: Option<Asset>,
    /// Whose errand it is, if it is one.
    pub origin: Option<Origin>,
    /// What the client of an errand calls it.
    pub external_id: Option<String>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

impl ProjectRow {
    /// The row of a state whose last event was recorded at `at`.
    pub fn of(id: ProjectId, state: &Project, created_at: DateTime<Utc>, at: DateTime<Utc>) -> Self {
        Self {
            id,
            version: state.version,
            owner: state.owner.clone(),
            status: state.status().as_str().to_owned(),
            title: state.title.clone(),
            description: state.description.clone(),
            story: state.story.clone(),
            style: state.style.clone(),
            settings: state.settings.clone(),
            language: state.language.clone(),
            storyboard_stale: state.storyboard_is_stale(),
            film_stale: state.film_is_stale(),
            tasks_total: state.tasks_made,
            tasks_open: u32::try_from(state.open_tasks().count()).unwrap_or(u32::MAX),
            cost: state.spent,
            deleted: matches!(state.lifecycle, Lifecycle::Deleted | Lifecycle::Purged),
            deleted_at: state.deleted_at,
            purged: state.lifecycle == Lifecycle::Purged,
            music: state.music.clone(),
            origin: state.errand.as_ref().map(|errand| errand.origin),
            external_id: state.errand.as_ref().and_then(|errand| errand.external_id.clone()),
            created_at,
            updated_at: at,
        }
    }
}

pub(crate) async fn write(connection: &mut PgConnection, rows: &[ProjectRow]) -> Result<(), PostgresError> {
    upsert(connection, "projects", COLUMNS, &["created_at"], rows).await
}

/// The project, deleted or not.
pub async fn find(pool: &PgPool, id: ProjectId) -> Result<Option<ProjectRow>, PostgresError> {
    let json: Option<String> =
        sqlx::query_scalar("SELECT row_to_json(p)::text FROM projects p WHERE id = $1")
            .bind(id.0)
            .fetch_optional(pool)
            .await
            .map_err(PostgresError::during("find a project"))?;
    json.as_deref().map(from_json).transpose()
}

/// The version that the read tables have of a project; `None` when they do not have it.
pub async fn version(pool: &PgPool, id: ProjectId) -> Result<Option<u64>, PostgresError> {
    let version: Option<i64> = sqlx::query_scalar("SELECT version FROM projects WHERE id = $1")
        .bind(id.0)
        .fetch_optional(pool)
        .await
        .map_err(PostgresError::during("read a project's version"))?;
    Ok(version.and_then(|version| u64::try_from(version).ok()))
}

/// Whose projects a list shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owners {
    /// Everybody's.
    All,
    /// Those of one owner.
    Only(String),
}

impl Owners {
    fn only(&self) -> Option<&str> {
        match self {
            Self::All => None,
            Self::Only(owner) => Some(owner),
        }
    }
}

/// What a list is in the order of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// When projects were created.
    CreatedAt,
    /// When they last changed.
    UpdatedAt,
    /// Their titles, without regard to case.
    Title,
}

/// A place in a list: what a project is sorted by, and its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Of a list in the order of time.
    Time(DateTime<Utc>, ProjectId),
    /// Of a list in the order of titles.
    Title(String, ProjectId),
}

impl Sort {
    /// Where a project is in a list of this order.
    pub fn place_of(self, row: &ProjectRow) -> Place {
        match self {
            Self::CreatedAt => Place::Time(row.created_at, row.id),
            Self::UpdatedAt => Place::Time(row.updated_at, row.id),
            Self::Title => Place::Title(row.title.clone(), row.id),
        }
    }

    /// What it sorts by, and the same of the place in `$3`.
    fn columns(self) -> (&'static str, &'static str) {
        match self {
            Self::CreatedAt => ("created_at", "$3::text::timestamptz"),
            Self::UpdatedAt => ("updated_at", "$3::text::timestamptz"),
            Self::Title => ("lower(title) COLLATE \"C\"", "lower($3::text) COLLATE \"C\""),
        }
    }
}

impl Place {
    /// As text that PostgreSQL reads.
    fn key(&self) -> (String, ProjectId) {
        match self {
            Self::Time(at, id) => (at.to_rfc3339_opts(SecondsFormat::Micros, true), *id),
            Self::Title(title, id) => (title.clone(), *id),
        }
    }
}

/// What a list shows.
#[derive(Debug, Clone)]
pub struct Filter {
    /// Whose projects.
    pub owners: Owners,
    /// Words that title or story contain.
    pub text: Option<String>,
    /// Only projects of this status.
    pub status: Option<String>,
    /// What it is in the order of.
    pub sort: Sort,
    /// The newest, or the last title, first.
    pub descending: bool,
    /// Only projects after this place.
    pub after: Option<Place>,
    /// Those in the trash instead of the others.
    pub deleted: bool,
    /// At most so many.
    pub limit: i64,
}

/// The newest errand that its client calls so, and that is not in the trash.
pub async fn find_errand(
    pool: &PgPool,
    external_id: &str,
    owners: &Owners,
) -> Result<Option<ProjectId>, PostgresError> {
    let id: Option<uuid::Uuid> = sqlx::query_scalar(
        "SELECT id FROM projects WHERE external_id = $1 AND NOT deleted AND ($2::text IS NULL OR owner = $2) \
         ORDER BY created_at DESC, id DESC LIMIT 1",
    )
    .bind(external_id)
    .bind(owners.only())
    .fetch_optional(pool)
    .await
    .map_err(PostgresError::during("find an errand"))?;
    Ok(id.map(ProjectId))
}

/// Projects in order. Errands and those that are given up for good are in no list. Text is looked for in so many projects that
/// come next, [`SEARCHED`], however many there are: it means reading their whole stories.
pub async fn list(pool: &PgPool, filter: &Filter) -> Result<Vec<ProjectRow>, PostgresError> {
    let pattern = filter.text.as_ref().map(|text| format!("%{}%", escape_like(text)));
    let (column, place) = filter.sort.columns();
    let (direction, follows) = if filter.descending { ("DESC", "<") } else { ("ASC", ">") };
    let which = if filter.deleted { "deleted" } else { "NOT deleted" };
    let order = format!("{column} {direction}, id {direction}");
    let sql = format!(
        "SELECT row_to_json(p)::text FROM (SELECT * FROM projects WHERE {which} AND NOT purged AND origin IS NULL \
           AND ($2::text IS NULL OR status = $2) AND ($6::text IS NULL OR owner = $6) \
           AND ($3::text IS NULL OR ({column}, id) {follows} ({place}, $4)) \
           ORDER BY {order} LIMIT $7) p \
         WHERE $1::text IS NULL OR title ILIKE $1 OR story ILIKE $1 ORDER BY {order} LIMIT $5",
    );
    let after = filter.after.as_ref().map(Place::key);
    let rows: Vec<String> = sqlx::query_scalar(&sql)
        .bind(&pattern)
        .bind(&filter.status)
        .bind(after.as_ref().map(|(key, _)| key))
        .bind(after.as_ref().map(|(_, id)| id.0))
        .bind(filter.limit)
        .bind(filter.owners.only())
        .bind(if pattern.is_some() { SEARCHED } else { filter.limit })
        .fetch_all(pool)
        .await
        .map_err(PostgresError::during("list projects"))?;
    rows.iter().map(|row| from_json(row)).collect()
}

/// Up to `limit` projects that went to the trash before `before` and are not given up yet.
pub async fn trashed_before(
    pool: &PgPool,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<ProjectId>, PostgresError> {
    let ids: Vec<uuid::Uuid> = sqlx::query_scalar(
        "SELECT id FROM projects WHERE deleted AND NOT purged AND deleted_at < $1 ORDER BY deleted_at LIMIT $2",
    )
    .bind(before)
    .bind(limit)
    .fetch_all(pool)
    .await
    .map_err(PostgresError::during("list the trash"))?;
    Ok(ids.into_iter().map(ProjectId).collect())
}

/// Up to `limit` errands without open work that nobody has touched since `before`, with their versions.
pub async fn errands_untouched_since(
    pool: &PgPool,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<(ProjectId, u64)>, PostgresError> {
    let found: Vec<(uuid::Uuid, i64)> = sqlx::query_as(
        "SELECT id, version FROM projects \
         WHERE origin IS NOT NULL AND NOT deleted AND tasks_open = 0 AND updated_at < $1 ORDER BY updated_at LIMIT $2",
    )
    .bind(before)
    .bind(limit)
    .fetch_all(pool)
    .await
    .map_err(PostgresError::during("list errands"))?;
    Ok(found.into_iter().map(|(id, version)| (ProjectId(id), version.unsigned_abs())).collect())
}

fn escape_like(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}
