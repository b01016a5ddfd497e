//! Opaque cursors and page sizes.

use base64::{Engine, engine::general_purpose::STANDARD};
use model::Ts;

use crate::{args::Args, errors::Failure};

/// Most items of a page.
pub const PAGE_MAX: u32 = 1_000;

/// Makes a cursor of what it stands for and where it is.
#[must_use]
pub fn encode(kind: &str, place: impl std::fmt::Display) -> String {
    STANDARD.encode(format!("{kind}:{place}"))
}

/// Reads the `cursor` argument.
///
/// # Errors
/// `invalid_cursor`: this server did not make it, or for another kind of list.
pub fn decode<T: std::str::FromStr>(args: &Args, kind: &str) -> Result<Option<T>, Failure> {
    let Some(text) = args.given("cursor")? else { return Ok(None) };
    place(&text, kind).map(Some).ok_or_else(|| "invalid_cursor".into())
}

/// Reads the `limit` argument of a list: 1–1000.
///
/// # Errors
/// `invalid_limit`.
pub fn limit(args: &Args, default: u32) -> Result<u32, Failure> {
    match args.integer("limit", "invalid_limit")? {
        // Some clients say 0 when they mean nothing.
        None | Some(0) => Ok(default),
        Some(limit) => u32::try_from(limit)
            .ok()
            .filter(|&limit| limit <= PAGE_MAX)
            .ok_or_else(|| Failure::with_message("invalid_limit", "limit must be from 1 to 1000")),
    }
}

/// Reads the `limit` argument of a method that knows no `invalid_limit`: what is out of range is cut.
///
/// # Errors
/// `invalid_arguments`: it is no number.
pub fn lenient_limit(args: &Args, default: u32) -> Result<u32, Failure> {
    let limit = args.integer("limit", "invalid_arguments")?.filter(|&limit| limit > 0);
    Ok(limit.map_or(default, |limit| u32::try_from(limit).unwrap_or(PAGE_MAX).min(PAGE_MAX)))
}

/// Where to go on in a channel's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Messages {
    /// Older than this.
    Before(Ts),
    /// Newer than this.
    After(Ts),
}

impl Messages {
    /// Reads the `cursor` argument.
    ///
    /// # Errors
    /// `invalid_cursor`.
    pub fn decode(args: &Args) -> Result<Option<Self>, Failure> {
        let Some(text) = args.given("cursor")? else { return Ok(None) };
        let micros = |kind| place::<i64>(&text, kind).filter(|&micros| micros >= 0).map(Ts::from_micros);
        micros("next_ts")
            .map(Self::Before)
            .or_else(|| micros("after_ts").map(Self::After))
            .map(Some)
            .ok_or_else(|| "invalid_cursor".into())
    }

    /// The cursor.
    #[must_use]
    pub fn encode(self) -> String {
        match self {
            Self::Before(ts) => encode("next_ts", ts.micros()),
            Self::After(ts) => encode("after_ts", ts.micros()),
        }
    }
}

fn place<T: std::str::FromStr>(text: &str, kind: &str) -> Option<T> {
    let bytes = STANDARD.decode(text).ok()?;
    let (found, place) = std::str::from_utf8(&bytes).ok()?.split_once(':')?;
    if found == kind { place.parse().ok() } else { None }
}
