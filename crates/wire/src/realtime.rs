//! Frames of our own realtime protocol, version 1: `docs/api/realtime.md`.

use std::fmt::Write as _;

use model::{Generation, Position, Seq, SessionId, TopicId, UserId, WorkspaceId};
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::value::RawValue;

use crate::presence::{self, IdsError};

/// How often a client should send `ping`, milliseconds.
pub const HEARTBEAT_MS: u32 = 15_000;

/// Close codes of our own. 4000–4499: connect again and resume; 4500–4999: do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseCode {
    /// The server restarts.
    Draining,
    /// A client that cannot pull was too far behind.
    TooSlow,
    /// Admission refused.
    Overloaded,
    /// No `resume` in time.
    NoResume,
    /// Nothing was heard for long.
    Idle,
    /// The server lost its footing with this session.
    Internal,
    /// The ticket is not valid.
    Ticket,
    /// The token or session was revoked.
    Revoked,
    /// The `Origin` is not allowed.
    Origin,
    /// A frame that no client of this protocol sends.
    Protocol,
}

impl CloseCode {
    /// The number in the close frame.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Draining => 4000,
            Self::TooSlow => 4001,
            Self::Overloaded => 4002,
            Self::NoResume => 4003,
            Self::Idle => 4004,
            Self::Internal => 4005,
            Self::Ticket => 4006,
            Self::Revoked => 4500,
            Self::Origin => 4501,
            Self::Protocol => 4502,
        }
    }

    /// The name, sent as the close reason.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Draining => "draining",
            Self::TooSlow => "too_slow",
            Self::Overloaded => "overloaded",
            Self::NoResume => "no_resume",
            Self::Idle => "idle",
            Self::Internal => "internal",
            Self::Ticket => "ticket",
            Self::Revoked => "revoked",
            Self::Origin => "origin",
            Self::Protocol => "protocol",
        }
    }
}

/// `hello`: the first frame.
#[must_use]
pub fn hello(session: SessionId, user: UserId, team: WorkspaceId) -> String {
    format!(
        r#"{{"type":"hello","protocol":1,"session":"{session}","user":"{user}","team":"{team}","heartbeat_ms":{HEARTBEAT_MS}}}"#
    )
}

fn positioned(kind: &str, topic: TopicId, at: Position) -> String {
    format!(r#"{{"type":"{kind}","t":"{topic}","g":{},"s":{}}}"#, at.generation.0, at.seq)
}

/// `_live`: everything up to `at` was sent.
#[must_use]
pub fn live(topic: TopicId, at: Position) -> String {
    positioned("_live", topic, at)
}

/// `_reset`: take a snapshot; events after `at` follow.
#[must_use]
pub fn reset(topic: TopicId, at: Position) -> String {
    positioned("_reset", topic, at)
}

/// `_skip`: the seq has nothing for this client.
#[must_use]
pub fn skip(topic: TopicId, at: Position) -> String {
    positioned("_skip", topic, at)
}

/// `_head`: events up to `at` were not sent; pull.
#[must_use]
pub fn head(topic: TopicId, at: Position) -> String {
    positioned("_head", topic, at)
}

/// `_gone`: no access or no such topic. `topic` is what the client wrote.
#[must_use]
pub fn gone(topic: &str) -> String {
    #[derive(Serialize)]
    struct Gone<'a> {
        r#type: &'static str,
        t: &'a str,
    }
    serde_json::to_string(&Gone { r#type: "_gone", t: topic }).unwrap_or_default()
}

/// `goodbye`: the socket is about to be closed; come back after `reconnect_ms`.
#[must_use]
pub fn goodbye(reconnect_ms: u64) -> String {
    format!(r#"{{"type":"goodbye","reconnect_ms":{reconnect_ms}}}"#)
}

/// `pong`; `id` is JSON as the client sent it.
#[must_use]
pub fn pong(id: Option<&str>) -> String {
    match id {
        Some(id) => format!(r#"{{"type":"pong","reply_to":{id}}}"#),
        None => r#"{"type":"pong"}"#.to_owned(),
    }
}

/// `error`: a frame of the client was not taken. `reply_to` is JSON as the client sent it, if it did.
#[must_use]
pub fn error(reply_to: Option<&str>, code: &str, message: &str) -> String {
    let message = serde_json::to_string(message).unwrap_or_default();
    let reply_to = reply_to.map(|id| format!(r#","reply_to":{id}"#)).unwrap_or_default();
    format!(r#"{{"type":"error"{reply_to},"error":{{"code":"{code}","msg":{message}}}}}"#)
}

/// What other people get while `user` types.
#[must_use]
pub fn user_typing(channel: TopicId, user: UserId, thread_ts: Option<model::Ts>) -> String {
    let thread = thread_ts.map(|ts| format!(r#","thread_ts":"{ts}""#)).unwrap_or_default();
    format!(r#"{{"type":"user_typing","channel":"{channel}","user":"{user}"{thread}}}"#)
}

/// The members of an event's `_p`, without the braces.
pub fn write_position(out: &mut String, topic: TopicId, at: Position) {
    // Writing to a String cannot fail.
    let _ = write!(out, r#""t":"{topic}","g":{},"s":{}"#, at.generation.0, at.seq);
}

/// Builds a `_page` frame, event by event.
#[derive(Debug)]
pub struct PageWriter {
    text: String,
    empty: bool,
}

impl PageWriter {
    /// A page of `topic` that holds the events with `from < seq <= to`.
    #[must_use]
    pub fn new(topic: TopicId, generation: Generation, from: Seq, to: Seq, bytes_hint: usize) -> Self {
        let mut text = String::with_capacity(bytes_hint + 128);
        let _ = write!(
            text,
            r#"{{"type":"_page","t":"{topic}","g":{},"from":{from},"to":{to},"events":["#,
            generation.0
        );
        Self { text, empty: true }
    }

    /// Adds an event that already carries its `_p`.
    pub fn push(&mut self, event: &str) {
        if !self.empty {
            self.text.push(',');
        }
        self.empty = false;
        self.text.push_str(event);
    }

    /// The frame. `more`: another page of this topic follows.
    #[must_use]
    pub fn finish(mut self, more: bool) -> String {
        let _ = write!(self.text, r#"],"more":{more}}}"#);
        self.text
    }
}

/// A position as a client claims it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// A position that could be.
    At(Position),
    /// Negative, a fraction, too large, or not a pair of numbers: one that never was.
    Absurd,
}

impl Claim {
    fn read(raw: Option<&RawValue>) -> Self {
        let pair = raw.and_then(|raw| serde_json::from_str::<(u32, u64)>(raw.get()).ok());
        match pair {
            Some((generation, seq)) if seq <= Seq::MAX => {
                Self::At(Position { generation: Generation(generation), seq: Seq::new(seq) })
            }
            _ => Self::Absurd,
        }
    }
}

/// A frame from a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientFrame {
    /// `resume`: topics as the client wrote them, each with its claim, in the order written.
    Resume(Vec<(String, Claim)>),
    /// `pull`.
    Pull {
        /// The topic as the client wrote it.
        topic: String,
        /// Send what is after it.
        after: Claim,
    },
    /// `ping`; `id` is JSON as the client wrote it.
    Ping {
        /// To be echoed as `reply_to`.
        id: Option<String>,
    },
    /// `typing`.
    Typing {
        /// The channel as the client wrote it.
        channel: String,
        /// The thread as the client wrote it.
        thread_ts: Option<String>,
    },
    /// `tickle`: the person does something.
    Tickle,
    /// `presence_sub`: watch these people, and no others.
    PresenceSub {
        /// Who, ascending.
        users: Vec<UserId>,
        /// JSON of `id`, for a refusal.
        id: Option<String>,
    },
    /// `presence_query`: tell how these people are.
    PresenceQuery {
        /// Who, ascending.
        users: Vec<UserId>,
        /// JSON of `id`, for a refusal.
        id: Option<String>,
    },
    /// One of the latter two with more ids than are taken.
    TooManyIds {
        /// JSON of `id`, for the refusal.
        id: Option<String>,
    },
    /// Anything else: ignored.
    Unknown,
}

/// The text is not an object, or a member of a known frame has no sensible type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a frame of this protocol")]
pub struct FrameError;

/// Members of all frames.
#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    positions: Option<&'a RawValue>,
    #[serde(borrow)]
    t: Option<&'a RawValue>,
    #[serde(borrow)]
    g: Option<&'a RawValue>,
    #[serde(borrow)]
    s: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    ids: Option<&'a RawValue>,
    #[serde(borrow)]
    channel: Option<&'a RawValue>,
    #[serde(borrow)]
    thread_ts: Option<&'a RawValue>,
}

/// The members of an object in order, values unread. Doubles are kept.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

fn string(raw: Option<&RawValue>) -> Option<String> {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok())
}

impl ClientFrame {
    /// Reads a frame.
    ///
    /// # Errors
    /// [`FrameError`]: the socket is to be closed.
    pub fn parse(text: &str) -> Result<Self, FrameError> {
        // A derived struct would also be read from an array.
        if !text.trim_start().starts_with('{') {
            return Err(FrameError);
        }
        let raw: Raw<'_> = serde_json::from_str(text).map_err(|_| FrameError)?;
        Ok(match string(raw.kind).as_deref() {
            Some("resume") => {
                let members: Members<'_> = match raw.positions {
                    Some(positions) => serde_json::from_str(positions.get()).map_err(|_| FrameError)?,
                    None => Members(Vec::new()),
                };
                let claims = members.0.into_iter().map(|(topic, at)| (topic, Claim::read(Some(at))));
                Self::Resume(claims.collect())
            }
            Some("pull") => {
                let pair = match (raw.g, raw.s) {
                    (Some(g), Some(s)) => RawValue::from_string(format!("[{},{}]", g.get(), s.get())).ok(),
                    _ => None,
                };
                Self::Pull { topic: string(raw.t).ok_or(FrameError)?, after: Claim::read(pair.as_deref()) }
            }
            Some("ping") => Self::Ping { id: raw.id.map(|id| id.get().to_owned()) },
            Some("typing") => Self::Typing {
                channel: string(raw.channel).ok_or(FrameError)?,
                thread_ts: string(raw.thread_ts),
            },
            Some("tickle") => Self::Tickle,
            Some(kind @ ("presence_sub" | "presence_query")) => {
                let id = raw.id.map(|id| id.get().to_owned());
                match presence::read_ids(raw.ids) {
                    Ok(users) if kind == "presence_sub" => Self::PresenceSub { users, id },
                    Ok(users) => Self::PresenceQuery { users, id },
                    Err(IdsError::TooMany) => Self::TooManyIds { id },
                    Err(IdsError::NotAList) => return Err(FrameError),
                }
            }
            _ => Self::Unknown,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(generation: u32, seq: u64) -> Claim {
        Claim::At(Position { generation: Generation(generation), seq: Seq::new(seq) })
    }

    #[test]
    fn frames_of_clients_are_read() {
        for (text, expect) in [
            (
                r#"{"type":"resume","positions":{"C000000000001":[1,42],"x":[1,2,3]}}"#,
                ClientFrame::Resume(vec![("C000000000001".into(), at(1, 42)), ("x".into(), Claim::Absurd)]),
            ),
            (r#"{"type":"resume"}"#, ClientFrame::Resume(vec![])),
            (
                r#"{"type":"pull","t":"C1","g":2,"s":7}"#,
                ClientFrame::Pull { topic: "C1".into(), after: at(2, 7) },
            ),
            (
                r#"{"type":"pull","t":"C1","g":2}"#,
                ClientFrame::Pull { topic: "C1".into(), after: Claim::Absurd },
            ),
            (r#"{"type":"ping","id":"a\"b"}"#, ClientFrame::Ping { id: Some(r#""a\"b""#.into()) }),
            (r#" {"type":"ping"}"#, ClientFrame::Ping { id: None }),
            (
                r#"{"type":"typing","channel":"C1","thread_ts":"1.2"}"#,
                ClientFrame::Typing { channel: "C1".into(), thread_ts: Some("1.2".into()) },
            ),
            (r#"{"type":"tickle"}"#, ClientFrame::Tickle),
            (
                r#"{"type":"presence_sub","ids":["U000000000007","x"],"id":7}"#,
                ClientFrame::PresenceSub { users: vec![UserId::from_random(7)], id: Some("7".into()) },
            ),
            (r#"{"type":"presence_query","ids":[]}"#, ClientFrame::PresenceQuery { users: vec![], id: None }),
            (r#"{"type":"dance"}"#, ClientFrame::Unknown),
            (r#"{"type":7}"#, ClientFrame::Unknown),
            ("{}", ClientFrame::Unknown),
        ] {
            assert_eq!(ClientFrame::parse(text), Ok(expect), "{text}");
        }
        for text in ["", "[]", "7", "null", "{", r#"["resume"]"#, r#"{"type":"resume","positions":[]}"#]
            .into_iter()
            .chain([r#"{"type":"presence_sub"}"#, r#"{"type":"presence_query","ids":"U000000000007"}"#])
        {
            assert_eq!(ClientFrame::parse(text), Err(FrameError), "{text}");
        }
    }

    #[test]
    fn absurd_positions_are_told_apart_from_possible_ones() {
        for absurd in [
            "-1",
            "[-1,2]",
            "[1,-2]",
            "[1,2.5]",
            "[1,1e3]",
            "[4294967296,1]",
            "[1,9007199254740992]",
            "[1,99999999999999999999999]",
            r#""1,2""#,
            r#"["1","2"]"#,
            "null",
            "{}",
            "[]",
            "[1]",
            "[1,2,3]",
        ] {
            let text = format!(r#"{{"type":"resume","positions":{{"C1":{absurd}}}}}"#);
            assert_eq!(
                ClientFrame::parse(&text),
                Ok(ClientFrame::Resume(vec![("C1".into(), Claim::Absurd)])),
                "{absurd}"
            );
        }
    }

    #[test]
    fn frames_of_the_server_are_as_documented() {
        let topic = TopicId::User(UserId::from_random(7));
        let at = Position { generation: Generation(1), seq: Seq::new(60) };
        assert_eq!(live(topic, at), r#"{"type":"_live","t":"U000000000007","g":1,"s":60}"#);
        assert_eq!(gone("a\"b"), r#"{"type":"_gone","t":"a\"b"}"#);
        let mut page = PageWriter::new(topic, at.generation, Seq::new(41), at.seq, 0);
        page.push(r#"{"a":1}"#);
        page.push(r#"{"b":2}"#);
        assert_eq!(
            page.finish(true),
            r#"{"type":"_page","t":"U000000000007","g":1,"from":41,"to":60,"events":[{"a":1},{"b":2}],"more":true}"#
        );
        assert_eq!(
            error(Some("7"), "too_many_ids", "no \"more\""),
            r#"{"type":"error","reply_to":7,"error":{"code":"too_many_ids","msg":"no \"more\""}}"#
        );
        assert_eq!(pong(Some("7")), r#"{"type":"pong","reply_to":7}"#);
    }
}
