//! A connection's place among all, kept by its stream, which outlives the connection when it becomes a WebSocket; and
//! its end: who is still sending when it is refused gets to read why.

use std::io::{self, IoSlice};
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep};

use crate::metrics::Counted;
use crate::shares::Share;

/// Longest time to take what is still sent after the last answer: closed before, the system takes the answer back.
const LINGER: Duration = Duration::from_secs(10);
/// Most bytes that are taken then: what a body may have at most, and some.
const LINGER_BYTES: usize = 64 * 1024 * 1024;
/// Whoever sends nothing for so long has ended.
const QUIET: Duration = Duration::from_secs(1);

/// What a connection takes of the room there is, until it is dropped.
pub(crate) type Place = (OwnedSemaphorePermit, Share<IpAddr>, Counted);

/// A stream and its place.
pub(crate) struct Placed<S> {
    stream: S,
    _place: Place,
    lingering: Option<Lingering>,
}

struct Lingering {
    until: Instant,
    bytes: usize,
    quiet: Pin<Box<Sleep>>,
}

impl<S> Placed<S> {
    pub(crate) fn new(stream: S, place: Place) -> Self {
        Self { stream, _place: place, lingering: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Placed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Placed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, lingering, .. } = &mut *self;
        let lingering = match lingering {
            Some(lingering) => lingering,
            None => {
                ready!(Pin::new(&mut *stream).poll_shutdown(context))?;
                let quiet = Box::pin(sleep(QUIET));
                lingering.insert(Lingering { until: Instant::now() + LINGER, bytes: 0, quiet })
            }
        };
        let mut dropped = [0; 8 * 1_024];
        loop {
            let mut read = ReadBuf::new(&mut dropped);
            match Pin::new(&mut *stream).poll_read(context, &mut read) {
                Poll::Ready(Ok(())) if !read.filled().is_empty() && lingering.bytes < LINGER_BYTES => {
                    lingering.bytes += read.filled().len();
                    let quiet_until = (Instant::now() + QUIET).min(lingering.until);
                    lingering.quiet.as_mut().reset(quiet_until);
                }
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => return lingering.quiet.as_mut().poll(context).map(Ok),
            }
        }
    }
}
