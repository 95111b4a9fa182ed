//! One line for every refusal, whoever decided it: the guard, or a handler that found an id of somebody else's in
//! a body. No secret and no query is in it.

use std::net::IpAddr;

use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use axum::response::Response;

use crate::App;
use crate::auth::{Client, Identity};
use crate::caller::RequestId;
use crate::problem::Problem;

/// Who asks for what, as the audit tells it.
#[derive(Debug)]
pub(crate) struct Asked {
    method: Method,
    route: Option<MatchedPath>,
    identity: Option<Identity>,
    client: Option<IpAddr>,
    request: Option<RequestId>,
}

impl Asked {
    /// Of a request that the guard has looked at.
    pub(crate) fn of(request: &Request, client: Client) -> Self {
        let extensions = request.extensions();
        Self {
            method: request.method().clone(),
            route: extensions.get().cloned(),
            identity: extensions.get().cloned(),
            client: client.address,
            request: extensions.get().cloned(),
        }
    }

    /// Tells the audit if the answer is a refusal.
    pub(crate) fn came_to(&self, app: &App, response: &Response) {
        let problem = response.extensions().get::<Problem>();
        let Some(problem) = problem.filter(|problem| problem.is_refusal()) else { return };
        app.metrics.denied(problem.code);
        tracing::warn!(
            target: "audit",
            code = problem.code,
            status = problem.status.as_u16(),
            method = %self.method,
            route = self.route.as_ref().map_or("none", MatchedPath::as_str),
            subject = self.identity.as_ref().and_then(Identity::subject).unwrap_or("unknown"),
            client = name_of(self.client),
            request_id = self.request.as_ref().map_or("", |id| id.0.as_str()),
            "denied"
        );
    }
}

/// An address as it is told.
pub(crate) fn name_of(address: Option<IpAddr>) -> String {
    address.map_or_else(|| "unknown".to_owned(), |address| address.to_string())
}
