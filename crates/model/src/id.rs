//! Ids: a one-letter prefix and 12 upper-case base-32 digits of a random 60-bit number.
//!
//! The number is the key inside; the text is the identity on the wire. Ids are never dense: they would
//! leak counts.

use std::{fmt, str::FromStr};

/// Bits of the random part of an id.
const RANDOM_BITS: u32 = 60;
/// Base-32 digits of the random part.
const DIGITS: usize = 12;
const RANDOM_MASK: u64 = (1 << RANDOM_BITS) - 1;
/// Set in the number of a channel whose text starts with `D` instead of `C`.
const DIRECT_BIT: u64 = 1 << RANDOM_BITS;

/// The text is not an id of the expected kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of the kind `{expected}…`")]
pub struct IdError {
    /// Prefix that was expected.
    pub expected: char,
}

fn parse_digits(digits: &str, expected: char) -> Result<u64, IdError> {
    let valid = digits.len() == DIGITS
        && digits.bytes().all(|byte| byte.is_ascii_digit() || (b'A'..=b'V').contains(&byte));
    if !valid {
        return Err(IdError { expected });
    }
    u64::from_str_radix(digits, 32).map_err(|_| IdError { expected })
}

fn write_digits(f: &mut fmt::Formatter<'_>, prefix: char, raw: u64) -> fmt::Result {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHIJKLMNOPQRSTUV";
    let mut text = [b'0'; DIGITS];
    let mut rest = raw & RANDOM_MASK;
    for place in text.iter_mut().rev() {
        *place =
            usize::try_from(rest & 31).ok().and_then(|digit| ALPHABET.get(digit)).copied().unwrap_or(b'0');
        rest >>= 5;
    }
    fmt::Write::write_char(f, prefix)?;
    f.write_str(std::str::from_utf8(&text).unwrap_or_default())
}

/// Defines one id newtype.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(u64);

        impl $name {
            /// Makes an id of 60 random bits; higher bits are dropped.
            #[must_use]
            pub const fn from_random(random: u64) -> Self { Self(random & RANDOM_MASK) }
            /// Wraps a number read from the store.
            #[must_use]
            pub const fn from_raw(raw: u64) -> Self { Self(raw) }
            /// The number, for keys only. Fits an `i64`.
            #[must_use]
            pub const fn raw(self) -> u64 { self.0 }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { write_digits(f, $prefix, self.0) }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Display::fmt(self, f) }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let digits = text.strip_prefix($prefix).ok_or(IdError { expected: $prefix })?;
                parse_digits(digits, $prefix).map(Self)
            }
        }
    };
}

id! {
    /// A workspace (Slack's team), `T…`: the unit of tenancy.
    WorkspaceId, 'T'
}
id! {
    /// A person or a bot's user in one workspace, `U…`.
    UserId, 'U'
}
id! {
    /// A bot, `B…`.
    BotId, 'B'
}
id! {
    /// An app, `A…`.
    AppId, 'A'
}

id! {
    /// A file, `F…`.
    FileId, 'F'
}
id! {
    /// A message that is to be posted later, `Q…`.
    ScheduledId, 'Q'
}
id! {
    /// A job. Operators see it; clients never do.
    JobId, 'J'
}

/// A conversation: `C…` for channels and group DMs, `D…` for DMs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelId(u64);

impl ChannelId {
    /// Makes the id of a channel (`C…`) of 60 random bits.
    #[must_use]
    pub const fn from_random(random: u64) -> Self {
        Self(random & RANDOM_MASK)
    }
    /// Makes the id of a DM (`D…`) of 60 random bits.
    #[must_use]
    pub const fn direct_from_random(random: u64) -> Self {
        Self(random & RANDOM_MASK | DIRECT_BIT)
    }
    /// Wraps a number read from the store.
    #[must_use]
    pub const fn from_raw(raw: u64) -> Self {
        Self(raw)
    }
    /// The number, for keys only. Fits an `i64`.
    #[must_use]
    pub const fn raw(self) -> u64 {
        self.0
    }
    /// Whether the id is that of a DM.
    #[must_use]
    pub const fn is_direct(self) -> bool {
        self.0 & DIRECT_BIT != 0
    }
}

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_digits(f, if self.is_direct() { 'D' } else { 'C' }, self.0)
    }
}

impl fmt::Debug for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ChannelId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if let Some(digits) = text.strip_prefix('D') {
            return parse_digits(digits, 'D').map(|raw| Self(raw | DIRECT_BIT));
        }
        let digits = text.strip_prefix('C').ok_or(IdError { expected: 'C' })?;
        parse_digits(digits, 'C').map(Self)
    }
}

/// One WebSocket of one device, unique for ever.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u128);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What kind of thing a topic belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TopicKind {
    /// A conversation.
    Channel,
    /// A person: their own devices.
    User,
    /// A workspace: its directory.
    Workspace,
}

/// Anything that events are fanned out for, inside a workspace. On the wire it is the id's own text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TopicId {
    /// A conversation's events.
    Channel(ChannelId),
    /// A person's own events, for their other devices.
    User(UserId),
    /// Directory changes of a workspace.
    Workspace(WorkspaceId),
}

impl TopicId {
    const KIND_SHIFT: u32 = 61;

    /// What it belongs to.
    #[must_use]
    pub const fn kind(self) -> TopicKind {
        match self {
            Self::Channel(_) => TopicKind::Channel,
            Self::User(_) => TopicKind::User,
            Self::Workspace(_) => TopicKind::Workspace,
        }
    }

    /// One number for all kinds, for keys only. Fits an `i64`; orders topics for locking.
    #[must_use]
    pub const fn raw(self) -> u64 {
        match self {
            Self::Channel(id) => id.raw(),
            Self::User(id) => id.raw() | 1 << Self::KIND_SHIFT,
            Self::Workspace(id) => id.raw() | 2 << Self::KIND_SHIFT,
        }
    }

    /// Reads what [`TopicId::raw`] made. `None` for a kind that does not exist.
    #[must_use]
    pub const fn from_raw(raw: u64) -> Option<Self> {
        let id = raw & !(3 << Self::KIND_SHIFT);
        match raw >> Self::KIND_SHIFT {
            0 => Some(Self::Channel(ChannelId::from_raw(id))),
            1 => Some(Self::User(UserId::from_raw(id))),
            2 => Some(Self::Workspace(WorkspaceId::from_raw(id))),
            _ => None,
        }
    }

    /// The channel, if it is one.
    #[must_use]
    pub const fn channel(self) -> Option<ChannelId> {
        match self {
            Self::Channel(id) => Some(id),
            Self::User(_) | Self::Workspace(_) => None,
        }
    }
}

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Channel(id) => fmt::Display::fmt(id, f),
            Self::User(id) => fmt::Display::fmt(id, f),
            Self::Workspace(id) => fmt::Display::fmt(id, f),
        }
    }
}

impl fmt::Debug for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for TopicId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        match text.chars().next() {
            Some('U') => text.parse().map(Self::User),
            Some('T') => text.parse().map(Self::Workspace),
            _ => text.parse().map(Self::Channel),
        }
    }
}

/// A topic of a workspace: the unit of order, ownership and fan-out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Topic {
    /// The workspace it lives in.
    pub workspace: WorkspaceId,
    /// Which topic of that workspace.
    pub id: TopicId,
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.workspace, self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_round_trip_as_text_and_as_numbers() {
        for raw in [0, 1, 31, 32, RANDOM_MASK] {
            let user = UserId::from_random(raw);
            assert_eq!(user.to_string().parse(), Ok(user));
            assert_eq!(user.to_string().len(), 13);
            let direct = ChannelId::direct_from_random(raw);
            assert!(direct.to_string().starts_with('D'));
            assert_eq!(direct.to_string().parse(), Ok(direct));
            for topic in [
                TopicId::Channel(direct),
                TopicId::Channel(ChannelId::from_random(raw)),
                TopicId::User(user),
                TopicId::Workspace(WorkspaceId::from_random(raw)),
            ] {
                assert_eq!(TopicId::from_raw(topic.raw()), Some(topic));
                assert_eq!(topic.to_string().parse(), Ok(topic));
                assert!(i64::try_from(topic.raw()).is_ok());
            }
        }
    }

    #[test]
    fn foreign_text_is_refused() {
        for text in [
            "",
            "U",
            "U1",
            "u000000000001",
            "U00000000000W",
            "C000000000001",
            "U0000000000011",
            "U+00000000001",
        ] {
            assert!(text.parse::<UserId>().is_err(), "{text}");
        }
    }
}
