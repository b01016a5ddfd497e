//! WebSocket handshakes (RFC 6455 section 4.2), and handing the socket on to a gateway.

use std::sync::Arc;

use axum::body::Body;
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use rpc::{Adopt, AdoptedSocket, Protocol};
use runtime::OnEnd;
use sha1::{Digest, Sha1};
use tokio::net::TcpStream;
use tracing::{debug, warn};

use crate::app::App;

/// What a key is hashed with (RFC 6455 section 1.3).
const KEY_SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// Longest ticket that is looked at, bytes.
const TICKET_BYTES_MAX: usize = 256;

/// Answers a handshake; the socket then belongs to the gateway, which redeems the ticket and says by close
/// code what is wrong with it.
pub async fn upgrade(app: Arc<App>, protocol: Protocol, mut request: Request<Body>) -> Response<Body> {
    let accept = match check(&request) {
        Ok(accept) => accept,
        Err(refused) => return *refused,
    };
    let Some(adopt) = app.deps.adopt.clone() else {
        return plain(StatusCode::NOT_FOUND, "no gateway here");
    };
    let Some(ticket) = ticket(request.uri().query()) else {
        return plain(StatusCode::FORBIDDEN, "the query has no ticket");
    };
    let origin = text(request.headers(), header::ORIGIN.as_str());
    let upgraded = hyper::upgrade::on(&mut request);
    app.tasks.spawn("adopt", OnEnd::Ignore, hand_on(upgraded, adopt, protocol, ticket, origin));
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    if let Ok(accept) = HeaderValue::try_from(accept) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    response
}

async fn hand_on(
    upgraded: OnUpgrade,
    adopt: Arc<dyn Adopt>,
    protocol: Protocol,
    ticket: String,
    origin: Option<String>,
) {
    let upgraded: Upgraded = match upgraded.await {
        Ok(upgraded) => upgraded,
        Err(error) => return debug!(%error, "a WebSocket went away in its handshake"),
    };
    let parts = match upgraded.downcast::<TokioIo<TcpStream>>() {
        Ok(parts) => parts,
        Err(_) => return warn!("a WebSocket came over something else than TCP"),
    };
    match parts.io.into_inner().into_std() {
        Ok(stream) => {
            let (stream, early) = (stream.into(), parts.read_buf);
            adopt.adopt(AdoptedSocket { stream, early, protocol, ticket, origin });
        }
        Err(error) => warn!(%error, "a WebSocket could not be handed on"),
    }
}

/// The value of `Sec-WebSocket-Accept`, or the refusal.
fn check(request: &Request<Body>) -> Result<String, Box<Response<Body>>> {
    let headers = request.headers();
    if request.method() != Method::GET || request.version() != Version::HTTP_11 {
        return Err(plain(StatusCode::METHOD_NOT_ALLOWED, "a WebSocket starts with an HTTP/1.1 GET").into());
    }
    if !has_token(headers, header::UPGRADE.as_str(), "websocket")
        || !has_token(headers, header::CONNECTION.as_str(), "upgrade")
    {
        let mut refused = plain(StatusCode::UPGRADE_REQUIRED, "this address speaks WebSocket");
        refused.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        return Err(refused.into());
    }
    if text(headers, header::SEC_WEBSOCKET_VERSION.as_str()).as_deref() != Some("13") {
        let mut refused = plain(StatusCode::UPGRADE_REQUIRED, "only WebSocket version 13");
        refused.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        return Err(refused.into());
    }
    let key = text(headers, header::SEC_WEBSOCKET_KEY.as_str()).unwrap_or_default();
    if STANDARD.decode(&key).map_or(0, |key| key.len()) != 16 {
        return Err(plain(StatusCode::BAD_REQUEST, "Sec-WebSocket-Key must be 16 bytes in base64").into());
    }
    Ok(accept(&key))
}

fn accept(key: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(key.as_bytes());
    hash.update(KEY_SUFFIX);
    STANDARD.encode(hash.finalize())
}

/// The ticket. It is made of characters that a query does not escape.
fn ticket(query: Option<&str>) -> Option<String> {
    let ticket = query?.split('&').find_map(|pair| pair.strip_prefix("ticket="))?;
    (1..=TICKET_BYTES_MAX).contains(&ticket.len()).then(|| ticket.to_owned())
}

fn has_token(headers: &HeaderMap, name: &str, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|value| value.trim().eq_ignore_ascii_case(token))
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(|value| value.trim().to_owned())
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_answered_as_the_rfc_says() {
        assert_eq!(accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
