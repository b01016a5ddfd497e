//! Senders: connections to the Web API in the loop that also reads the sessions.

use std::{
    io::{ErrorKind, Read, Write},
    time::Instant,
};

use anyhow::{Context, Result, bail, ensure};
use hdrhistogram::Histogram;
use mio::{Interest, Token, net::TcpStream};

use crate::{
    fleet::{FIRST_OTHER, Fleet},
    http,
    sends::Sends,
};

/// A connection that posts one message at a time.
struct Poster {
    stream: TcpStream,
    token: String,
    answer: Vec<u8>,
    /// When the post that has no answer yet was due.
    due: Option<Instant>,
}

/// The senders.
pub(crate) struct Posters {
    posters: Vec<Poster>,
    address: String,
    channel: String,
    bytes: usize,
    /// Posts that were acknowledged.
    pub(crate) acknowledged: u64,
    /// From the intended time of a post to its acknowledgement, microseconds.
    pub(crate) latency: Histogram<u64>,
}

impl Posters {
    /// Connects one for each token; each message's text has so many bytes.
    ///
    /// # Errors
    /// When the server takes no connection.
    pub(crate) fn connect(
        fleet: &Fleet,
        address: &str,
        tokens: &[&str],
        channel: &str,
        bytes: usize,
    ) -> Result<Self> {
        let mut posters = Vec::with_capacity(tokens.len());
        for (number, token) in tokens.iter().enumerate() {
            let stream = std::net::TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            fleet.registry().register(&mut stream, Token(FIRST_OTHER + number), Interest::READABLE)?;
            posters.push(Poster { stream, token: (*token).to_owned(), answer: Vec::new(), due: None });
        }
        Ok(Self {
            posters,
            address: address.to_owned(),
            channel: channel.to_owned(),
            bytes,
            acknowledged: 0,
            latency: Histogram::new(3)?,
        })
    }

    /// Posts over a connection that waits for nothing; `false`: all of them wait.
    ///
    /// # Errors
    /// When the connection is gone.
    pub(crate) fn post(&mut self, due: Instant, sends: &mut Sends) -> Result<bool> {
        let Some(poster) = self.posters.iter_mut().find(|poster| poster.due.is_none()) else {
            return Ok(false);
        };
        let text = sends.next(due, self.bytes);
        let body = serde_json::json!({ "channel": self.channel, "text": text }).to_string();
        let request = http::request(&self.address, "/api/chat.postMessage", &poster.token, &body);
        // One small request at a time fits into the socket's buffer.
        poster.stream.write_all(&request)?;
        poster.due = Some(due);
        Ok(true)
    }

    /// How many posts have no answer yet.
    pub(crate) fn waiting(&self) -> usize {
        self.posters.iter().filter(|poster| poster.due.is_some()).count()
    }

    /// Reads the answer of a connection that is ready.
    ///
    /// # Errors
    /// When a post was refused or the connection ended.
    pub(crate) fn ready(&mut self, token: Token) -> Result<()> {
        let poster = self.posters.get_mut(token.0 - FIRST_OTHER).context("no such sender")?;
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
        if let Some((length, body)) = http::answer(&poster.answer)? {
            ensure!(body.starts_with(b"{\"ok\":true"), "{}", String::from_utf8_lossy(body));
            poster.answer.drain(..length);
            let due = poster.due.take().context("an answer to nothing")?;
            self.acknowledged += 1;
            self.latency.record(u64::try_from(due.elapsed().as_micros())?.max(1))?;
        }
        Ok(())
    }
}
