//! One map of arguments from every form in which they arrive: query, form, multipart, JSON.

use std::{collections::HashMap, time::Duration};

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http::{HeaderMap, header};
use http_body_util::BodyExt;
use serde_json::value::RawValue;
use tokio::sync::Semaphore;

use crate::{errors::Failure, photos::Picture, uploads::Received};

/// Largest body, bytes. What is longer is refused with `request_too_large`.
pub const BODY_BYTES_MAX: usize = 1 << 20;
/// Bodies up to this are read at once; larger ones one after another, so that all of them together stay
/// within bounds.
const BODY_BYTES_SMALL: usize = 16 << 10;
/// How much of a body that nobody wants is read and thrown away.
const DISCARD_BYTES_MAX: usize = 8 << 20;
/// How long that may take.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(5);
/// A body must be there within this time.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// The arguments of a call. The body's go before the query's, later ones before earlier ones. Passwords and
/// tokens are among them, so they cannot be printed.
#[derive(Default)]
pub struct Args {
    map: HashMap<String, Arg>,
    /// The `token` argument; JSON bodies cannot carry one.
    pub token: Option<String>,
    /// A form's `content`, which may be bytes that are no text.
    pub content: Option<Vec<u8>>,
    /// A form's file, where a method takes one.
    pub file: Option<Received>,
    /// A form's picture, where a method takes one.
    pub picture: Option<Picture>,
}

enum Arg {
    /// From a form, or a JSON string.
    Text(String),
    /// A JSON number, boolean, array or object, as it was written.
    Json(String),
}

/// Whether a body is a form with parts.
#[must_use]
pub fn is_multipart(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("multipart/form-data"))
}

impl Args {
    /// Reads the arguments of a request. `large` has a permit for each large body that may be read at once.
    ///
    /// # Errors
    /// What Slack answers to a body that it cannot read: `invalid_json`, `json_not_object`,
    /// `invalid_form_data`, `invalid_charset`, `invalid_post_type`, `missing_post_type`; and our own
    /// `request_too_large` and `request_timeout`.
    pub async fn read<B>(
        query: Option<&str>,
        headers: &HeaderMap,
        body: B,
        large: &Semaphore,
    ) -> Result<Self, Failure>
    where
        B: http_body::Body<Data = Bytes> + Unpin,
    {
        let mut args = Self::default();
        if let Some(query) = query {
            args.add_form(query.as_bytes())?;
        }
        let body = tokio::time::timeout(BODY_TIMEOUT, collect(body, large))
            .await
            .map_err(|_| Failure::with_message("request_timeout", "the body did not arrive in time"))??;
        if !body.is_empty() {
            args.add_body(headers, body).await?;
        }
        Ok(args)
    }

    async fn add_body(&mut self, headers: &HeaderMap, body: Bytes) -> Result<(), Failure> {
        let Some(content_type) = headers.get(header::CONTENT_TYPE) else {
            return Err("missing_post_type".into());
        };
        let content_type = content_type.to_str().map_err(|_| Failure::new("invalid_post_type"))?;
        let (kind, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
        check_charset(parameters)?;
        match kind.trim().to_ascii_lowercase().as_str() {
            "application/json" => self.add_json(&body),
            "application/x-www-form-urlencoded" => self.add_form(&body),
            "multipart/form-data" => self.add_multipart(content_type, body).await,
            _ => Err("invalid_post_type".into()),
        }
    }

    fn add_json(&mut self, body: &[u8]) -> Result<(), Failure> {
        let text = std::str::from_utf8(body).map_err(|_| Failure::new("invalid_charset"))?;
        if text.trim().is_empty() {
            return Ok(());
        }
        let members: HashMap<String, Box<RawValue>> = serde_json::from_str(text).map_err(|_| {
            let code = match serde_json::from_str::<serde::de::IgnoredAny>(text) {
                Ok(_) => "json_not_object",
                Err(_) => "invalid_json",
            };
            Failure::new(code)
        })?;
        for (name, value) in members {
            let raw = value.get();
            match raw.as_bytes().first() {
                Some(b'n') => {
                    self.map.remove(&name);
                }
                Some(b'"') => {
                    let text = serde_json::from_str(raw).map_err(|_| Failure::new("invalid_json"))?;
                    self.map.insert(name, Arg::Text(text));
                }
                _ => {
                    self.map.insert(name, Arg::Json(raw.to_owned()));
                }
            }
        }
        Ok(())
    }

    /// Adds a form, or a query.
    ///
    /// # Errors
    /// `invalid_form_data`.
    pub fn add_form(&mut self, form: &[u8]) -> Result<(), Failure> {
        for pair in form.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty()) {
            let mut halves = pair.splitn(2, |&byte| byte == b'=');
            let name = decode(halves.next().unwrap_or_default())?;
            let value = decode_bytes(halves.next().unwrap_or_default());
            if name == "content" {
                self.content = Some(value.clone());
                if let Ok(text) = String::from_utf8(value) {
                    self.add_field(name, text);
                }
                continue;
            }
            self.add_field(name, text(value)?);
        }
        Ok(())
    }

    async fn add_multipart(&mut self, content_type: &str, body: Bytes) -> Result<(), Failure> {
        let broken = || Failure::new("invalid_form_data");
        let boundary = multer::parse_boundary(content_type).map_err(|_| broken())?;
        let whole = stream::iter([Ok::<_, std::convert::Infallible>(body)]);
        let mut parts = multer::Multipart::new(whole, boundary);
        while let Some(part) = parts.next_field().await.map_err(|_| broken())? {
            let name = part.name().map(str::to_owned);
            let is_file = part.file_name().is_some();
            let content = part.bytes().await.map_err(|_| broken())?;
            // Methods that take a file read their forms elsewhere; to all others it is an unknown argument, and those
            // are ignored.
            if let (Some(name), false) = (name, is_file) {
                let value = String::from_utf8(content.to_vec()).map_err(|_| broken())?;
                self.add_field(name, value);
            }
        }
        Ok(())
    }

    /// Adds one field of a form.
    pub fn add_field(&mut self, name: String, value: String) {
        if name == "token" {
            self.token = Some(value.clone());
        }
        self.map.insert(name, Arg::Text(value));
    }

    /// The argument's text; numbers and booleans as they were written.
    ///
    /// # Errors
    /// `invalid_array_arg`: it is an array or object.
    pub fn text(&self, name: &str) -> Result<Option<String>, Failure> {
        match self.map.get(name) {
            None => Ok(None),
            Some(Arg::Text(text)) => Ok(Some(text.clone())),
            Some(Arg::Json(raw)) if raw.starts_with(['[', '{']) => {
                Err(Failure::with_message("invalid_array_arg", format!("{name} must be a single value")))
            }
            Some(Arg::Json(raw)) => Ok(Some(raw.clone())),
        }
    }

    /// The text of an argument that people read. U+0000, which not every store holds, is dropped.
    ///
    /// # Errors
    /// As [`Args::text`].
    pub fn prose(&self, name: &str) -> Result<Option<String>, Failure> {
        Ok(self.text(name)?.map(|text| text.replace('\0', "")))
    }

    /// The argument's text unless it is empty.
    ///
    /// # Errors
    /// As [`Args::text`].
    pub fn given(&self, name: &str) -> Result<Option<String>, Failure> {
        Ok(self.text(name)?.filter(|text| !text.is_empty()))
    }

    /// The text of an argument that must be there.
    ///
    /// # Errors
    /// `code` if it is missing or empty.
    pub fn required(&self, name: &str, code: &'static str) -> Result<String, Failure> {
        self.given(name)?
            .ok_or_else(|| Failure::with_message(code, format!("missing required field: {name}")))
    }

    /// A yes or no: `true`, `false`, `1`, `0`, as texts or JSON.
    ///
    /// # Errors
    /// `invalid_arguments`: it is neither.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, Failure> {
        let Some(text) = self.given(name)? else { return Ok(None) };
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" => Ok(Some(true)),
            "false" | "0" | "no" => Ok(Some(false)),
            _ => Err(Failure::invalid_arguments(format!("{name} must be true or false"))),
        }
    }

    /// An integer.
    ///
    /// # Errors
    /// `code`: it is none.
    pub fn integer(&self, name: &str, code: &'static str) -> Result<Option<i64>, Failure> {
        let Some(text) = self.given(name)? else { return Ok(None) };
        let whole = text.strip_suffix(".0").unwrap_or(&text);
        whole.parse().map(Some).map_err(|_| Failure::with_message(code, format!("{name} must be an integer")))
    }

    /// A list: separated by commas, or a JSON array (also inside a text).
    ///
    /// # Errors
    /// `invalid_arguments`: it is an object, or an array of something else than texts and numbers.
    pub fn list(&self, name: &str) -> Result<Vec<String>, Failure> {
        let wrong = || Failure::invalid_arguments(format!("{name} must be a list"));
        let raw = match self.map.get(name) {
            None => return Ok(Vec::new()),
            Some(Arg::Text(text) | Arg::Json(text)) => text.trim(),
        };
        if raw.starts_with('{') {
            return Err(wrong());
        }
        if !raw.starts_with('[') {
            return Ok(raw
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(str::to_owned)
                .collect());
        }
        let items: Vec<serde_json::Value> = serde_json::from_str(raw).map_err(|_| wrong())?;
        items
            .into_iter()
            .map(|item| match item {
                serde_json::Value::String(text) => Ok(text.trim().to_owned()),
                serde_json::Value::Number(number) => Ok(number.to_string()),
                _ => Err(wrong()),
            })
            .collect()
    }

    /// JSON: a value of a JSON body, or a text that may hold it. As it came.
    #[must_use]
    pub fn json(&self, name: &str) -> Option<&str> {
        match self.map.get(name)? {
            Arg::Text(text) | Arg::Json(text) => Some(text.trim()).filter(|text| !text.is_empty()),
        }
    }

    /// Names and texts of all arguments but the token, sorted: what `api.test` echoes.
    #[must_use]
    pub fn echo(&self) -> Vec<(&str, &str)> {
        let mut all: Vec<_> = self
            .map
            .iter()
            .filter(|(name, _)| *name != "token")
            .map(|(name, Arg::Text(value) | Arg::Json(value))| (name.as_str(), value.as_str()))
            .collect();
        all.sort_unstable();
        all
    }
}

/// Reads a body up to [`BODY_BYTES_MAX`]; reads on for a while when it is longer.
async fn collect<B>(mut body: B, large: &Semaphore) -> Result<Bytes, Failure>
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    let too_large = || {
        let message = format!("a request has at most {BODY_BYTES_MAX} bytes");
        Failure::with_message("request_too_large", message)
    };
    if body.size_hint().lower() > u64::try_from(BODY_BYTES_MAX).unwrap_or(u64::MAX) {
        discard(body).await;
        return Err(too_large());
    }
    let mut content = BytesMut::new();
    let mut permit = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Failure::with_message("request_timeout", "the body broke off"))?;
        let Ok(data) = frame.into_data() else { continue };
        if content.len() + data.len() > BODY_BYTES_MAX {
            discard(body).await;
            return Err(too_large());
        }
        if content.len() + data.len() > BODY_BYTES_SMALL && permit.is_none() {
            permit = Some(large.acquire().await.map_err(|_| Failure::new("service_unavailable"))?);
        }
        content.extend_from_slice(&data);
    }
    Ok(content.freeze())
}

/// Reads what nobody wants to know, within bounds, so that its sender gets to see the answer. What is
/// announced to be longer is not waited for.
pub async fn discard<B: http_body::Body<Data = Bytes> + Unpin>(mut body: B) {
    if body.size_hint().lower() > u64::try_from(DISCARD_BYTES_MAX).unwrap_or(u64::MAX) {
        return;
    }
    let mut bytes = 0;
    let read = async {
        while let Some(Ok(frame)) = body.frame().await {
            bytes += frame.into_data().map_or(0, |data| data.len());
            if bytes > DISCARD_BYTES_MAX {
                break;
            }
        }
    };
    // Late or not, the answer is the same.
    let _ = tokio::time::timeout(DISCARD_TIMEOUT, read).await;
}

fn check_charset(parameters: &str) -> Result<(), Failure> {
    let charset = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("charset")
            .then(|| value.trim().trim_matches('"').to_ascii_lowercase())
    });
    match charset.as_deref() {
        None | Some("utf-8" | "utf8" | "us-ascii") => Ok(()),
        Some(_) => Err("invalid_charset".into()),
    }
}

fn decode(raw: &[u8]) -> Result<String, Failure> {
    text(decode_bytes(raw))
}

fn text(bytes: Vec<u8>) -> Result<String, Failure> {
    String::from_utf8(bytes).map_err(|_| Failure::new("invalid_form_data"))
}

/// Decodes one name or value of a form. A `%` that starts no pair of digits stands for itself.
fn decode_bytes(raw: &[u8]) -> Vec<u8> {
    let digit = |byte: Option<&u8>| byte.and_then(|&byte| char::from(byte).to_digit(16));
    let mut text = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let [first, after @ ..] = rest {
        rest = after;
        match first {
            b'+' => text.push(b' '),
            b'%' => match (digit(after.first()), digit(after.get(1))) {
                (Some(high), Some(low)) => {
                    text.push(u8::try_from(high << 4 | low).unwrap_or_default());
                    rest = after.get(2..).unwrap_or_default();
                }
                _ => text.push(b'%'),
            },
            other => text.push(*other),
        }
    }
    text
}
