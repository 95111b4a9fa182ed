//! Listens and serves, within limits: connections, time for a request's head, and time to end.

use std::io;
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
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_io_timeout::TimeoutStream;
use tower::Service;

use crate::auth::Connection;
use crate::place::{Place, Placed};
use crate::tls::Tls;
use crate::{Api, ApiError, App, router};

/// Connections at once, if this process may have as many files open; more wait to be accepted.
const CONNECTIONS: usize = 16_384;
/// Files that are open beside connections: the database's, the bus's, and media that are read.
const OTHER_FILES: u64 = 256;
/// Connections that the system takes before we have accepted them, if it does not allow fewer. When these are too
/// many it takes none, and a client tries again after a whole second.
const BACKLOG: u32 = 4_096;
/// Time for the head of a request, from the moment the connection waits for one.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// Time for a client to take anything of what it is sent: a download, or a stream of events.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of a connection that are kept until they are understood, and headers that are read: a target and headers as
/// large as may be, and somewhat more, which [`crate::edge`] refuses with words; beyond that there are none.
const BUFFER: usize = 160 * 1024;
const HEADERS: usize = 256;
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
    tls: Option<Tls>,
    /// Plain HTTP, answered with the HTTPS address.
    redirect: Option<TcpListener>,
}

impl Listeners {
    /// Takes the addresses, or says which one cannot be had.
    pub async fn bind(api: SocketAddr, metrics: Option<SocketAddr>) -> Result<Self, ApiError> {
        let metrics = match metrics {
            Some(address) => Some(bind(address)?),
            None => None,
        };
        Ok(Self { api: bind(api)?, metrics, tls: None, redirect: None })
    }

    /// Where plain HTTP is led to HTTPS.
    pub fn redirect_address(&self) -> Option<SocketAddr> {
        self.redirect.as_ref()?.local_addr().ok()
    }

    /// The product's surface speaks TLS; plain HTTP on `redirect` leads there.
    pub async fn encrypted(mut self, tls: Tls, redirect: Option<SocketAddr>) -> Result<Self, ApiError> {
        if let Some(address) = redirect {
            self.redirect = Some(bind(address)?);
        }
        self.tls = Some(tls);
        Ok(self)
    }
}

fn bind(address: SocketAddr) -> Result<TcpListener, ApiError> {
    let listen = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // A server that is started again has its address at once.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    listen().map_err(|source| ApiError::Listen { address, source })
}

/// Serves until the shutdown; then open requests and streams are given a moment to end.
pub async fn run(listeners: Listeners, api: Api, shutdown: CancellationToken) -> Result<(), ApiError> {
    let app = Arc::new(App::new(api, shutdown.clone()));
    app.streams.listen();
    let port = listeners.api.local_addr().map_err(ApiError::Accept)?.port();
    let product = accept(listeners.api, listeners.tls, router::product(app.clone()), &app, &shutdown);
    let operators = optional(listeners.metrics, router::operators(app.clone()), &app, &shutdown);
    let redirect = optional(listeners.redirect, router::redirect(app.clone(), port), &app, &shutdown);
    let served = tokio::try_join!(product, operators, redirect).map(drop);
    app.streams.ended(FAREWELL).await;
    served
}

async fn optional(
    listener: Option<TcpListener>,
    router: Router,
    app: &Arc<App>,
    shutdown: &CancellationToken,
) -> Result<(), ApiError> {
    match listener {
        Some(listener) => accept(listener, None, router, app, shutdown).await,
        None => Ok(()),
    }
}

async fn accept(
    listener: TcpListener,
    tls: Option<Tls>,
    router: Router,
    app: &Arc<App>,
    shutdown: &CancellationToken,
) -> Result<(), ApiError> {
    let room = Arc::new(Semaphore::new(room()));
    let mut connections = JoinSet::new();
    let mut failures = 0;
    while !shutdown.is_cancelled() {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            accepted = next(&listener, &room) => accepted,
        };
        match accepted {
            Ok(Some((stream, peer, permit))) => {
                failures = 0;
                let Some(share) = app.connection_of(peer.ip()) else {
                    app.metrics.denied("too_many_connections");
                    continue;
                };
                let place = (permit, share, app.metrics.connection());
                connections.spawn(welcome(
                    stream,
                    peer,
                    tls.clone(),
                    router.clone(),
                    shutdown.clone(),
                    place,
                ));
            }
            Ok(None) => break,
            Err(error) if failures >= ACCEPT_FAILURES => return Err(ApiError::Accept(error)),
            Err(error) => {
                // Of what is short now there is enough when connections have ended.
                failures += u32::from(!is_shortage(&error));
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

/// Connections that there is room for.
pub(crate) fn room() -> usize {
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(files.saturating_sub(OTHER_FILES)).unwrap_or(CONNECTIONS).clamp(1, CONNECTIONS)
}

/// Whether the machine has no file or no memory for another connection.
fn is_shortage(error: &io::Error) -> bool {
    let shortages = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    Errno::from_io_error(error).is_some_and(|error| shortages.contains(&error))
}

/// The next connection, once there is room for one.
async fn next(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> io::Result<Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)>> {
    let Ok(permit) = room.clone().acquire_owned().await else { return Ok(None) };
    let (stream, peer) = listener.accept().await?;
    Ok(Some((stream, peer, permit)))
}

/// One connection, encrypted if it is to be.
async fn welcome(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<Tls>,
    router: Router,
    shutdown: CancellationToken,
    place: Place,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "answers may be delayed by Nagle's algorithm");
    }
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_PATIENCE));
    let stream = Placed::new(Box::pin(stream), place);
    let Some(tls) = tls else {
        return Box::pin(converse(stream, Connection { peer, secure: false }, router, shutdown)).await;
    };
    match tokio::time::timeout(HEAD_PATIENCE, tls.accept(stream)).await {
        Ok(Ok(stream)) => {
            Box::pin(converse(stream, Connection { peer, secure: true }, router, shutdown)).await;
        }
        Ok(Err(error)) => tracing::debug!(%error, "a connection could not be encrypted"),
        Err(_) => tracing::debug!("a connection was not encrypted in time"),
    }
}

/// A connection from its first request to its end.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    connection: Connection,
    router: Router,
    shutdown: CancellationToken,
) {
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(connection);
        router.clone().call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .max_buf_size(BUFFER)
        .max_headers(HEADERS)
        .serve_connection(TokioIo::new(stream), service)
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
