//! The Web API as clients use it, and raw HTTP for what no decent client would send.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::history::Snapshot;
use crate::record::record;
use crate::snapshot;

/// How long an answer may take before it counts as none.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// A client of the Web API with a token.
#[derive(Debug, Clone)]
pub struct Api {
    client: reqwest::Client,
    url: String,
    token: Option<String>,
}

impl Api {
    /// A client of the server at `url` (no slash at its end).
    pub fn new(url: &str, token: Option<&str>) -> Api {
        let client = reqwest::Client::builder().timeout(ANSWER_WITHIN).no_proxy().build();
        Api { client: client.unwrap_or_default(), url: url.to_owned(), token: token.map(str::to_owned) }
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A request to a path of the server, with the token if there is one.
    pub fn request(&self, verb: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.client.request(verb, format!("{}{path}", self.url));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Calls a method with form arguments, as most SDKs do, and returns the envelope.
    ///
    /// # Errors
    /// When there is no answer, or one that is no envelope.
    pub async fn call(&self, method: &str, arguments: &[(&str, &str)]) -> Result<Value> {
        let request = self.request(reqwest::Method::POST, &format!("/api/{method}")).form(arguments);
        envelope(method, request).await
    }

    /// Calls a method with a JSON body.
    ///
    /// # Errors
    /// As [`Api::call`].
    pub async fn json(&self, method: &str, body: &Value) -> Result<Value> {
        let request = self.request(reqwest::Method::POST, &format!("/api/{method}")).json(body);
        envelope(method, request).await
    }

    /// Calls a method that must succeed.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ok(&self, method: &str, arguments: &[(&str, &str)]) -> Result<Value> {
        let answer = self.call(method, arguments).await?;
        ensure!(answer["ok"] == Value::Bool(true), "{method} {arguments:?} answered {answer}");
        Ok(answer)
    }

    /// Calls a method that must be refused, and returns why.
    ///
    /// # Errors
    /// When it is not.
    pub async fn refused(&self, method: &str, arguments: &[(&str, &str)]) -> Result<String> {
        let answer = self.call(method, arguments).await?;
        ensure!(answer["ok"] == Value::Bool(false), "{method} {arguments:?} answered {answer}");
        Ok(answer["error"].as_str().context("no error code")?.to_owned())
    }

    /// Posts a message and returns its `ts`.
    ///
    /// # Errors
    /// When it is not accepted.
    pub async fn post(&self, channel: &str, text: &str) -> Result<String> {
        let answer = self.ok("chat.postMessage", &[("channel", channel), ("text", text)]).await?;
        Ok(answer["ts"].as_str().context("no ts")?.to_owned())
    }

    /// Reads a whole channel, replies included. Exact when nothing changes meanwhile.
    ///
    /// # Errors
    /// When a page is refused, or the channel changed while it was read.
    pub async fn snapshot(&self, channel: &str) -> Result<Snapshot> {
        snapshot::read(self, channel).await
    }
}

impl snapshot::Caller for Api {
    async fn ok(&self, method: &str, arguments: &[(&str, &str)]) -> Result<Value> {
        Api::ok(self, method, arguments).await
    }
}

async fn envelope(method: &str, request: reqwest::RequestBuilder) -> Result<Value> {
    let response = request.send().await.with_context(|| method.to_owned())?;
    let status = response.status().as_u16();
    let body = response.text().await.with_context(|| method.to_owned())?;
    ensure!(status == 200 || status == 429, "{method} answered HTTP {status}: {body}");
    let answer: Value = serde_json::from_str(&body).with_context(|| format!("{method} answered {body:?}"))?;
    ensure!(answer["ok"].is_boolean(), "{method} answered no envelope: {answer}");
    record("response", method, &answer);
    Ok(answer)
}

/// An answer to raw bytes.
#[derive(Debug, Clone)]
pub struct RawAnswer {
    /// The status code; 0 when the server closed without an answer.
    pub status: u16,
    /// Header lines, in lower case.
    pub head: String,
    /// The body as text.
    pub body: String,
}

impl RawAnswer {
    /// The body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(json!(null))
    }
}

/// Sends bytes as they are and reads the answer until its end or the connection's.
///
/// # Errors
/// When the server cannot be reached or says nothing for 30 s.
pub async fn raw(address: &str, request: &[u8]) -> Result<RawAnswer> {
    let mut stream = TcpStream::connect(address).await?;
    // A server that refuses early may close before it read everything.
    let sent = stream.write_all(request).await;
    let mut answer = Vec::new();
    let read = timeout(ANSWER_WITHIN, read_answer(&mut stream, &mut answer)).await;
    let read = read.context("no answer and no close within 30 s")?;
    if answer.is_empty() {
        sent.and(read).ok();
        return Ok(RawAnswer { status: 0, head: String::new(), body: String::new() });
    }
    parse_answer(&answer)
}

async fn read_answer(stream: &mut TcpStream, answer: &mut Vec<u8>) -> std::io::Result<()> {
    while !complete(answer) {
        if stream.read_buf(answer).await? == 0 {
            break;
        }
    }
    Ok(())
}

fn complete(answer: &[u8]) -> bool {
    let Some((head, body)) = split(answer) else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    length.and_then(|text| text.trim().parse::<usize>().ok()).is_some_and(|length| body.len() >= length)
}

fn split(answer: &[u8]) -> Option<(String, &[u8])> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(answer.get(..end)?).to_ascii_lowercase();
    Some((head, answer.get(end + 4..)?))
}

fn parse_answer(answer: &[u8]) -> Result<RawAnswer> {
    let (head, body) = split(answer).context("an answer without an end of its head")?;
    let status = head.split_whitespace().nth(1).and_then(|code| code.parse().ok()).context("no status")?;
    Ok(RawAnswer { status, head, body: String::from_utf8_lossy(body).into_owned() })
}
