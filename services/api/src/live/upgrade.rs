//! WebSockets to those who only listen. What they say has little room, and what they are told goes in pieces: a socket
//! keeps the largest buffer that it ever filled, and there are thousands.

use axum::extract::FromRequestParts;
use axum::http::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::{Sink, SinkExt};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use crate::problem::Problem;

/// Most bytes that a client may say at once.
const INCOMING_LIMIT: usize = 4_096;
/// Bytes that they are read into at a time.
const READ_BUFFER: usize = 512;
/// Most bytes of a piece, which is a frame (RFC 6455, 5.4).
const PIECE: usize = 8 * 1_024;

/// An open WebSocket.
pub(crate) type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// A request to open one (RFC 6455, 4.2.1).
pub(crate) struct Upgrade {
    accept: HeaderValue,
    upgrade: OnUpgrade,
}

impl<S: Sync> FromRequestParts<S> for Upgrade {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let upgrade = parts.extensions.remove::<OnUpgrade>();
        let accept = key(&parts.method, &parts.headers).map(derive_accept_key);
        let accept = accept.and_then(|accept| HeaderValue::try_from(accept).ok());
        match (accept, upgrade) {
            (Some(accept), Some(upgrade)) => Ok(Self { accept, upgrade }),
            _ => Err(upgrade_required()),
        }
    }
}

impl Upgrade {
    /// What is answered, and the socket once the client has that.
    pub(super) fn accept(self) -> (Response, impl Future<Output = Option<Socket>> + Send) {
        let headers = [
            (CONNECTION, HeaderValue::from_static("upgrade")),
            (UPGRADE, HeaderValue::from_static("websocket")),
            (SEC_WEBSOCKET_ACCEPT, self.accept),
        ];
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            .max_message_size(Some(INCOMING_LIMIT))
            .max_frame_size(Some(INCOMING_LIMIT));
        let opening = async move {
            // It fails when the client has gone.
            let stream = TokioIo::new(self.upgrade.await.ok()?);
            Some(WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await)
        };
        ((StatusCode::SWITCHING_PROTOCOLS, headers).into_response(), opening)
    }
}

/// Says a text, and waits until the system has taken it.
pub(crate) async fn say(
    socket: &mut (impl Sink<Message, Error = Error> + Unpin),
    text: Utf8Bytes,
) -> Result<(), Error> {
    let mut rest = Bytes::from(text);
    let mut kind = Data::Text;
    loop {
        let piece = rest.split_to(rest.len().min(PIECE));
        let is_last = rest.is_empty();
        socket.send(Message::Frame(Frame::message(piece, OpCode::Data(kind), is_last))).await?;
        if is_last {
            return Ok(());
        }
        kind = Data::Continue;
    }
}

fn key<'a>(method: &Method, headers: &'a HeaderMap) -> Option<&'a [u8]> {
    let says = |name: HeaderName, word: &str| {
        let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|said| said.trim().eq_ignore_ascii_case(word))
    };
    let opens = method == Method::GET && says(CONNECTION, "upgrade") && says(UPGRADE, "websocket");
    let key = headers.get(SEC_WEBSOCKET_KEY)?;
    (opens && says(SEC_WEBSOCKET_VERSION, "13")).then(|| key.as_bytes())
}

fn upgrade_required() -> Problem {
    Problem::new(StatusCode::UPGRADE_REQUIRED, "upgrade_required", "this address speaks WebSocket only")
        .with_header(UPGRADE, HeaderValue::from_static("websocket"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_long_text_goes_in_pieces_and_arrives_as_one() {
        let (client, server) = tokio::io::duplex(1_024);
        let mut server = WebSocketStream::from_raw_socket(server, Role::Server, None).await;
        let mut client = WebSocketStream::from_raw_socket(client, Role::Client, None).await;
        // Three bytes a character: no piece ends with one.
        for text in ["", "short", &"語".repeat(PIECE)] {
            let saying = say(&mut server, text.into());
            let (said, heard) = tokio::join!(saying, futures::StreamExt::next(&mut client));
            said.unwrap();
            assert_eq!(heard.unwrap().unwrap(), Message::text(text));
        }
    }

    #[test]
    fn only_a_request_that_asks_for_a_websocket_opens_one() {
        let headers = |connection: &'static str, version: &'static str| {
            HeaderMap::from_iter([
                (CONNECTION, HeaderValue::from_static(connection)),
                (UPGRADE, HeaderValue::from_static("WebSocket")),
                (SEC_WEBSOCKET_VERSION, HeaderValue::from_static(version)),
                (SEC_WEBSOCKET_KEY, HeaderValue::from_static("key")),
            ])
        };
        assert_eq!(key(&Method::GET, &headers("keep-alive, Upgrade", "13")), Some(b"key".as_slice()));
        assert_eq!(key(&Method::POST, &headers("Upgrade", "13")), None);
        assert_eq!(key(&Method::GET, &headers("keep-alive", "13")), None);
        assert_eq!(key(&Method::GET, &headers("Upgrade", "8")), None);
        assert_eq!(key(&Method::GET, &HeaderMap::new()), None);
    }
}
