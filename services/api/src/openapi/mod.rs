//! The OpenAPI document: what handlers say of themselves, completed by what is true of every route
//! ([`complete`]), and the façades' addresses, in words that generators of clients understand ([`generators`]).

mod complete;
mod generators;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::{InfoBuilder, KnownFormat, ObjectBuilder, Required, SchemaFormat, Type};

use crate::{facades, router};

/// Sent with edits; named here because the document treats it specially.
pub(crate) const IF_MATCH: &str = "If-Match";
/// Sent with POSTs; named here because the document treats it specially.
pub(crate) const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

const ABOUT: &str = "Turns a written story into a narrated film. Every error is a problem (RFC 9457) with a \
    stable `code`. Ids are UUIDs; times are RFC 3339 in UTC with milliseconds. Lists come in pages: `nextCursor` is \
    the `cursor` of the next one. While callers must say who they are, every answer to one who is known has \
    `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset` (in seconds).";

/// The OpenAPI 3.1 document of all routes, as JSON.
pub fn document() -> Bytes {
    let mut document = router::routes().into_openapi();
    document.info = InfoBuilder::new()
        .title("StoryToVideo")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .build();
    // What handlers declare is plain data, which always has a JSON form.
    let declared = serde_json::to_value(document).unwrap_or_default();
    let mut document = complete::complete(declared);
    facades::describe(&mut document);
    generators::refine(&mut document);
    Bytes::from(document.to_string())
}

/// A parameter that an extractor reads, and that may be absent.
pub(crate) fn parameter(name: &str, place: ParameterIn, schema: ObjectBuilder, words: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(Required::False)
        .schema(Some(schema))
        .description(Some(words))
        .build()
}

/// A version of a project.
pub(crate) fn version() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(0))
}

/// A text of a fixed form.
pub(crate) fn text(pattern: &str, example: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern)).examples([example])
}
