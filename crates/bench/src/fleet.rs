//! Many WebSocket clients in one thread: connect, read, check what came.

mod check;

use std::{
    collections::HashMap,
    io::{ErrorKind, Read, Write},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use hdrhistogram::Histogram;
use mio::{Events, Interest, Poll, Token, net::TcpStream};

use crate::{
    frames::{self, Frame},
    sends::Sends,
};

/// Bytes that one read takes.
const READ: usize = 256 << 10;
/// How long a connection may take until it is open.
const OPEN_WITHIN: Duration = Duration::from_secs(30);
/// The server takes no session now: wait and try again.
const OVERLOADED: u16 = 4002;
/// Tokens from here on are not sessions.
pub(crate) const FIRST_OTHER: usize = 1 << 24;

/// One client.
struct Session {
    stream: TcpStream,
    /// What came of a frame that is not whole yet.
    pending: Vec<u8>,
    /// The seq of the channel up to which everything came.
    seq: u64,
    /// The same for every topic that it follows, where all of them are checked; `None`: not live yet.
    topics: HashMap<String, Option<u64>>,
    live: bool,
    /// It is not read when something comes, only when somebody says so.
    slow: bool,
    /// The server refused it, and it was not opened again.
    gone: bool,
}

/// What the sessions saw, all together.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Copies of the messages that were sent here, each counted once for each session that it reached.
    pub(crate) delivered: u64,
    /// Those of them that reached a session while it read slowly.
    pub(crate) delivered_slowly: u64,
    /// All frames with text.
    pub(crate) frames: u64,
    /// Their bytes, headers included.
    pub(crate) bytes: u64,
    /// Events whose seq was not larger than what the session had.
    pub(crate) repeated: u64,
    /// Seqs that were jumped over.
    pub(crate) missed: u64,
    /// Times a session was told that it reads too slowly, and pulled.
    pub(crate) pulled: u64,
    /// Frames without a position: typing, presence; of a server of a baseline, those that are no message.
    pub(crate) signals: u64,
}

impl Seen {
    /// Looks that so many copies came, each once and in order.
    ///
    /// # Errors
    /// What came instead.
    pub(crate) fn exactly(&self, due: u64) -> Result<()> {
        ensure!(
            self.delivered == due && self.missed == 0 && self.repeated == 0,
            "{due} copies were due: {self:?}"
        );
        Ok(())
    }
}

/// The clients.
pub(crate) struct Fleet {
    poll: Poll,
    events: Events,
    sessions: Vec<Session>,
    /// Sessions that are gone.
    refused: Vec<usize>,
    buffer: Vec<u8>,
    channel: String,
    /// Frames have no numbers: of those that begin so, the one that comes n-th to a session is the n-th that was sent.
    anonymous: Option<&'static [u8]>,
    /// What came.
    pub(crate) seen: Seen,
    /// From the intended time of a send to its arrival at one session that reads what comes, microseconds.
    pub(crate) latency: Histogram<u64>,
}

impl Fleet {
    /// Nobody yet. `channel` is the one whose events are checked and counted.
    pub(crate) fn new(channel: &str) -> Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(1_024),
            sessions: Vec::new(),
            refused: Vec::new(),
            buffer: vec![0; READ],
            channel: channel.to_owned(),
            anonymous: None,
            seen: Seen::default(),
            latency: Histogram::new(3)?,
        })
    }

    /// Nobody yet, for a server whose messages are all the same, and begin with `prefix`.
    pub(crate) fn anonymous(prefix: &'static [u8]) -> Result<Self> {
        Ok(Self { anonymous: Some(prefix), ..Self::new("")? })
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.sessions.len()
    }

    /// How many follow the channel from their position on.
    pub(crate) fn live(&self) -> usize {
        self.sessions.iter().filter(|session| session.live).count()
    }

    /// Where other sockets of the same loop are registered; their tokens begin at [`FIRST_OTHER`].
    pub(crate) fn registry(&self) -> &mio::Registry {
        self.poll.registry()
    }

    /// Opens a socket at `url` (`ws://host:port/path?query`) and resumes from `seq` of the channel.
    ///
    /// # Errors
    /// When it is refused.
    pub(crate) fn open(&mut self, url: &str, resume: Option<(u64, u64)>) -> Result<()> {
        let (mut stream, pending) = upgraded(url)?;
        let mut seq = 0;
        if let Some((generation, from)) = resume {
            let positions = serde_json::json!({ &self.channel: [generation, from] });
            stream.write_all(&resume_frame(&positions))?;
            seq = from;
        }
        self.add(stream, pending, seq, HashMap::new(), resume.is_none())
    }

    /// Opens a socket and resumes from these positions, of which every topic is checked from then on.
    ///
    /// # Errors
    /// When it is refused.
    pub(crate) fn open_all(&mut self, url: &str, positions: &serde_json::Value) -> Result<()> {
        let (mut stream, pending) = upgraded(url)?;
        stream.write_all(&resume_frame(positions))?;
        let named = positions.as_object().context("positions")?.keys();
        let topics = named.map(|topic| (topic.clone(), None)).collect();
        self.add(stream, pending, 0, topics, false)
    }

    fn add(
        &mut self,
        stream: std::net::TcpStream,
        pending: Vec<u8>,
        seq: u64,
        topics: HashMap<String, Option<u64>>,
        live: bool,
    ) -> Result<()> {
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        let number = self.sessions.len();
        self.poll.registry().register(&mut stream, Token(number), Interest::READABLE)?;
        self.sessions.push(Session { stream, pending, seq, topics, live, slow: false, gone: false });
        Ok(())
    }

    /// Sessions that the server refused before they were live, as it was asked for too many at once: each is told once, and is
    /// to be opened again by [`Fleet::reopen`].
    pub(crate) fn take_refused(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.refused)
    }

    /// Opens a refused session again, from the same positions.
    ///
    /// # Errors
    /// When it is refused in another way.
    pub(crate) fn reopen(&mut self, number: usize, url: &str, positions: &serde_json::Value) -> Result<()> {
        let (mut stream, pending) = upgraded(url)?;
        stream.write_all(&resume_frame(positions))?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        self.poll.registry().register(&mut stream, Token(number), Interest::READABLE)?;
        let session = self.sessions.get_mut(number).context("no such session")?;
        (session.stream, session.pending, session.gone) = (stream, pending, false);
        Ok(())
    }

    /// Sends a frame of JSON from one of the sessions.
    ///
    /// # Errors
    /// When it is gone.
    pub(crate) fn say(&mut self, number: usize, frame: &serde_json::Value) -> Result<()> {
        self.say_text(number, &frame.to_string())
    }

    /// Sends any text from one of the sessions.
    ///
    /// # Errors
    /// When it is gone.
    pub(crate) fn say_text(&mut self, number: usize, text: &str) -> Result<()> {
        self.write(number, &frames::masked(1, text.as_bytes()))
    }

    /// From here on a session is read by [`Fleet::sip`] only.
    ///
    /// # Errors
    /// When there is none of that number.
    pub(crate) fn slow_down(&mut self, number: usize) -> Result<()> {
        let session = self.sessions.get_mut(number).context("no such session")?;
        session.slow = true;
        self.poll.registry().deregister(&mut session.stream).map_err(Into::into)
    }

    /// From here on a session reads what comes again.
    ///
    /// # Errors
    /// When there is none of that number.
    pub(crate) fn wake(&mut self, number: usize) -> Result<()> {
        let session = self.sessions.get_mut(number).context("no such session")?;
        session.slow = false;
        // What came meanwhile makes it ready at once.
        self.poll
            .registry()
            .register(&mut session.stream, Token(number), Interest::READABLE)
            .map_err(Into::into)
    }

    /// Reads at most so many bytes (and at most 256 KiB) of a slow session.
    ///
    /// # Errors
    /// As [`Fleet::turn`].
    pub(crate) fn sip(&mut self, number: usize, bytes_max: usize, sends: &Sends) -> Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let part = buffer.get_mut(..bytes_max.min(READ)).unwrap_or_default();
        let result = self.read_once(number, part, Instant::now(), sends);
        self.buffer = buffer;
        result.with_context(|| format!("session {number}")).map(|_| ())
    }
}

/// A socket at `url` after its handshake, and what came behind that.
///
/// # Errors
/// When it is refused.
pub(crate) fn upgraded(url: &str) -> Result<(std::net::TcpStream, Vec<u8>)> {
    let rest = url.strip_prefix("ws://").with_context(|| format!("no ws:// address: {url}"))?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = std::net::TcpStream::connect(host).with_context(|| host.to_owned())?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(OPEN_WITHIN))?;
    let request = format!(
        "GET /{path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
    );
    // At once: the servers that only fan out read a request by one read.
    stream.write_all(request.as_bytes())?;
    let mut head = Vec::new();
    let end = loop {
        if let Some(end) = memchr::memmem::find(&head, b"\r\n\r\n") {
            break end + 4;
        }
        let mut chunk = [0; 2_048];
        let count = stream.read(&mut chunk)?;
        ensure!(count > 0, "the server closed the connection in the handshake");
        head.extend(chunk.get(..count).unwrap_or_default());
    };
    ensure!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    let pending = head.split_off(end);
    Ok((stream, pending))
}

fn resume_frame(positions: &serde_json::Value) -> Vec<u8> {
    frames::masked(1, serde_json::json!({ "type": "resume", "positions": positions }).to_string().as_bytes())
}

impl Fleet {
    /// Reads what has come, waiting `at_most` for the first of it. Returns the tokens of other sockets that are
    /// ready.
    ///
    /// # Errors
    /// When a session ends or says what no server says.
    pub(crate) fn turn(&mut self, at_most: Duration, sends: &Sends) -> Result<Vec<Token>> {
        // The kernel waits for whole milliseconds, and mio for at least as long as it was told: what is due in half a
        // one is looked for again and again.
        let at_most = Duration::from_millis(u64::try_from(at_most.as_millis())?);
        match self.poll.poll(&mut self.events, Some(at_most)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(Vec::new()),
            other => other?,
        }
        let tokens: Vec<Token> = self.events.iter().map(mio::event::Event::token).collect();
        let now = Instant::now();
        let mut others = Vec::new();
        for token in tokens {
            if token.0 >= FIRST_OTHER {
                others.push(token);
            } else {
                self.read(token.0, now, sends).with_context(|| format!("session {}", token.0))?;
            }
        }
        Ok(others)
    }

    fn read(&mut self, number: usize, now: Instant, sends: &Sends) -> Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let result = self.read_into(number, &mut buffer, now, sends);
        self.buffer = buffer;
        result
    }

    /// Until the socket has no more: mio tells of changes only.
    fn read_into(&mut self, number: usize, buffer: &mut [u8], now: Instant, sends: &Sends) -> Result<()> {
        while self.read_once(number, buffer, now, sends)? {}
        Ok(())
    }

    /// Reads once and takes what came; whether there may be more.
    fn read_once(&mut self, number: usize, buffer: &mut [u8], now: Instant, sends: &Sends) -> Result<bool> {
        let session = self.sessions.get_mut(number).context("no such session")?;
        if session.gone {
            return Ok(false);
        }
        let count = match session.stream.read(buffer) {
            Ok(0) => return self.ended(number, now, sends),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(true),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                return self.ended(number, now, sends);
            }
            Err(error) => return Err(error.into()),
        };
        let came = buffer.get(..count).unwrap_or_default();
        if session.pending.is_empty() {
            let used = self.frames(number, came, now, sends)?;
            let left = came.get(used..).unwrap_or_default().to_vec();
            self.keep(number, left);
        } else {
            let mut all = std::mem::take(&mut session.pending);
            all.extend_from_slice(came);
            let used = self.frames(number, &all, now, sends)?;
            all.drain(..used);
            self.keep(number, all);
        }
        Ok(count == buffer.len())
    }

    /// Takes whole frames that came together with the handshakes. Else they wait for what comes next.
    ///
    /// # Errors
    /// As [`Fleet::turn`].
    pub(crate) fn take_early(&mut self, sends: &Sends) -> Result<()> {
        for number in 0..self.sessions.len() {
            let session = self.sessions.get_mut(number).context("no such session")?;
            let mut early = std::mem::take(&mut session.pending);
            let used = self.frames(number, &early, Instant::now(), sends)?;
            early.drain(..used);
            self.keep(number, early);
        }
        Ok(())
    }

    fn keep(&mut self, number: usize, pending: Vec<u8>) {
        if let Some(session) = self.sessions.get_mut(number) {
            session.pending = pending;
        }
    }

    /// The server closed the connection. Its reason may have come with the handshake, or not at all: where it closes before it
    /// read what a client says, the connection is reset. So a session that was not live yet counts as refused.
    fn ended(&mut self, number: usize, now: Instant, sends: &Sends) -> Result<bool> {
        let session = self.sessions.get_mut(number).context("no such session")?;
        let early = std::mem::take(&mut session.pending);
        self.frames(number, &early, now, sends)?;
        let session = self.sessions.get(number).context("no such session")?;
        ensure!(!session.live, "the server closed the connection");
        if !session.gone {
            self.refuse(number)?;
        }
        Ok(false)
    }

    fn refuse(&mut self, number: usize) -> Result<()> {
        let session = self.sessions.get_mut(number).context("no such session")?;
        session.gone = true;
        self.poll.registry().deregister(&mut session.stream)?;
        self.refused.push(number);
        Ok(())
    }

    /// Takes whole frames from the front of `bytes`; returns how many bytes they were.
    fn frames(&mut self, number: usize, bytes: &[u8], now: Instant, sends: &Sends) -> Result<usize> {
        let mut used = 0;
        while let Some((frame, length)) =
            frames::first(bytes.get(used..).unwrap_or_default()).map_err(anyhow::Error::msg)?
        {
            used += length;
            match frame {
                Frame::Text(text) => {
                    self.seen.frames += 1;
                    self.seen.bytes += u64::try_from(length)?;
                    self.text(number, text, now, sends)?;
                }
                Frame::Ping(payload) => {
                    let pong = frames::masked(10, payload);
                    self.write(number, &pong)?;
                }
                Frame::Close(Some(OVERLOADED))
                    if self.sessions.get(number).is_some_and(|session| !session.live) =>
                {
                    self.refuse(number)?;
                    return Ok(bytes.len());
                }
                Frame::Close(code) => bail!("the server closed it with {code:?}"),
                Frame::Other => {}
            }
        }
        Ok(used)
    }

    /// Frames of a client are few and small: they fit into the socket's buffer.
    fn write(&mut self, number: usize, frame: &[u8]) -> Result<()> {
        let session = self.sessions.get_mut(number).context("no such session")?;
        session.stream.write_all(frame).map_err(Into::into)
    }
}
