//! Errors as clients of each façade read them, whoever raised them: also those that come before a route.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use crate::problem::Problem;

/// The Web API draft's code for what a rule of the domain refuses.
const BUSINESS: u16 = 900;
/// Its code for no room for more.
const NO_CAPACITY: u16 = 901;

/// Whose language is spoken at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Facade {
    /// The StoryToVideo server.
    Server,
    /// The StoryToVideo gateway.
    Gateway,
    /// The Web API draft.
    Web,
    /// AI-Story.
    AiStory,
}

/// Where each is spoken; the first that fits decides.
const PLACES: [(&str, Facade); 12] = [
    ("/v1/api", Facade::Server),
    ("/v1/generate", Facade::Gateway),
    ("/v1/jobs", Facade::Gateway),
    ("/storyboard", Facade::Gateway),
    ("/frames", Facade::Gateway),
    ("/clips", Facade::Gateway),
    ("/narration", Facade::Gateway),
    ("/render", Facade::Gateway),
    ("/tasks", Facade::Gateway),
    ("/api/story", Facade::AiStory),
    ("/api/shot", Facade::AiStory),
    ("/api", Facade::Web),
];

impl Facade {
    /// Its name in the API's document.
    pub(super) fn tag(self) -> &'static str {
        match self {
            Self::Server => "façade: StoryToVideo server",
            Self::Gateway => "façade: StoryToVideo gateway",
            Self::Web => "façade: Web API draft",
            Self::AiStory => "façade: AI-Story",
        }
    }

    /// What its errors look like, in that document.
    pub(super) fn errors(self) -> &'static str {
        match self {
            Self::Server => "An error: `{error}`",
            Self::Gateway => "An error: `{job_id, message, error}`",
            Self::Web => "An error: `{code, message, request_id}`",
            Self::AiStory => "An error: `{code, message, data}`",
        }
    }

    /// Whose address this is; `None` where errors are problems.
    pub(crate) fn at(path: &str) -> Option<Self> {
        let is_within = |place: &str| {
            path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let (place, facade) = PLACES.into_iter().find(|(place, _)| is_within(place))?;
        match (place, path.split('/').nth(4)) {
            ("/api/story", Some("shot")) => Some(Self::Web),
            ("/tasks", _) if path.ends_with("/wss") => Some(Self::Server),
            _ => Some(facade),
        }
    }

    /// Answers with a problem in these clients' words. What they did wrong is 400 or 404 to them.
    pub(crate) fn tell(self, problem: Problem, request_id: &str) -> Response {
        let status = match problem.status {
            StatusCode::CONFLICT
            | StatusCode::PRECONDITION_FAILED
            | StatusCode::UNPROCESSABLE_ENTITY
            | StatusCode::UNSUPPORTED_MEDIA_TYPE
            | StatusCode::REQUEST_TIMEOUT => StatusCode::BAD_REQUEST,
            status => status,
        };
        let body = self.words(&problem, status, request_id);
        problem.in_own_form(status, &body, request_id)
    }

    fn words(self, problem: &Problem, status: StatusCode, request_id: &str) -> Value {
        let detail = &problem.detail;
        match self {
            Self::Server => json!({ "error": detail }),
            Self::Gateway => json!({ "job_id": "", "message": problem.code, "error": detail }),
            Self::Web => {
                json!({ "code": web_code(problem, status), "message": detail, "request_id": request_id })
            }
            Self::AiStory => json!({ "code": status.as_u16(), "message": detail, "data": null }),
        }
    }
}

fn web_code(problem: &Problem, status: StatusCode) -> u16 {
    match problem.status {
        StatusCode::CONFLICT => BUSINESS,
        StatusCode::SERVICE_UNAVAILABLE if is_full(problem.code) => NO_CAPACITY,
        _ => status.as_u16(),
    }
}

fn is_full(code: &str) -> bool {
    code.starts_with("too_many") || code == "low_disk"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_tells_whose_language_it_speaks() {
        for (path, facade) in [
            ("/v1/api/projects/x", Some(Facade::Server)),
            ("/tasks/x/wss", Some(Facade::Server)),
            ("/tasks/x/stream", Some(Facade::Gateway)),
            ("/tasks/x", Some(Facade::Gateway)),
            ("/v1/jobs/x", Some(Facade::Gateway)),
            ("/render", Some(Facade::Gateway)),
            ("/rendering", None),
            ("/api/story/all", Some(Facade::AiStory)),
            ("/api/story/x/shots", Some(Facade::AiStory)),
            ("/api/shot/x/update", Some(Facade::AiStory)),
            ("/api/story/x/shot/y/generate", Some(Facade::Web)),
            ("/api/shots/x/generate_image", Some(Facade::Web)),
            ("/api/webhook/task_complete", Some(Facade::Web)),
            ("/v1/projects", None),
            ("/v1/tasks/x", None),
            ("/health", None),
            ("/", None),
        ] {
            assert_eq!(Facade::at(path), facade, "{path}");
        }
    }

    #[test]
    fn each_has_its_own_words_for_the_same_problem() {
        let problem = Problem::new(StatusCode::CONFLICT, "no_shots", "there are none");
        let told = |facade: Facade| facade.words(&problem, StatusCode::BAD_REQUEST, "r");
        assert_eq!(told(Facade::Server), json!({ "error": "there are none" }));
        assert_eq!(told(Facade::Gateway)["message"], "no_shots");
        assert_eq!(told(Facade::Web)["code"], 900);
        assert_eq!(told(Facade::AiStory)["code"], 400);
        for (code, told) in [("too_many_streams", 901), ("low_disk", 901), ("timeout", 503)] {
            let full = Problem::unavailable(code, "there is no room");
            assert_eq!(Facade::Web.words(&full, full.status, "r")["code"], told, "{code}");
        }
    }
}
