//! What a request says about itself besides its body: who, as part of what, and on what condition.

use axum::extract::FromRequestParts;
use axum::http::header::{ETAG, HeaderName, HeaderValue, IF_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use chrono::{DateTime, Utc};
use domain::ids::CommandId;
use domain::metadata::Context;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};
use uuid::Uuid;

use crate::auth::Identity;
use crate::openapi;
use crate::problem::Problem;

/// Namespace of the command ids that follow from idempotency keys.
const KEYS: Uuid = Uuid::from_u128(0x6f0c_5b1e_93a4_4d0b_8d6f_2c1f_5e0a_7b34);
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The request's id, on every answer and in every event that it causes.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub(crate) String);

impl RequestId {
    /// The caller's own when it is sane, else a new one.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let given = headers.get("x-request-id").and_then(|value| value.to_str().ok());
        let sane = |id: &&str| {
            (1..=128).contains(&id.len())
                && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        };
        Self(given.filter(sane).map_or_else(|| Uuid::new_v4().to_string(), str::to_owned))
    }
}

/// Who asks for a change.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// Who it is.
    pub(crate) identity: Identity,
    request: RequestId,
    /// The version that the caller saw, when it said so.
    pub(crate) if_version: Option<u64>,
    traceparent: Option<String>,
    /// The command that the idempotency key stands for.
    pub(crate) keyed: Option<CommandId>,
}

impl IntoParams for Caller {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let header = |name, schema, words| openapi::parameter(name, ParameterIn::Header, schema, words);
        vec![
            header(
                openapi::IF_MATCH,
                openapi::text("^(\\*|\"[0-9]{1,18}\")$", "\"12\""),
                "The version that was seen: the request is refused if what it edits changed after that",
            ),
            header(
                openapi::IDEMPOTENCY_KEY,
                openapi::text("^[!-~]{1,255}$", "0d6c9a52"),
                "The same key with the same body has one effect and one answer, for 24 h",
            ),
        ]
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let request = parts.extensions.get::<RequestId>().cloned();
        let identity = Identity::of(parts)?;
        let keyed = if parts.method == Method::POST { keyed_command(parts, &identity)? } else { None };
        Ok(Self {
            identity,
            request: request.unwrap_or_else(|| RequestId::of(&parts.headers)),
            if_version: parts.headers.get(IF_MATCH).map_or(Ok(None), if_match)?,
            traceparent: parts.headers.get(TRACEPARENT).and_then(traceparent),
            keyed,
        })
    }
}

impl Caller {
    /// The same caller for a request that is several commands: neither a key nor a version can stand for them all.
    pub(crate) fn for_several_commands(self) -> Self {
        Self { keyed: None, if_version: None, ..self }
    }

    /// The context of the command that this request is. `body` is the digest of its body: the same key
    /// with another body is another request.
    pub(crate) fn context(&self, at: DateTime<Utc>, body: [u8; 32]) -> Context {
        let cause = self.keyed.map(|command| Uuid::new_v5(&command.0, &body).to_string());
        Context {
            command: self.keyed.unwrap_or_else(|| CommandId(Uuid::new_v4())),
            at,
            actor: self.identity.actor(),
            owner: self.identity.owner(),
            correlation: self.request.0.clone(),
            causation: cause,
            traceparent: self.traceparent.clone(),
        }
    }
}

/// The same key of the same caller on the same route is the same command.
fn keyed_command(parts: &Parts, identity: &Identity) -> Result<Option<CommandId>, Problem> {
    let Some(key) = parts.headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let key = key.to_str().ok().filter(|key| is_key(key));
    let Some(key) = key else {
        let detail = "Idempotency-Key must have 1 to 255 visible ASCII characters";
        return Err(Problem::bad_request("invalid_idempotency_key", detail));
    };
    let name = format!("{}\n{} {}\n{key}", identity.actor(), parts.method, parts.uri.path());
    Ok(Some(CommandId(Uuid::new_v5(&KEYS, name.as_bytes()))))
}

fn is_key(key: &str) -> bool {
    (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
}

fn if_match(value: &HeaderValue) -> Result<Option<u64>, Problem> {
    let invalid =
        || Problem::bad_request("invalid_if_match", "If-Match must be one version in quotes, like \"12\"");
    let text = value.to_str().map_err(|_| invalid())?.trim();
    if text == "*" {
        return Ok(None);
    }
    let digits = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).ok_or_else(invalid)?;
    digits.parse().map(Some).map_err(|_| invalid())
}

/// A version as `ETag`.
pub(crate) fn etag(version: u64) -> (HeaderName, String) {
    (ETAG, format!("\"{version}\""))
}

/// A sane W3C trace context is passed on, another one dropped.
fn traceparent(value: &HeaderValue) -> Option<String> {
    let text = value.to_str().ok()?;
    let parts: Vec<&str> = text.split('-').collect();
    let [version, trace, span, flags] = parts.as_slice() else { return None };
    let hexadecimal = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let some = |part: &str| part.bytes().any(|b| b != b'0');
    let sane = *version == "00"
        && hexadecimal(trace, 32)
        && hexadecimal(span, 16)
        && hexadecimal(flags, 2)
        && some(trace)
        && some(span);
    sane.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    async fn caller(method: Method, path: &str, headers: &[(&str, &str)]) -> Result<Caller, Problem> {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        parts.extensions.insert(Identity::anybody());
        Caller::from_request_parts(&mut parts, &()).await
    }

    #[tokio::test]
    async fn the_same_key_on_the_same_route_is_the_same_command() {
        let command = async |path: &str, key: &str| {
            let caller = caller(Method::POST, path, &[("idempotency-key", key)]).await.unwrap();
            caller.context(DateTime::default(), [0; 32])
        };
        let first = command("/v1/projects", "k").await;
        assert_eq!(
            first,
            Context { correlation: first.correlation.clone(), ..command("/v1/projects", "k").await }
        );
        assert_ne!(first.command, command("/v1/projects/x/film", "k").await.command);
        assert_ne!(first.command, command("/v1/projects", "l").await.command);
    }

    #[tokio::test]
    async fn the_same_key_with_another_body_has_another_cause() {
        let caller = caller(Method::POST, "/v1/projects", &[("idempotency-key", "k")]).await.unwrap();
        let cause = |body| caller.context(DateTime::default(), body).causation;
        assert_eq!(cause([1; 32]), cause([1; 32]));
        assert_ne!(cause([1; 32]), cause([2; 32]));
    }

    #[tokio::test]
    async fn without_a_key_every_request_is_its_own_command() {
        let caller = caller(Method::PATCH, "/v1/projects/x", &[("idempotency-key", "k")]).await.unwrap();
        let command = || caller.context(DateTime::default(), [0; 32]).command;
        assert_ne!(command(), command());
    }

    #[tokio::test]
    async fn a_version_is_read_from_if_match() {
        let seen = async |value: &str| {
            caller(Method::PATCH, "/", &[("if-match", value)]).await.map(|c| c.if_version)
        };
        assert_eq!(seen("\"12\"").await.unwrap(), Some(12));
        assert_eq!(seen("*").await.unwrap(), None);
        for value in ["12", "W/\"12\"", "\"x\"", "\"1\", \"2\"", "\"-1\"", ""] {
            assert_eq!(seen(value).await.unwrap_err().code, "invalid_if_match", "{value}");
        }
    }

    #[test]
    fn a_sane_request_id_is_kept_and_another_replaced() {
        let id = |value: &str| {
            let headers = HeaderMap::from_iter([("x-request-id".parse().unwrap(), value.parse().unwrap())]);
            RequestId::of(&headers).0
        };
        assert_eq!(id("req-1.A_b"), "req-1.A_b");
        let long = "x".repeat(129);
        for value in ["", "a b", "<script>", "é", long.as_str()] {
            assert_eq!(id(value).len(), 36, "{value}");
        }
    }

    #[test]
    fn only_a_sane_traceparent_is_passed_on() {
        let sane = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(traceparent(&sane.parse().unwrap()).as_deref(), Some(sane));
        for text in [
            "",
            "00-0-0-0",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(traceparent(&text.parse().unwrap()), None, "{text}");
        }
    }
}
