//! A connection to the Web API that is kept open, blocking: for what is not measured.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::OnceLock,
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// A connection as one person.
pub(crate) struct Api {
    address: String,
    token: String,
    stream: TcpStream,
}

impl Api {
    pub(crate) fn connect(address: &str, token: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| address.to_owned())?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_WITHIN))?;
        Ok(Self { address: address.to_owned(), token: token.to_owned(), stream })
    }

    /// Calls a method and returns its envelope.
    ///
    /// # Errors
    /// When there is no answer, or it is not `ok`.
    pub(crate) fn call(&mut self, path: &str, body: &Value) -> Result<Value> {
        let request = request(&self.address, path, &self.token, &body.to_string());
        self.stream.write_all(&request)?;
        let mut buffer = Vec::new();
        let answer = loop {
            if let Some((_, body)) = answer(&buffer)? {
                break serde_json::from_slice::<Value>(body)?;
            }
            let mut chunk = [0; 16 << 10];
            let count = self.stream.read(&mut chunk)?;
            ensure!(count > 0, "the server closed the connection");
            buffer.extend(chunk.get(..count).unwrap_or_default());
        };
        ensure!(answer.get("ok") == Some(&Value::Bool(true)), "{path}: {answer}");
        Ok(answer)
    }

    /// Makes a channel; its id. A server that runs on may have the channels of an earlier run: the name says of which it is.
    ///
    /// # Errors
    /// As [`Api::call`].
    pub(crate) fn create_channel(&mut self, number: usize) -> Result<String> {
        static RUN: OnceLock<u64> = OnceLock::new();
        let run = RUN.get_or_init(|| SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs());
        let made =
            self.call("/api/conversations.create", &json!({ "name": format!("bench-{run}-{number}") }))?;
        Ok(made.pointer("/channel/id").and_then(Value::as_str).context("channel")?.to_owned())
    }
}

/// The bytes of a POST with a JSON body.
pub(crate) fn request(host: &str, path: &str, token: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json; charset=utf-8\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The length of an answer and its body, once it is there whole: the server says how long it is.
///
/// # Errors
/// When it is no answer, or a status that no method has.
pub(crate) fn answer(buffer: &[u8]) -> Result<Option<(usize, &[u8])>> {
    let Some(end) = memchr::memmem::find(buffer, b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(buffer.get(..end).unwrap_or_default())?;
    let status = head.split(' ').nth(1).context("status")?;
    ensure!(status != "429", "the server limits rates: it is to be started with `--rate-limits off`");
    ensure!(status == "200", "status {status}: {head}");
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let from = end + 4;
    let to = from + length.context("an answer without content-length")?;
    Ok(buffer.get(from..to).map(|body| (to, body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_when_it_is_whole() {
        let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP";
        for cut in [0, 10, 37, 38] {
            assert!(answer(whole.get(..cut).unwrap()).unwrap().is_none(), "{cut}");
        }
        assert_eq!(answer(whole).unwrap(), Some((40, b"{}".as_slice())));
        assert!(answer(b"HTTP/1.1 502 Bad Gateway\r\n\r\n").is_err());
    }
}
