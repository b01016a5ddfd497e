//! Handing an upgraded WebSocket from the HTTP listener to a gateway in the same process.

use std::net::TcpStream;

use bytes::Bytes;

/// What is spoken on a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Our own realtime protocol, `docs/api/realtime.md`.
    Own,
    /// Slack's RTM.
    Rtm,
}

/// A TCP connection on which `101 Switching Protocols` was answered.
#[derive(Debug)]
pub struct AdoptedSocket {
    /// The connection, in non-blocking mode.
    pub stream: TcpStream,
    /// What the peer sent after its handshake and the HTTP layer had read already.
    pub early: Bytes,
    /// Path that was asked for decides the protocol; the ticket must be for the same.
    pub protocol: Protocol,
    /// The ticket from the query.
    pub ticket: String,
    /// The `Origin` header, if there was one.
    pub origin: Option<String>,
}

/// Takes over sockets. Implemented by `gateway`, called by the HTTP listener. Not a contract between
/// processes: a gateway alone in its process has a listener of its own.
pub trait Adopt: Send + Sync {
    /// Takes the socket. A gateway that is full or draining closes it with the fitting close code.
    fn adopt(&self, socket: AdoptedSocket);
}
