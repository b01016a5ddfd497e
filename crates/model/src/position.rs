//! Order: seq, generation, position, and Slack's `ts`.

use std::{fmt, str::FromStr};

/// A moment in microseconds since 1970-01-01 UTC.
pub type Micros = i64;

/// Place of an event in its topic: 1, 2, 3, … without holes. 0 is "before the first".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Seq(u64);

impl Seq {
    /// Before the first event.
    pub const ZERO: Self = Self(0);
    /// Largest seq: JavaScript's largest exact integer.
    pub const MAX: u64 = (1 << 53) - 1;

    /// Wraps a number; larger ones than [`Seq::MAX`] become it.
    #[must_use]
    pub const fn new(raw: u64) -> Self {
        Self(if raw > Self::MAX { Self::MAX } else { raw })
    }
    /// The number.
    #[must_use]
    pub const fn raw(self) -> u64 {
        self.0
    }
    /// The place after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self::new(self.0 + 1)
    }
    /// The place before this one; before the first it is [`Seq::ZERO`].
    #[must_use]
    pub const fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Which history of a topic: it changes only when the topic was restored from a backup. Starts at 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u32);

impl Generation {
    /// The first history.
    pub const FIRST: Self = Self(1);
}

/// A place in one history of a topic. Ordered by generation, then seq.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Which history.
    pub generation: Generation,
    /// Place in it.
    pub seq: Seq,
}

impl Position {
    /// The first history, before its first event.
    pub const START: Self = Self { generation: Generation::FIRST, seq: Seq::ZERO };
}

/// What is known of a topic's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HeadRead {
    /// It is here.
    At(Position),
    /// There is no such topic.
    Absent,
    /// The store that holds it cannot be asked now.
    Later,
}

impl From<Option<Position>> for HeadRead {
    fn from(head: Option<Position>) -> Self {
        head.map_or(Self::Absent, Self::At)
    }
}

/// Slack's message id: microseconds since 1970, strictly increasing inside a channel. Never a float.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Ts(i64);

impl Ts {
    /// Before every message.
    pub const ZERO: Self = Self(0);
    /// Largest value that the ten-digit text form can carry (year 2286).
    pub const MAX: Self = Self(9_999_999_999_999_999);

    /// Wraps microseconds.
    #[must_use]
    pub const fn from_micros(micros: Micros) -> Self {
        Self(micros)
    }
    /// Microseconds since 1970.
    #[must_use]
    pub const fn micros(self) -> Micros {
        self.0
    }
    /// Whole seconds since 1970.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }
}

impl fmt::Display for Ts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:010}.{:06}", self.0.div_euclid(1_000_000), self.0.rem_euclid(1_000_000))
    }
}

impl fmt::Debug for Ts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not a `ts`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a timestamp of the form 1712345678.000200")]
pub struct TsError;

impl FromStr for Ts {
    type Err = TsError;

    /// Reads `seconds[.fraction]`; a fraction shorter than six digits is padded on the right, a longer
    /// one is refused.
    fn from_str(text: &str) -> Result<Self, TsError> {
        let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if seconds.is_empty()
            || seconds.len() > 10
            || fraction.len() > 6
            || !digits(seconds)
            || !digits(fraction)
        {
            return Err(TsError);
        }
        let whole: i64 = seconds.parse().map_err(|_| TsError)?;
        let micros: i64 = format!("{fraction:0<6}").parse().map_err(|_| TsError)?;
        Ok(Self(whole * 1_000_000 + micros))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ts_keeps_every_digit() {
        for text in ["1712345678.000200", "0000000000.000000", "9999999999.999999"] {
            assert_eq!(text.parse::<Ts>().unwrap().to_string(), text);
        }
        assert_eq!("1712345678".parse::<Ts>().unwrap().to_string(), "1712345678.000000");
        assert_eq!("1712345678.2".parse::<Ts>().unwrap().to_string(), "1712345678.200000");
    }

    #[test]
    fn what_is_not_a_ts_is_refused() {
        for text in ["", ".", "-1.0", "1e9", "12345678901.0", "1.0000001", "1.+1", "now", "1 .0"] {
            assert!(text.parse::<Ts>().is_err(), "{text}");
        }
    }
}
