//! Listens and serves, within limits: connections, time for a request's head, and time to end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use infra::runtime::CancellationToken;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_io_timeout::TimeoutStream;
use tower::Service;

use crate::metrics::Counted;
use crate::{Api, ApiError, App, router};

/// Connections at once; more wait to be accepted.
const CONNECTIONS: usize = 4_096;
/// Time for the head of a request, from the moment the connection waits for one.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// Time for a client to take anything of what it is sent: a download, or a stream of events.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);
/// Largest head of a request, in bytes.
const HEAD_LIMIT: usize = 64 * 1024;
/// Time for connections and streams to end at a shutdown.
const FAREWELL: Duration = Duration::from_secs(5);
/// The listener is broken when it fails so often in a row.
const ACCEPT_FAILURES: u32 = 50;

/// The sockets to serve, bound before anything else starts.
#[derive(Debug)]
pub struct Listeners {
    /// The product's surface.
    pub api: TcpListener,
    /// `GET /metrics`, for operators only.
    pub metrics: Option<TcpListener>,
}

impl Listeners {
    /// Takes the addresses, or says which one cannot be had.
    pub async fn bind(api: SocketAddr, metrics: Option<SocketAddr>) -> Result<Self, ApiError> {
        let metrics = match metrics {
            Some(address) => Some(bind(address).await?),
            None => None,
        };
        Ok(Self { api: bind(api).await?, metrics })
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, ApiError> {
    TcpListener::bind(address).await.map_err(|source| ApiError::Listen { address, source })
}

/// Serves until the shutdown; then open requests and streams are given a moment to end.
pub async fn run(listeners: Listeners, api: Api, shutdown: CancellationToken) -> Result<(), ApiError> {
    let app = Arc::new(App::new(api, shutdown.clone()));
    let product = accept(listeners.api, router::product(app.clone()), &app, &shutdown);
    let operators = async {
        match listeners.metrics {
            Some(listener) => accept(listener, router::operators(app.clone()), &app, &shutdown).await,
            None => Ok(()),
        }
    };
    let served = tokio::try_join!(product, operators).map(drop);
    app.streams.ended(FAREWELL).await;
    served
}

async fn accept(
    listener: TcpListener,
    router: Router,
    app: &Arc<App>,
    shutdown: &CancellationToken,
) -> Result<(), ApiError> {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    let mut failures = 0;
    while !shutdown.is_cancelled() {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            accepted = next(&listener, &room) => accepted,
        };
        match accepted {
            Ok(Some((stream, permit))) => {
                failures = 0;
                let counted = app.metrics.connection();
                connections.spawn(converse(stream, router.clone(), shutdown.clone(), (permit, counted)));
            }
            Ok(None) => break,
            Err(error) if failures >= ACCEPT_FAILURES => return Err(ApiError::Accept(error)),
            Err(error) => {
                // Often there are too many open files for a moment.
                failures += 1;
                tracing::warn!(%error, "a connection was not accepted");
                let _ = tokio::time::timeout(Duration::from_millis(100), shutdown.cancelled()).await;
            }
        }
    }
    let all_ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(FAREWELL, all_ended).await.is_err() {
        tracing::info!("some connections did not end in time and are cut");
    }
    Ok(())
}

/// The next connection, once there is room for one.
async fn next(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> std::io::Result<Option<(TcpStream, OwnedSemaphorePermit)>> {
    let Ok(permit) = room.clone().acquire_owned().await else { return Ok(None) };
    let (stream, _) = listener.accept().await?;
    Ok(Some((stream, permit)))
}

/// One connection from its first request to its end.
async fn converse(
    stream: TcpStream,
    router: Router,
    shutdown: CancellationToken,
    _held: (OwnedSemaphorePermit, Counted),
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "answers may be delayed by Nagle's algorithm");
    }
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_PATIENCE));
    let service =
        service_fn(move |request: hyper::Request<Incoming>| router.clone().call(request.map(Body::new)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .max_buf_size(HEAD_LIMIT)
        .serve_connection(TokioIo::new(Box::pin(stream)), service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}
