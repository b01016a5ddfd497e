//! WebSocket clients: our realtime protocol and Slack's RTM.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout_at;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async, connect_async};

use crate::http::Api;
use crate::record::record;

/// How long a frame that must come may take on a busy machine.
pub const FRAME_WITHIN: Duration = Duration::from_secs(20);

/// What the kernel holds for a client that is slow to read.
const NARROW_BYTES: u32 = 4 << 10;

/// Topic → generation and seq.
pub type Positions = BTreeMap<String, (u64, u64)>;

/// A WebSocket with JSON frames.
pub struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// The first frame.
    pub hello: Value,
}

/// What came next.
#[derive(Debug, Clone, PartialEq)]
pub enum Frame {
    /// A JSON frame.
    Json(Value),
    /// The server closed, with this code; none when the connection just ended.
    Closed(Option<u16>),
}

impl Socket {
    /// Buys a ticket for the realtime protocol and connects. `resume` is still to be sent.
    ///
    /// # Errors
    /// When either is refused.
    pub async fn realtime(api: &Api) -> Result<Socket> {
        let url = ticket(api).await?;
        Socket::open(&url, None).await
    }

    /// Connects to RTM.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn rtm(api: &Api) -> Result<Socket> {
        let answer = api.ok("rtm.connect", &[]).await?;
        Socket::open(answer["url"].as_str().context("url")?, None).await
    }

    /// As [`Socket::realtime`], for a client that is slow to read: its side of the connection holds a few kilobytes.
    ///
    /// # Errors
    /// As there.
    pub async fn narrow(api: &Api) -> Result<Socket> {
        Socket::open_narrow(&ticket(api).await?).await
    }

    /// As [`Socket::rtm`], for a client that is slow to read.
    ///
    /// # Errors
    /// As there.
    pub async fn rtm_narrow(api: &Api) -> Result<Socket> {
        let answer = api.ok("rtm.connect", &[]).await?;
        Socket::open_narrow(answer["url"].as_str().context("url")?).await
    }

    async fn open_narrow(url: &str) -> Result<Socket> {
        let request = url.into_client_request()?;
        let address = request.uri().authority().context("no address")?.as_str().parse()?;
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(NARROW_BYTES)?;
        let stream = MaybeTlsStream::Plain(socket.connect(address).await?);
        let (stream, _) = client_async(request, stream).await.with_context(|| url.to_owned())?;
        Socket { stream, hello: Value::Null }.greeted().await
    }

    /// The connection below the frames. What was read of it is missing from the frames.
    pub fn raw(&mut self) -> &mut MaybeTlsStream<TcpStream> {
        self.stream.get_mut()
    }

    /// Opens a WebSocket and reads its hello.
    ///
    /// # Errors
    /// When the handshake is refused or the first frame is no hello.
    pub async fn open(url: &str, origin: Option<&str>) -> Result<Socket> {
        let mut request = url.into_client_request()?;
        if let Some(origin) = origin {
            request.headers_mut().insert("Origin", origin.parse()?);
        }
        let (stream, _) = connect_async(request).await.with_context(|| url.to_owned())?;
        Socket { stream, hello: Value::Null }.greeted().await
    }

    async fn greeted(mut self) -> Result<Socket> {
        match self.next(FRAME_WITHIN).await? {
            Frame::Json(hello) if hello["type"] == "hello" => self.hello = hello,
            other => bail!("instead of hello came {other:?}"),
        }
        Ok(self)
    }

    /// Opens a WebSocket that must not come to a hello; returns how it ended.
    ///
    /// # Errors
    /// When it came to a hello.
    pub async fn refused(url: &str, origin: Option<&str>) -> Result<Refusal> {
        let mut request = url.into_client_request()?;
        if let Some(origin) = origin {
            request.headers_mut().insert("Origin", origin.parse()?);
        }
        let stream = match connect_async(request).await {
            Ok((stream, _)) => stream,
            Err(tungstenite::Error::Http(answer)) => return Ok(Refusal::Http(answer.status().as_u16())),
            Err(other) => return Err(other.into()),
        };
        let mut socket = Socket { stream, hello: Value::Null };
        match socket.next(FRAME_WITHIN).await? {
            Frame::Closed(code) => Ok(Refusal::Closed(code)),
            Frame::Json(frame) => bail!("instead of a refusal came {frame}"),
        }
    }

    /// Sends `resume`.
    ///
    /// # Errors
    /// When the socket is gone.
    pub async fn resume(&mut self, positions: &Positions) -> Result<()> {
        let positions: BTreeMap<&String, [u64; 2]> =
            positions.iter().map(|(topic, (generation, seq))| (topic, [*generation, *seq])).collect();
        self.send(&json!({"type": "resume", "positions": positions})).await
    }

    /// Sends a JSON frame.
    ///
    /// # Errors
    /// When the socket is gone.
    pub async fn send(&mut self, frame: &Value) -> Result<()> {
        self.send_raw(Message::text(frame.to_string())).await
    }

    /// Sends whatever a WebSocket can carry.
    ///
    /// # Errors
    /// When the socket is gone.
    pub async fn send_raw(&mut self, message: Message) -> Result<()> {
        self.stream.send(message).await.map_err(Into::into)
    }

    /// The next JSON frame or the end. Control frames are answered and not shown.
    ///
    /// # Errors
    /// When nothing comes in time, or something that is no JSON text.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn next(&mut self, within: Duration) -> Result<Frame> {
        let deadline = tokio::time::Instant::now() + within;
        loop {
            let message = timeout_at(deadline, self.stream.next()).await;
            match message.with_context(|| format!("nothing came within {within:?}"))? {
                None | Some(Err(_)) => return Ok(Frame::Closed(None)),
                Some(Ok(Message::Text(text))) => {
                    let frame: Value =
                        serde_json::from_str(&text).with_context(|| format!("frame {text:?}"))?;
                    self.record(&frame);
                    return Ok(Frame::Json(frame));
                }
                Some(Ok(Message::Close(close))) => {
                    return Ok(Frame::Closed(close.map(|frame| u16::from(frame.code))));
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(other)) => bail!("a frame that is no text: {other:?}"),
            }
        }
    }

    fn record(&self, frame: &Value) {
        let kind =
            if self.hello["protocol"].is_number() || frame.get("_p").is_some() { "realtime" } else { "rtm" };
        for event in frame["events"].as_array().into_iter().flatten().chain([frame]) {
            if let Some(name) = event["type"].as_str() {
                record(kind, name, event);
            }
        }
    }

    /// Reads until a frame that `wanted` accepts, and returns it.
    ///
    /// # Errors
    /// When it does not come in time or the socket ends; with what came instead.
    pub async fn until(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        let deadline = tokio::time::Instant::now() + FRAME_WITHIN;
        let mut others = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(tokio::time::Instant::now());
            match self.next(left).await {
                Ok(Frame::Json(frame)) if wanted(&frame) => return Ok(frame),
                Ok(Frame::Json(frame)) => others.push(frame.to_string()),
                Ok(closed) => bail!("{what}: {closed:?} after {others:#?}"),
                Err(error) => bail!("{what}: {error} after {others:#?}"),
            }
        }
    }

    /// Everything that comes before the answer to a ping sent now.
    ///
    /// # Errors
    /// When the answer does not come in time.
    pub async fn drain(&mut self, id: u64) -> Result<Vec<Value>> {
        self.send(&json!({"type": "ping", "id": id})).await?;
        let mut frames = Vec::new();
        loop {
            match self.next(FRAME_WITHIN).await? {
                Frame::Json(frame) if frame["type"] == "pong" && frame["reply_to"] == id => {
                    return Ok(frames);
                }
                Frame::Json(frame) => frames.push(frame),
                closed => bail!("{closed:?} instead of a pong"),
            }
        }
    }

    /// Reads until the server closes, and returns the code.
    ///
    /// # Errors
    /// When it does not close in time.
    pub async fn closed(&mut self, within: Duration) -> Result<Option<u16>> {
        let deadline = tokio::time::Instant::now() + within;
        loop {
            let left = deadline.saturating_duration_since(tokio::time::Instant::now());
            if let Frame::Closed(code) = self.next(left).await? {
                return Ok(code);
            }
        }
    }

    /// Reads until each topic of `positions` is live.
    ///
    /// # Errors
    /// When one does not become live in time.
    pub async fn all_live(&mut self, positions: &Positions) -> Result<Vec<Value>> {
        let mut missing: Vec<&String> = positions.keys().collect();
        let mut frames = Vec::new();
        while !missing.is_empty() {
            match self.next(FRAME_WITHIN).await {
                Ok(Frame::Json(frame)) => {
                    if frame["type"] == "_live" {
                        missing.retain(|topic| frame["t"] != topic.as_str());
                    }
                    frames.push(frame);
                }
                other => bail!("{missing:?} not live, {other:?} after {frames:?}"),
            }
        }
        Ok(frames)
    }
}

/// How a WebSocket was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// By the status of the handshake.
    Http(u16),
    /// By a close code after it.
    Closed(Option<u16>),
}

/// Buys a ticket and returns the socket's URL.
///
/// # Errors
/// When it is refused.
pub async fn ticket(api: &Api) -> Result<String> {
    let request = api.request(reqwest::Method::POST, "/realtime/v1/connect");
    let answer: Value = request.send().await?.json().await?;
    ensure!(answer["ok"] == true, "connect answered {answer}");
    Ok(answer["url"].as_str().context("url")?.to_owned())
}

/// Everything that a client starts from: the positions of `client.userBoot`.
///
/// # Errors
/// When it is refused.
pub async fn boot_positions(api: &Api) -> Result<Positions> {
    let boot = api.ok("client.userBoot", &[]).await?;
    let positions = boot["_p"].as_object().context("_p")?;
    let pair = |value: &Value| Some((value.get(0)?.as_u64()?, value.get(1)?.as_u64()?));
    positions
        .iter()
        .map(|(topic, value)| Ok((topic.clone(), pair(value).with_context(|| format!("position {value}"))?)))
        .collect()
}
