//! Many WebSocket clients in one thread: connect, read, check what came.

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
}

/// What the sessions saw, all together.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Copies of the messages that were sent here, each counted once for each session that it reached.
    pub(crate) delivered: u64,
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
    /// Frames without a position: typing, presence.
    pub(crate) signals: u64,
}

/// The clients.
pub(crate) struct Fleet {
    poll: Poll,
    events: Events,
    sessions: Vec<Session>,
    buffer: Vec<u8>,
    channel: String,
    /// Frames have no numbers: the one that comes n-th to a session is the n-th that was sent.
    anonymous: bool,
    /// What came.
    pub(crate) seen: Seen,
    /// From the intended time of a send to its arrival at one session, microseconds.
    pub(crate) latency: Histogram<u64>,
}

impl Fleet {
    /// Nobody yet. `channel` is the one whose events are checked and counted.
    pub(crate) fn new(channel: &str) -> Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(1_024),
            sessions: Vec::new(),
            buffer: vec![0; READ],
            channel: channel.to_owned(),
            anonymous: false,
            seen: Seen::default(),
            latency: Histogram::new(3)?,
        })
    }

    /// Nobody yet, for a server whose frames are all the same.
    pub(crate) fn anonymous() -> Result<Self> {
        Ok(Self { anonymous: true, ..Self::new("")? })
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
        self.sessions.push(Session { stream, pending, seq, topics, live });
        Ok(())
    }

    /// Sends a frame of JSON from one of the sessions.
    ///
    /// # Errors
    /// When it is gone.
    pub(crate) fn say(&mut self, number: usize, frame: &serde_json::Value) -> Result<()> {
        self.write(number, &frames::masked(1, frame.to_string().as_bytes()))
    }
}

/// A socket at `url` after its handshake, and what came behind that.
fn upgraded(url: &str) -> Result<(std::net::TcpStream, Vec<u8>)> {
    let rest = url.strip_prefix("ws://").with_context(|| format!("no ws:// address: {url}"))?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = std::net::TcpStream::connect(host).with_context(|| host.to_owned())?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(OPEN_WITHIN))?;
    write!(
        stream,
        "GET /{path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
    )?;
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
        loop {
            let session = self.sessions.get_mut(number).context("no such session")?;
            let count = match session.stream.read(buffer) {
                Ok(0) => bail!("the server closed the connection"),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
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
            if count < buffer.len() {
                return Ok(());
            }
        }
    }

    fn keep(&mut self, number: usize, pending: Vec<u8>) {
        if let Some(session) = self.sessions.get_mut(number) {
            session.pending = pending;
        }
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

    fn text(&mut self, number: usize, text: &[u8], now: Instant, sends: &Sends) -> Result<()> {
        if self.anonymous {
            let seq = self.sessions.get(number).map_or(0, |session| session.seq);
            return self.message(number, usize::try_from(seq)?, Some(seq + 1), now, sends);
        }
        if self.sessions.get(number).is_some_and(|session| !session.topics.is_empty()) {
            return self.of_any_topic(number, text, now, sends);
        }
        if text.starts_with(b"{\"type\":\"_") {
            let frame: serde_json::Value = serde_json::from_slice(text)?;
            return self.control(number, &frame, now, sends);
        }
        if let Some(place) = sends.number_in(text) {
            // The position stands at the end of the frame: nobody's text is behind it.
            let seq = memchr::memmem::rfind(text, b"\"s\":").and_then(|at| number_at(text, at + 4));
            return self.message(number, place, seq, now, sends);
        }
        Ok(())
    }

    /// A frame to a session of which every topic is checked.
    fn of_any_topic(&mut self, number: usize, text: &[u8], now: Instant, sends: &Sends) -> Result<()> {
        if text.starts_with(b"{\"type\":\"_") || text.starts_with(b"{\"type\":\"hello\"") {
            let frame: serde_json::Value = serde_json::from_slice(text)?;
            return self.control_of_any_topic(number, &frame, now, sends);
        }
        let Some(at) = memchr::memmem::rfind(text, b"\"_p\":{\"t\":\"") else {
            self.seen.signals += 1;
            return Ok(());
        };
        let position = text.get(at + 11..).unwrap_or_default();
        let end = memchr::memchr(b'"', position).context("a position without its topic's end")?;
        let topic = std::str::from_utf8(position.get(..end).unwrap_or_default())?;
        let seq = memchr::memmem::find(position, b"\"s\":").and_then(|at| number_at(position, at + 4));
        let seq = seq.context("a position without seq")?;
        if self.passes(number, topic, seq) && text.starts_with(b"{\"type\":\"message\"") {
            self.arrived(text, now, sends)?;
        }
        Ok(())
    }

    /// Notes that an event came; whether it is new.
    fn passes(&mut self, number: usize, topic: &str, seq: u64) -> bool {
        let Some(session) = self.sessions.get_mut(number) else { return false };
        let known = session.topics.entry(topic.to_owned()).or_default();
        match *known {
            Some(before) if seq <= before => {
                self.seen.repeated += 1;
                return false;
            }
            Some(before) => self.seen.missed += seq - before - 1,
            None => {}
        }
        *known = Some(seq);
        true
    }

    fn arrived(&mut self, text: &[u8], now: Instant, sends: &Sends) -> Result<()> {
        let Some(intended) = sends.number_in(text).and_then(|place| sends.intended(place)) else {
            return Ok(());
        };
        self.seen.delivered += 1;
        let late = now.saturating_duration_since(intended).as_micros();
        self.latency.record(u64::try_from(late)?.max(1)).map_err(Into::into)
    }

    fn control_of_any_topic(
        &mut self,
        number: usize,
        frame: &serde_json::Value,
        now: Instant,
        sends: &Sends,
    ) -> Result<()> {
        let of = |key: &str| frame.get(key).unwrap_or(&serde_json::Value::Null);
        let to = |key: &str| of(key).as_u64().with_context(|| format!("{key} of {frame}"));
        let topic = of("t").as_str().unwrap_or_default().to_owned();
        match of("type").as_str() {
            Some("hello") => {}
            Some("_page") => {
                for event in of("events").as_array().context("events")? {
                    let seq = event.pointer("/_p/s").and_then(serde_json::Value::as_u64).context("seq")?;
                    let known = self
                        .sessions
                        .get(number)
                        .and_then(|session| session.topics.get(&topic).copied().flatten());
                    if known.is_none_or(|known| seq > known) {
                        self.arrived(event.to_string().as_bytes(), now, sends)?;
                    }
                }
                self.reached(number, &topic, to("to")?);
            }
            Some("_live") => {
                self.reached(number, &topic, to("s")?);
                if let Some(session) = self.sessions.get_mut(number) {
                    session.live = session.topics.values().all(Option::is_some);
                }
            }
            Some("_skip") => self.reached(number, &topic, to("s")?),
            Some("_head") => {
                self.seen.pulled += 1;
                let from = self
                    .sessions
                    .get(number)
                    .and_then(|session| session.topics.get(&topic).copied().flatten());
                let pull =
                    serde_json::json!({ "type": "pull", "t": topic, "g": to("g")?, "s": from.unwrap_or(0) });
                self.say(number, &pull)?;
            }
            _ => bail!("{frame}"),
        }
        Ok(())
    }

    fn reached(&mut self, number: usize, topic: &str, seq: u64) {
        if let Some(session) = self.sessions.get_mut(number) {
            let known = session.topics.entry(topic.to_owned()).or_default();
            *known = Some(known.unwrap_or(0).max(seq));
        }
    }

    fn message(
        &mut self,
        number: usize,
        place: usize,
        seq: Option<u64>,
        now: Instant,
        sends: &Sends,
    ) -> Result<()> {
        let session = self.sessions.get_mut(number).context("no such session")?;
        if let Some(seq) = seq {
            if seq <= session.seq {
                self.seen.repeated += 1;
                return Ok(());
            }
            self.seen.missed += seq - session.seq - 1;
            session.seq = seq;
        }
        self.seen.delivered += 1;
        if let Some(intended) = sends.intended(place) {
            let late = now.saturating_duration_since(intended).as_micros();
            self.latency.record(u64::try_from(late)?.max(1))?;
        }
        Ok(())
    }

    /// Frames of the protocol itself: pages, positions, "you are slow".
    fn control(
        &mut self,
        number: usize,
        frame: &serde_json::Value,
        now: Instant,
        sends: &Sends,
    ) -> Result<()> {
        let of = |key: &str| frame.get(key).unwrap_or(&serde_json::Value::Null);
        if of("t").as_str() != Some(&self.channel) {
            return Ok(());
        }
        let to = |key: &str| of(key).as_u64().with_context(|| format!("{key} of {frame}"));
        match of("type").as_str() {
            Some("_page") => {
                for event in of("events").as_array().context("events")? {
                    let text = event.to_string();
                    if let Some(place) = sends.number_in(text.as_bytes()) {
                        self.message(
                            number,
                            place,
                            event.pointer("/_p/s").and_then(serde_json::Value::as_u64),
                            now,
                            sends,
                        )?;
                    }
                }
                self.at(number, to("to")?);
            }
            Some("_live") => {
                self.at(number, to("s")?);
                if let Some(session) = self.sessions.get_mut(number) {
                    session.live = true;
                }
            }
            Some("_skip") => self.at(number, to("s")?),
            Some("_head") => {
                self.seen.pulled += 1;
                let from = self.sessions.get(number).map_or(0, |session| session.seq);
                let pull = serde_json::json!({ "type": "pull", "t": self.channel, "g": to("g")?, "s": from });
                self.write(number, &frames::masked(1, pull.to_string().as_bytes()))?;
            }
            _ => bail!("{frame}"),
        }
        Ok(())
    }

    fn at(&mut self, number: usize, seq: u64) {
        if let Some(session) = self.sessions.get_mut(number) {
            session.seq = session.seq.max(seq);
        }
    }
}

/// The decimal number at a place.
fn number_at(text: &[u8], at: usize) -> Option<u64> {
    let digits = text.get(at..)?.iter().take_while(|byte| byte.is_ascii_digit());
    let mut number = None;
    for digit in digits {
        number = Some(number.unwrap_or(0u64).checked_mul(10)?.checked_add(u64::from(digit - b'0'))?);
    }
    number
}
