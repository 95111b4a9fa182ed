//! Bodies that are taken into memory: each bounded in size and time, and the large ones in number too.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::CONTENT_LENGTH;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use tokio::sync::Semaphore;

use crate::problem::Problem;

/// Longest time that a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);
/// What has more bytes needs a turn, so that many who send slowly do not fill the memory.
const SMALL: usize = 64 * 1024;
/// Turns.
const LARGE_AT_ONCE: usize = 64;

/// Turns of large bodies. Each request carries them to whoever reads its body.
#[derive(Debug, Clone)]
pub(crate) struct Turns(Arc<Semaphore>);

impl Default for Turns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LARGE_AT_ONCE)))
    }
}

/// A body of at most so many bytes, if it arrives in time.
pub(crate) async fn whole(parts: &Parts, body: Body, limit: usize) -> Result<Bytes, Problem> {
    if declared_length(&parts.headers).is_some_and(|length| length > limit as u64) {
        return Err(too_large(limit));
    }
    let turns = parts.extensions.get::<Turns>().cloned().unwrap_or_default();
    tokio::time::timeout(PATIENCE, read(body, limit, &turns)).await.map_err(|_| too_slow())?
}

/// How large the body is said to be, in bytes.
pub(crate) fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

async fn read(body: Body, limit: usize, turns: &Turns) -> Result<Bytes, Problem> {
    let mut chunks = body.into_data_stream();
    let mut whole = BytesMut::new();
    let mut turn = None;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Problem::bad_request("incomplete_body", "the body ended too early"))?;
        let length = whole.len() + chunk.len();
        if length > limit {
            return Err(too_large(limit));
        }
        if length > SMALL && turn.is_none() {
            let closed = |error| Problem::internal(format!("there are no turns: {error}"));
            turn = Some(turns.0.acquire().await.map_err(closed)?);
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.freeze())
}

fn too_large(limit: usize) -> Problem {
    let detail = format!("the body must have at most {limit} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", detail)
}

/// The body came too slowly: 408.
pub(crate) fn too_slow() -> Problem {
    Problem::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", "the body took too long to arrive")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;
    use std::io::Error;

    fn of(turns: &Turns) -> Parts {
        Request::post("/").extension(turns.clone()).body(()).unwrap().into_parts().0
    }

    /// So many bytes, and then nothing for ever.
    fn stuck_after(bytes: usize) -> Body {
        let begun = futures::stream::iter([Ok::<_, Error>(vec![b'x'; bytes])]);
        Body::from_stream(begun.chain(futures::stream::pending()))
    }

    #[tokio::test(start_paused = true)]
    async fn small_bodies_pass_large_ones_that_are_stuck() {
        let turns = Turns::default();
        let parts = of(&turns);
        let stuck = (0..LARGE_AT_ONCE).map(|_| whole(&parts, stuck_after(SMALL + 1), 10 * SMALL));
        let stuck = futures::future::join_all(stuck);
        let small = async {
            while turns.0.available_permits() > 0 {
                tokio::task::yield_now().await;
            }
            let small = whole(&parts, Body::from(vec![b'x'; SMALL]), SMALL).await.unwrap().len();
            let large = Body::from(vec![b'x'; 2 * SMALL]);
            // It waits until those before it have had their time.
            (small, whole(&parts, large, 2 * SMALL).await.map(|body| body.len()).is_ok())
        };
        let (stuck, passed) = tokio::join!(stuck, small);
        assert!(stuck.iter().all(|body| body.as_ref().unwrap_err().status == StatusCode::REQUEST_TIMEOUT));
        assert_eq!(passed, (SMALL, true));
        assert_eq!(turns.0.available_permits(), LARGE_AT_ONCE);
    }
}
