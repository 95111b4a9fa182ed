//! Turns every error into RFC 9457 `application/problem+json`. What only we should know is logged, never
//! sent.

use std::error::Error;
use std::fmt::Write;

use axum::http::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use axum::http::{Extensions, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::project::ProjectError;
use infra::archive::ArchiveError;
use infra::media::MediaError;
use infra::nats::BusError;
use infra::postgres::PostgresError;
use infra::postgres::event_store::ExecuteError;
use infra::postgres::transfer::ImportError;
use serde::Serialize;
use utoipa::ToSchema;

/// The media type of every error.
pub const PROBLEM_JSON: &str = "application/problem+json";
/// Names the kind of a problem; there is nothing to fetch there.
pub(crate) const KINDS: &str = "urn:storytovideo:problem:";

/// What went wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Path of the field, for example `settings.fps`.
    pub field: String,
    /// What it must be.
    pub message: String,
}

/// Why a request has no other answer.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The HTTP status.
    pub status: StatusCode,
    /// Stable snake_case word for programs.
    pub code: &'static str,
    /// One sentence for people.
    pub detail: String,
    /// What is wrong with which field.
    pub errors: Vec<FieldError>,
    /// Sent along; boxed, as most problems have none.
    header: Option<Box<(HeaderName, HeaderValue)>>,
    cause: Option<String>,
    /// Whether it hides what is, or may be, somebody else's.
    hides: bool,
}

/// The body of an error, as it is sent.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Problem)]
pub(crate) struct Body<'a> {
    /// Names the kind of the problem; there is nothing to fetch there.
    #[serde(rename = "type")]
    kind: String,
    /// The status in words.
    title: &'a str,
    status: u16,
    /// One sentence for people.
    detail: &'a str,
    /// One stable word for programs.
    code: &'a str,
    /// The request, as our log knows it.
    request_id: &'a str,
    /// What is wrong with which field.
    errors: &'a [FieldError],
}

impl Problem {
    /// A problem without any details about fields.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            errors: Vec::new(),
            header: None,
            cause: None,
            hides: false,
        }
    }

    /// The request was understood, and one field of it is wrong: 422.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        let (field, message) = (field.into(), message.into());
        let detail = if field.is_empty() { message.clone() } else { format!("{field}: {message}") };
        let problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail);
        Self { errors: vec![FieldError { field, message }], ..problem }
    }

    /// The request makes no sense: 400.
    pub fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// There is no such thing: 404.
    pub fn not_found(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, detail)
    }

    /// There is nothing at this address: 404.
    pub fn no_such_address() -> Self {
        Self::not_found("not_found", "there is nothing at this address")
    }

    /// The request came with the `Idempotency-Key` of another one: 409.
    pub fn reused_key() -> Self {
        let detail = "this Idempotency-Key was used for a request with another body";
        Self::new(StatusCode::CONFLICT, "idempotency_key_reused", detail)
    }

    /// It may work in a moment: 503 with `Retry-After`.
    pub fn unavailable(code: &'static str, detail: impl Into<String>) -> Self {
        let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail);
        problem.with_header(RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// Stored media cannot be read now: 503. `cause` is logged only.
    pub(crate) fn media_unreadable(cause: &dyn Error) -> Self {
        Self::unavailable("media_unavailable", "stored media cannot be read").because(chain(cause))
    }

    /// A fault of ours: 500. `cause` is logged only.
    pub fn internal(cause: impl Into<String>) -> Self {
        let detail = "something went wrong on our side; the log knows it by the request id";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail).because(cause)
    }

    /// Says what is wrong with which field.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors;
        self
    }

    /// The same about another field than the one where it was noticed.
    #[must_use]
    pub fn about(mut self, field: &str) -> Self {
        for error in &mut self.errors {
            self.detail = format!("{field}: {}", error.message);
            field.clone_into(&mut error.field);
        }
        self
    }

    /// Whether it is about who asks, or how often, or of what, and not about the request itself.
    pub(crate) fn is_refusal(&self) -> bool {
        let statuses = [
            StatusCode::UNAUTHORIZED,
            StatusCode::FORBIDDEN,
            StatusCode::MISDIRECTED_REQUEST,
            StatusCode::TOO_MANY_REQUESTS,
        ];
        self.hides || statuses.contains(&self.status)
    }

    /// Told because what is asked for is not the caller's, whether or not it is there.
    #[must_use]
    pub(crate) fn hiding(self) -> Self {
        Self { hides: true, ..self }
    }

    /// Adds what is logged and not sent.
    #[must_use]
    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Adds a header to the answer, in place of one added before.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some(Box::new((name, value)));
        self
    }

    /// The problem that an answer of the framework's own stands for; `None` when it is no error.
    pub fn of_foreign(response: &Response) -> Option<Self> {
        let status = response.status();
        let is_error = status.is_client_error() || status.is_server_error();
        if !is_error {
            return None;
        }
        let (code, detail) = match status {
            StatusCode::NOT_FOUND => ("not_found", "there is nothing at this address"),
            StatusCode::METHOD_NOT_ALLOWED => {
                ("method_not_allowed", "this address does not know that method")
            }
            StatusCode::PAYLOAD_TOO_LARGE => ("payload_too_large", "the body is too large"),
            StatusCode::UPGRADE_REQUIRED => ("upgrade_required", "this address speaks WebSocket only"),
            status if status.is_server_error() => ("internal", "something went wrong on our side"),
            _ => ("bad_request", "the request makes no sense here"),
        };
        let mut problem = Self::new(status, code, detail);
        if let Some(allowed) = response.headers().get(ALLOW) {
            problem = problem.with_header(ALLOW, allowed.clone());
        }
        Some(problem)
    }

    /// Writes the answer in another form than ours, for clients that know no other.
    pub(crate) fn in_own_form(
        self,
        status: StatusCode,
        body: &serde_json::Value,
        request_id: &str,
    ) -> Response {
        self.log(request_id);
        let mut response = (status, axum::Json(body)).into_response();
        if let Some((name, value)) = self.header.map(|header| *header) {
            response.headers_mut().insert(name, value);
        }
        response
    }

    fn log(&self, request_id: &str) {
        if self.status.is_server_error() {
            let (status, code) = (self.status.as_u16(), self.code);
            let cause = self.cause.as_deref().unwrap_or("");
            tracing::warn!(request_id, status, code, cause, "a request failed");
        }
    }

    /// Logs what only we should know, and writes the answer.
    pub fn render(self, request_id: &str) -> Response {
        self.log(request_id);
        let body = Body {
            kind: format!("{KINDS}{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            code: self.code,
            request_id,
            errors: &self.errors,
        };
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some((name, value)) = self.header.map(|header| *header) {
            response.headers_mut().insert(name, value);
        }
        response
    }

    /// The problem that a handler answered with and that is not written yet.
    pub fn take_from(extensions: &mut Extensions) -> Option<Self> {
        extensions.remove::<Self>()
    }
}

/// The answer is written by [`Problem::render`], where the request's id is known.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// An error with all its causes, for the log.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a string cannot fail.
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

impl From<ProjectError> for Problem {
    fn from(error: ProjectError) -> Self {
        use ProjectError as E;
        let detail = error.to_string();
        let (status, code) = match error {
            E::Invalid { field, message } => return Self::invalid(field, message),
            E::NotFound => (StatusCode::NOT_FOUND, "project_not_found"),
            E::Deleted => (StatusCode::NOT_FOUND, "project_deleted"),
            E::Purged => (StatusCode::NOT_FOUND, "project_purged"),
            E::ShotNotFound => (StatusCode::NOT_FOUND, "shot_not_found"),
            E::ChangedSince { .. } | E::NeverAt { .. } => {
                (StatusCode::PRECONDITION_FAILED, "version_mismatch")
            }
            E::TrashExpired => (StatusCode::GONE, "trash_expired"),
            E::NotPurgeable => (StatusCode::CONFLICT, "not_purgeable"),
            E::TooManyShots => (StatusCode::CONFLICT, "too_many_shots"),
            E::AlreadyExists => (StatusCode::CONFLICT, "project_exists"),
            E::ShotLocked => (StatusCode::CONFLICT, "shot_locked"),
            E::NothingToDo => (StatusCode::CONFLICT, "nothing_to_do"),
            E::NoShots => (StatusCode::CONFLICT, "no_shots"),
            E::NoPictureYet => (StatusCode::CONFLICT, "no_picture_yet"),
            E::NothingToSay => (StatusCode::CONFLICT, "nothing_to_say"),
            E::TaskNotOpen => (StatusCode::CONFLICT, "task_not_open"),
            E::TaskNotRetryable => (StatusCode::CONFLICT, "task_not_retryable"),
            E::DependencyFailed => (StatusCode::CONFLICT, "dependency_failed"),
            E::AttemptSuperseded => (StatusCode::CONFLICT, "attempt_superseded"),
            E::NotAShotKind(_) => (StatusCode::UNPROCESSABLE_ENTITY, "not_a_shot_kind"),
            E::WrongOutput(_) => (StatusCode::UNPROCESSABLE_ENTITY, "wrong_output"),
        };
        Self::new(status, code, detail)
    }
}

impl From<PostgresError> for Problem {
    fn from(error: PostgresError) -> Self {
        let cause = chain(&error);
        let problem = match error {
            PostgresError::UnknownEvent { .. } => Self::unavailable(
                "newer_version_needed",
                "this project was changed by a newer version of the program",
            ),
            PostgresError::Corrupt(_) => return Self::internal(cause),
            PostgresError::Database { .. }
            | PostgresError::Migration(_)
            | PostgresError::Url(_)
            | PostgresError::LeadershipLost => Self::unavailable(
                "database_unavailable",
                "the database does not answer; try again in a moment",
            ),
        };
        problem.because(cause)
    }
}

impl From<ExecuteError> for Problem {
    fn from(error: ExecuteError) -> Self {
        match error {
            ExecuteError::Rule(error) => error.into(),
            ExecuteError::Contended => {
                Self::unavailable("contended", "the project is being changed by too many at once; try again")
            }
            ExecuteError::Postgres(error) => error.into(),
        }
    }
}

impl From<ImportError> for Problem {
    fn from(error: ImportError) -> Self {
        let detail = error.to_string();
        match error {
            ImportError::Exists => Self::new(StatusCode::CONFLICT, "project_exists", detail),
            ImportError::IdTaken => Self::new(StatusCode::CONFLICT, "id_taken", detail),
            ImportError::Rule(error) => error.into(),
            ImportError::Postgres(error) | ImportError::Unknown(error) => error.into(),
        }
    }
}

impl From<ArchiveError> for Problem {
    fn from(error: ArchiveError) -> Self {
        match error {
            ArchiveError::Invalid(detail) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_archive", detail)
            }
            ArchiveError::TooLarge(detail) => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", detail)
            }
            ArchiveError::Import(error) => error.into(),
            ArchiveError::Postgres(error) => error.into(),
            ArchiveError::Media(error) => error.into(),
            ArchiveError::Io(error) => Self::media_unreadable(&error),
        }
    }
}

impl From<BusError> for Problem {
    fn from(error: BusError) -> Self {
        Self::unavailable("bus_unavailable", "the message bus does not answer").because(chain(&error))
    }
}

impl From<MediaError> for Problem {
    fn from(error: MediaError) -> Self {
        Self::media_unreadable(&error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderMap;

    async fn rendered(problem: Problem) -> (StatusCode, HeaderMap, serde_json::Value) {
        let response = problem.render("r-1");
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 10_000).await.unwrap();
        (parts.status, parts.headers, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn a_broken_rule_names_its_field() {
        let error = ProjectError::Invalid { field: "settings.fps", message: "must be less".to_owned() };
        let (status, headers, body) = rendered(error.into()).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(headers[CONTENT_TYPE], PROBLEM_JSON);
        assert_eq!(body["code"], "invalid");
        assert_eq!(body["requestId"], "r-1");
        assert_eq!(body["status"], 422);
        assert_eq!(body["errors"][0]["field"], "settings.fps");
        assert_eq!(body["errors"][0]["message"], "must be less");
    }

    #[tokio::test]
    async fn a_database_error_tells_nothing_of_the_database() {
        let secret = "password authentication failed for user \"stv\" at 10.0.0.7".to_owned();
        let error = PostgresError::Corrupt(secret);
        let (status, _, body) = rendered(error.into()).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!body.to_string().contains("10.0.0.7"));
        let (status, headers, body) =
            rendered(ExecuteError::Postgres(PostgresError::LeadershipLost).into()).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(headers[RETRY_AFTER], "1");
        assert_eq!(body["code"], "database_unavailable");
    }

    #[test]
    fn each_rule_has_its_status() {
        let status = |error: ProjectError| Problem::from(error).status.as_u16();
        assert_eq!(status(ProjectError::NotFound), 404);
        assert_eq!(status(ProjectError::Deleted), 404);
        assert_eq!(status(ProjectError::ShotNotFound), 404);
        assert_eq!(status(ProjectError::ShotLocked), 409);
        assert_eq!(status(ProjectError::TaskNotOpen), 409);
        assert_eq!(status(ProjectError::ChangedSince { seen: 1, revised: 2 }), 412);
        assert_eq!(Problem::from(ExecuteError::Contended).status.as_u16(), 503);
    }

    #[test]
    fn answers_that_are_no_errors_stay_as_they_are() {
        assert!(Problem::of_foreign(&StatusCode::PARTIAL_CONTENT.into_response()).is_none());
        let wrong_method = StatusCode::METHOD_NOT_ALLOWED.into_response();
        assert_eq!(
            Problem::of_foreign(&wrong_method).map(|problem| problem.code),
            Some("method_not_allowed")
        );
    }
}
