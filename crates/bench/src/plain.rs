//! Servers that only fan out: they write what one socket says to all others, without an API or a store. The limit is one of
//! ours that knows no sessions either and writes bytes that it made beforehand; the gateway is the real one with faked ports;
//! peers are what others use.
//!
//! Each is a process of its own on the core that the measured server has in its turn.

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    fleet::{Fleet, upgraded},
    frames, measure,
    peers::Peer,
    sends::Sends,
    server::{first_line, pinned},
};

/// How long a handshake above the WebSocket's may take for all sockets together.
const GREETED_WITHIN: Duration = Duration::from_secs(60);

/// Which server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `crate::limit`
    Limit,
    /// The real gateway, by this program, which is an example of its crate. Its sockets speak RTM.
    Gateway(PathBuf),
    /// Somebody else's.
    Peer(Peer),
}

impl Kind {
    /// What figures call it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::Gateway(_) => "gateway alone",
            Self::Peer(peer) => peer.name(),
        }
    }

    /// The path of a session's socket.
    fn path(&self) -> &'static str {
        match self {
            Self::Peer(Peer::SocketIo) => "socket.io/?EIO=4&transport=websocket",
            Self::Limit | Self::Gateway(_) | Self::Peer(Peer::Uws) => "",
        }
    }

    /// What the text of each message begins with. Other texts are the server's own.
    fn prefix(&self) -> &'static [u8] {
        match self {
            // Engine.IO's type "message", Socket.IO's type "event".
            Self::Peer(Peer::SocketIo) => b"42",
            Self::Limit | Self::Gateway(_) | Self::Peer(Peer::Uws) => b"x",
        }
    }

    /// Texts of its own that each session gets before it gets messages.
    fn greetings(&self) -> u64 {
        match self {
            Self::Limit | Self::Peer(Peer::Uws) => 0,
            // RTM's "hello".
            Self::Gateway(_) => 1,
            // Engine.IO's "open" and Socket.IO's "connect".
            Self::Peer(Peer::SocketIo) => 2,
        }
    }

    /// What the publisher writes for one message that comes to a session as a text of so many bytes.
    fn message(&self, bytes: usize) -> Vec<u8> {
        match self {
            // The limit's frame is made: a byte asks for one.
            Self::Limit => b"x".to_vec(),
            Self::Gateway(_) | Self::Peer(Peer::Uws) => frames::masked(1, &vec![b'x'; bytes]),
            Self::Peer(Peer::SocketIo) => {
                let around = r#"42["m",""]"#.len();
                let text = format!(r#"42["m","{}"]"#, "x".repeat(bytes.saturating_sub(around)));
                frames::masked(1, text.as_bytes())
            }
        }
    }
}

/// The process.
pub(crate) struct Plain {
    kind: Kind,
    bytes: usize,
    process: Child,
    /// `127.0.0.1:PORT`
    address: String,
}

impl Plain {
    /// Starts it: every message comes as a text of so many bytes.
    ///
    /// # Errors
    /// When it cannot be started; with what it said, if it said anything.
    pub(crate) fn start(kind: &Kind, bytes: usize, core: Option<usize>) -> Result<Self> {
        let mut command = match kind {
            Kind::Limit => {
                let mut command = Command::new(std::env::current_exe()?);
                command.args(["bench", "limit-server", &bytes.to_string()]);
                command
            }
            Kind::Gateway(program) => {
                let mut command = Command::new(program);
                command.args(["127.0.0.1:0", "rtm", "1"]);
                command
            }
            Kind::Peer(peer) => peer.command()?,
        };
        let mut process =
            pinned(&mut command, core).with_context(|| format!("{}: {command:?}", kind.name()))?;
        let address = first_line(&mut process)?;
        if !address.starts_with("127.0.0.1:") {
            let said = if address.is_empty() { "it said nothing" } else { &address };
            bail!("{} did not start: {said}", kind.name());
        }
        Ok(Self { kind: kind.clone(), bytes, process, address })
    }

    /// What it used so far.
    ///
    /// # Errors
    /// When it is gone.
    pub(crate) fn usage(&self) -> Result<measure::Usage> {
        measure::usage(self.process.id())
    }

    /// Opens so many sessions, which get every message from then on.
    ///
    /// # Errors
    /// When one is refused.
    pub(crate) fn connect(&self, people: usize) -> Result<Fleet> {
        let mut fleet = Fleet::anonymous(self.kind.prefix())?;
        let url = format!("ws://{}/{}", self.address, self.kind.path());
        for number in 0..people {
            fleet.open(&url, None)?;
            if self.kind == Kind::Peer(Peer::SocketIo) {
                // Socket.IO's "connect" to the namespace that everybody is in.
                fleet.say_text(number, "40")?;
            }
        }
        fleet.take_early(&Sends::default())?;
        let due = self.kind.greetings() * u64::try_from(people)?;
        let until = Instant::now() + GREETED_WITHIN;
        while fleet.seen.signals < due {
            ensure!(Instant::now() < until, "{} of {due} greetings came", fleet.seen.signals);
            fleet.turn(Duration::from_millis(50), &Sends::default())?;
        }
        Ok(fleet)
    }

    /// The socket that messages come from. Sessions are opened before it.
    ///
    /// # Errors
    /// When it is refused.
    pub(crate) fn publisher(&self) -> Result<Publisher> {
        let stream = match self.kind {
            Kind::Limit => {
                let mut stream = TcpStream::connect(&self.address)?;
                stream.set_nodelay(true)?;
                stream.write_all(b"GET /pub HTTP/1.1\r\n\r\n")?;
                // What came with the request would be a part of it, and ask for nothing.
                heard(&mut stream, b"\r\n\r\n")?;
                stream
            }
            Kind::Gateway(_) | Kind::Peer(Peer::Uws) => upgraded(&format!("ws://{}/pub", self.address))?.0,
            Kind::Peer(Peer::SocketIo) => {
                let (mut stream, _) = upgraded(&format!("ws://{}/{}", self.address, self.kind.path()))?;
                stream.write_all(&frames::masked(1, b"40"))?;
                heard(&mut stream, b"40{")?;
                stream
            }
        };
        Ok(Publisher { stream, message: self.kind.message(self.bytes) })
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        // It has nothing to lose.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The socket that messages come from.
pub(crate) struct Publisher {
    stream: TcpStream,
    message: Vec<u8>,
}

impl Publisher {
    /// Has one message written to every session.
    ///
    /// # Errors
    /// When the server is gone.
    pub(crate) fn publish(&mut self) -> Result<()> {
        self.stream.write_all(&self.message).map_err(Into::into)
    }
}

/// Reads until something came.
fn heard(stream: &mut TcpStream, what: &[u8]) -> Result<()> {
    let mut all = Vec::new();
    while memchr::memmem::find(&all, what).is_none() {
        let mut chunk = [0; 1_024];
        let count = stream.read(&mut chunk)?;
        ensure!(count > 0, "the server went away in the handshake");
        all.extend(chunk.get(..count).unwrap_or_default());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_peer_is_given_texts_of_the_length_that_is_measured() {
        let gateway = Kind::Gateway(PathBuf::new());
        for kind in [gateway, Kind::Peer(Peer::Uws), Kind::Peer(Peer::SocketIo)] {
            let message = kind.message(300);
            // Two bytes and two of length, four of the mask, which is zero.
            assert_eq!(message.len(), 308, "{kind:?}");
            assert!(message[8..].starts_with(kind.prefix()), "{kind:?}");
        }
    }
}
