//! Senders: connections to the Web API, or RTM sessions, in the loop that also reads the sessions.

use std::{
    collections::VecDeque,
    io::{ErrorKind, Read, Write},
    time::Instant,
};

use anyhow::{Context, Result, bail, ensure};
use hdrhistogram::Histogram;
use mio::{Interest, Token, net::TcpStream};

use crate::{
    fleet::{FIRST_OTHER, Fleet, upgraded},
    frames::{self, Frame},
    http::{self, Api},
    sends::Sends,
};

/// How messages are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Through {
    /// `chat.postMessage`
    #[default]
    Http,
    /// Frames of type `message` on an RTM session of the sender's own, which also gets what its person gets
    Rtm,
}

/// Who posts, and where: to one of these channels after the other.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    pub(crate) token: String,
    pub(crate) channels: Vec<String>,
}

/// A connection that posts one message at a time.
struct Poster {
    stream: TcpStream,
    through: Through,
    sender: Sender,
    /// How many it posted.
    posted: usize,
    answer: Vec<u8>,
    /// When the post that has no answer yet was due.
    due: Option<Instant>,
}

/// The senders.
pub(crate) struct Posters {
    posters: Vec<Poster>,
    /// Those that wait for nothing, the one that has waited longest first.
    idle: VecDeque<usize>,
    address: String,
    bytes: usize,
    through: Through,
    /// Posts that were acknowledged.
    pub(crate) acknowledged: u64,
    /// Bytes of the newest answer.
    pub(crate) answer_bytes: usize,
    /// From the intended time of a post to its acknowledgement, microseconds.
    pub(crate) latency: Histogram<u64>,
}

/// A connection, and what it got already.
fn connect(
    fleet: &Fleet,
    address: &str,
    number: usize,
    through: Through,
    token: &str,
) -> Result<(TcpStream, Vec<u8>)> {
    let (stream, early) = match through {
        Through::Http => (std::net::TcpStream::connect(address)?, Vec::new()),
        Through::Rtm => {
            let answer = Api::connect(address, token)?.call("/api/rtm.connect", &serde_json::json!({}))?;
            upgraded(answer.get("url").and_then(serde_json::Value::as_str).context("url")?)?
        }
    };
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    let mut stream = TcpStream::from_std(stream);
    fleet.registry().register(&mut stream, Token(FIRST_OTHER + number), Interest::READABLE)?;
    Ok((stream, early))
}

impl Posters {
    /// Connects each; a message's text has so many bytes.
    ///
    /// # Errors
    /// When the server takes no connection.
    pub(crate) fn connect(
        fleet: &Fleet,
        address: &str,
        senders: Vec<Sender>,
        bytes: usize,
        through: Through,
    ) -> Result<Self> {
        let mut posters = Vec::with_capacity(senders.len());
        for (number, sender) in senders.into_iter().enumerate() {
            let (stream, answer) = connect(fleet, address, number, through, &sender.token)?;
            posters.push(Poster { stream, through, sender, posted: 0, answer, due: None });
        }
        Ok(Self {
            idle: (0..posters.len()).collect(),
            posters,
            address: address.to_owned(),
            bytes,
            through,
            acknowledged: 0,
            answer_bytes: 0,
            latency: Histogram::new(3)?,
        })
    }

    /// Connects each anew: the server closes what was idle for long, while something else was measured.
    ///
    /// # Errors
    /// When a post waits for its answer, or the server takes no connection.
    pub(crate) fn reconnect(&mut self, fleet: &Fleet) -> Result<()> {
        ensure!(self.waiting() == 0, "{} posts have no answer yet", self.waiting());
        for (number, poster) in self.posters.iter_mut().enumerate() {
            (poster.stream, poster.answer) =
                connect(fleet, &self.address, number, self.through, &poster.sender.token)?;
        }
        Ok(())
    }

    /// Posts over a connection that waits for nothing; `false`: all of them wait.
    ///
    /// # Errors
    /// When the connection is gone.
    pub(crate) fn post(&mut self, due: Instant, sends: &mut Sends) -> Result<bool> {
        let Some(poster) = self.idle.front().and_then(|number| self.posters.get_mut(*number)) else {
            return Ok(false);
        };
        let Sender { token, channels } = &poster.sender;
        let channel =
            channels.get(poster.posted % channels.len().max(1)).context("a sender without a channel")?;
        let text = sends.next(due, self.bytes);
        let token = token.clone();
        poster.posted += 1;
        let sent = match self.through {
            Through::Http => {
                let body = serde_json::json!({ "channel": channel, "text": text });
                self.call(due, "chat.postMessage", &token, &body)?
            }
            Through::Rtm => {
                let frame = serde_json::json!(
                    { "id": poster.posted, "type": "message", "channel": channel, "text": text });
                let frame = frames::masked(1, frame.to_string().as_bytes());
                self.say(due, &frame)?
            }
        };
        Ok(sent.is_some())
    }

    /// Calls a method as anybody, over a connection that waits for nothing; its number, or `None`: all of them wait.
    ///
    /// # Errors
    /// When the connection is gone.
    pub(crate) fn call(
        &mut self,
        due: Instant,
        method: &str,
        token: &str,
        body: &serde_json::Value,
    ) -> Result<Option<usize>> {
        self.say(due, &http::request(&self.address, &format!("/api/{method}"), token, &body.to_string()))
    }

    /// Writes to a connection that waits for nothing; its number.
    fn say(&mut self, due: Instant, bytes: &[u8]) -> Result<Option<usize>> {
        let Some(number) = self.idle.pop_front() else { return Ok(None) };
        let poster = self.posters.get_mut(number).context("no such sender")?;
        // One small request at a time fits into the socket's buffer.
        poster.stream.write_all(bytes)?;
        poster.due = Some(due);
        Ok(Some(number))
    }

    /// Whether every connection waits for an answer.
    pub(crate) fn is_busy(&self) -> bool {
        self.idle.is_empty()
    }

    /// How many posts have no answer yet.
    pub(crate) fn waiting(&self) -> usize {
        self.posters.len() - self.idle.len()
    }

    /// Reads the answer of a connection that is ready.
    ///
    /// # Errors
    /// When a post was refused or the connection ended.
    pub(crate) fn ready(&mut self, token: Token) -> Result<()> {
        if let Some(answer) = self.answered(token)? {
            ensure!(is_ok(&answer), "{}", String::from_utf8_lossy(&answer));
        }
        Ok(())
    }

    /// The number of the connection that a token is of.
    pub(crate) fn number(token: Token) -> usize {
        token.0 - FIRST_OTHER
    }

    /// Reads from a connection that is ready; the answer, once it is whole.
    ///
    /// # Errors
    /// When the connection ended.
    pub(crate) fn answered(&mut self, token: Token) -> Result<Option<Vec<u8>>> {
        let number = Self::number(token);
        let poster = self.posters.get_mut(number).context("no such sender")?;
        let mut chunk = [0; 16 << 10];
        loop {
            match poster.stream.read(&mut chunk) {
                Ok(0) => bail!("the server closed a sender's connection"),
                Ok(count) => poster.answer.extend(chunk.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        let body = match poster.through {
            Through::Http => {
                let Some((length, body)) = http::answer(&poster.answer)? else { return Ok(None) };
                let body = body.to_vec();
                poster.answer.drain(..length);
                body
            }
            Through::Rtm => {
                let Some(body) = poster.reply()? else { return Ok(None) };
                body
            }
        };
        self.answer_bytes = body.len();
        let due = poster.due.take().context("an answer to nothing")?;
        self.idle.push_back(number);
        self.acknowledged += 1;
        self.latency.record(u64::try_from(due.elapsed().as_micros())?.max(1))?;
        Ok(Some(body))
    }
}

/// Whether an answer of a method, or a reply of RTM, says that it was done.
fn is_ok(answer: &[u8]) -> bool {
    memchr::memmem::find(answer, b"\"ok\":true").is_some()
}

impl Poster {
    /// The reply among the frames that came, once it is there; what else comes to an RTM session is passed over.
    fn reply(&mut self) -> Result<Option<Vec<u8>>> {
        let (mut used, mut reply) = (0, None);
        while let Some((frame, length)) =
            frames::first(self.answer.get(used..).unwrap_or_default()).map_err(anyhow::Error::msg)?
        {
            used += length;
            match frame {
                Frame::Text(text) if memchr::memmem::find(text, b"\"reply_to\":").is_some() => {
                    ensure!(reply.is_none(), "two replies to one message");
                    reply = Some(text.to_vec());
                }
                Frame::Ping(payload) => {
                    let pong = frames::masked(10, payload);
                    self.stream.write_all(&pong)?;
                }
                Frame::Close(code) => bail!("the server closed a sender's session with {code:?}"),
                Frame::Text(_) | Frame::Other => {}
            }
        }
        self.answer.drain(..used);
        Ok(reply)
    }
}
