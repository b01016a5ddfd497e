//! Slack's RTM, the part that a gateway answers: `message`, `typing`, `ping`, and what is taken quietly.

use rpc::{Actor, RtmSend, RtmSent};
use serde::Deserialize;
use serde_json::value::RawValue;

use model::{SessionId, UserId};
use wire::presence::{self, IdsError};

/// Error code of a message without text.
pub const NO_TEXT: i32 = 2;
/// Error code of what is sent too fast.
pub const TOO_FAST: i32 = -1;
/// Error code of a member whose value cannot be taken. Slack has none of its own for it.
pub const BAD_FIELD: i32 = 3;
/// Error code of what cannot be answered now.
pub const UNAVAILABLE: i32 = 4;
/// Error code of an unknown type.
pub const UNKNOWN_TYPE: i32 = 5;

/// Largest frame that a client may send, bytes.
pub const FRAME_BYTES_MAX: usize = 16 << 10;

/// What a client's frame asks for.
#[derive(Debug)]
pub enum RtmFrame {
    /// Send a message.
    Message(RtmMessage),
    /// The person types.
    Typing {
        /// Where, as written.
        channel: String,
        /// Thread, as written.
        thread_ts: Option<String>,
    },
    /// The person does something.
    Tickle,
    /// Watch these people, and no others.
    PresenceSub {
        /// Who, ascending.
        users: Vec<UserId>,
        /// JSON of `id`.
        id: Option<String>,
    },
    /// Tell how these people are.
    PresenceQuery {
        /// Who, ascending.
        users: Vec<UserId>,
        /// JSON of `id`.
        id: Option<String>,
    },
    /// Answered at once.
    Reply(String),
    /// Taken, without an answer.
    Ignored,
}

/// The text is not a JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a JSON object")]
pub struct FrameError;

/// A message as it was typed.
#[derive(Debug)]
pub struct RtmMessage {
    /// JSON of the answer's `reply_to`.
    pub reply_to: String,
    channel: String,
    text: String,
    thread_ts: Option<String>,
    reply_broadcast: bool,
    client_msg_id: Option<String>,
}

impl RtmMessage {
    /// The call that sends it.
    #[must_use]
    pub fn send(self, session: SessionId, actor: Actor) -> RtmSend {
        RtmSend {
            session,
            actor,
            channel: self.channel,
            text: self.text,
            thread_ts: self.thread_ts,
            reply_broadcast: self.reply_broadcast,
            client_msg_id: self.client_msg_id,
        }
    }
}

impl RtmFrame {
    /// Reads a frame.
    ///
    /// # Errors
    /// [`FrameError`]: the socket is to be closed.
    pub fn parse(text: &str) -> Result<Self, FrameError> {
        let Members(members) = serde_json::from_str(text).map_err(|_| FrameError)?;
        let raw = |name: &str| members.iter().rev().find(|(key, _)| key == name).map(|(_, value)| *value);
        let string =
            |name: &str| raw(name).and_then(|value| serde_json::from_str::<String>(value.get()).ok());
        let id = raw("id").map_or("null", RawValue::get);
        Ok(match string("type").as_deref() {
            Some("ping") => Self::Reply(pong(&members)),
            Some("message") => match message(id, raw) {
                Ok(message) => Self::Message(message),
                Err((code, why)) => Self::Reply(error(id, code, &why)),
            },
            Some("typing") => match string("channel") {
                Some(channel) => Self::Typing { channel, thread_ts: string("thread_ts") },
                None => Self::Ignored,
            },
            Some("tickle") => Self::Tickle,
            Some(kind @ ("presence_sub" | "presence_query")) => {
                let reply_to = raw("id").map(|id| id.get().to_owned());
                match presence::read_ids(raw("ids")) {
                    Ok(users) if kind == "presence_sub" => Self::PresenceSub { users, id: reply_to },
                    Ok(users) => Self::PresenceQuery { users, id: reply_to },
                    Err(IdsError::TooMany) => Self::Reply(error(id, BAD_FIELD, presence::TOO_MANY_IDS)),
                    Err(IdsError::NotAList) => {
                        Self::Reply(error(id, BAD_FIELD, "ids must be a list of strings"))
                    }
                }
            }
            _ if raw("id").is_some() => Self::Reply(error(id, UNKNOWN_TYPE, "unknown message type")),
            _ => Self::Ignored,
        })
    }
}

/// Reads a message. What it has and what cannot be taken is refused: an answer says that all of it was meant.
fn message<'a>(id: &str, raw: impl Fn(&str) -> Option<&'a RawValue>) -> Result<RtmMessage, (i32, String)> {
    let present = |name: &str| raw(name).map(RawValue::get).filter(|json| *json != "null");
    let wrong = |name: &str| (BAD_FIELD, format!("{name} cannot be taken as it is"));
    // A number stands for its own digits, as clients of Slack send a `thread_ts`.
    let text = |name: &str| match present(name) {
        None => Ok(None),
        Some(json) if json.starts_with('"') => {
            serde_json::from_str::<String>(json).map(Some).map_err(|_| wrong(name))
        }
        Some(json) if json.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => Ok(Some(json.to_owned())),
        Some(_) => Err(wrong(name)),
    };
    for name in ["blocks", "attachments"] {
        if present(name).is_some() {
            return Err((BAD_FIELD, format!("{name} are sent with chat.postMessage, not typed")));
        }
    }
    let reply_broadcast = match present("reply_broadcast") {
        None | Some("false" | "0" | "\"false\"" | "\"0\"") => false,
        Some("true" | "1" | "\"true\"" | "\"1\"") => true,
        Some(_) => return Err(wrong("reply_broadcast")),
    };
    let missing = || (NO_TEXT, "message text is missing".to_owned());
    Ok(RtmMessage {
        reply_to: id.to_owned(),
        channel: text("channel")?.unwrap_or_default(),
        text: text("text")?.filter(|text| !text.is_empty()).ok_or_else(missing)?,
        thread_ts: text("thread_ts")?,
        reply_broadcast,
        client_msg_id: text("client_msg_id")?,
    })
}

/// The answer to a ping: its other members come back as they were.
fn pong(members: &[(String, &RawValue)]) -> String {
    let mut text = r#"{"type":"pong""#.to_owned();
    for (key, value) in members {
        let name = match key.as_str() {
            "type" => continue,
            "id" => "reply_to",
            other => other,
        };
        let name = serde_json::to_string(name).unwrap_or_default();
        text.push_str(&format!(",{name}:{}", value.get()));
    }
    text.push('}');
    text
}

/// `ok:false` for a frame.
#[must_use]
pub fn error(reply_to: &str, code: i32, message: &str) -> String {
    let message = serde_json::to_string(message).unwrap_or_default();
    format!(r#"{{"ok":false,"reply_to":{reply_to},"error":{{"code":{code},"msg":{message}}}}}"#)
}

/// `ok:true` for a message.
#[must_use]
pub fn acknowledgement(reply_to: &str, sent: &RtmSent) -> String {
    let text = serde_json::to_string(&sent.text).unwrap_or_default();
    format!(r#"{{"ok":true,"reply_to":{reply_to},"ts":"{}","text":{text}}}"#, sent.ts)
}

/// The members of an object in order, values unread.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_answered_at_once() {
        for (text, expect) in [
            (
                r#"{"type":"ping","id":5,"time":1.50,"x":{"y":[ ]}}"#,
                r#"{"type":"pong","reply_to":5,"time":1.50,"x":{"y":[ ]}}"#,
            ),
            (r#"{"type":"ping"}"#, r#"{"type":"pong"}"#),
            (
                r#"{"id":2,"type":"message","channel":"C1"}"#,
                r#"{"ok":false,"reply_to":2,"error":{"code":2,"msg":"message text is missing"}}"#,
            ),
            (
                r#"{"id":"a","type":"message","channel":"C1","text":""}"#,
                r#"{"ok":false,"reply_to":"a","error":{"code":2,"msg":"message text is missing"}}"#,
            ),
            (
                r#"{"id":9,"type":"dance"}"#,
                r#"{"ok":false,"reply_to":9,"error":{"code":5,"msg":"unknown message type"}}"#,
            ),
        ] {
            match RtmFrame::parse(text) {
                Ok(RtmFrame::Reply(reply)) => assert_eq!(reply, expect),
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_is_taken_quietly_and_what_is_refused() {
        for text in [r#"{"type":"presence_change","presence":"away"}"#, "{}"] {
            assert!(matches!(RtmFrame::parse(text), Ok(RtmFrame::Ignored)), "{text}");
        }
        for text in ["", "[]", "7", "{", "null"] {
            assert!(RtmFrame::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_a_message_has_is_taken_or_refused() {
        let with = |member: &str| {
            RtmFrame::parse(&format!(r#"{{"id":1,"type":"message","channel":"C1","text":"t",{member}}}"#))
        };
        for (member, thread, broadcast) in [
            (r#""thread_ts":1234.500000"#, Some("1234.500000"), false),
            (r#""thread_ts":"1.0","reply_broadcast":true"#, Some("1.0"), true),
            (r#""thread_ts":"1.0","reply_broadcast":"true""#, Some("1.0"), true),
            (r#""thread_ts":"1.0","reply_broadcast":1"#, Some("1.0"), true),
            (r#""thread_ts":null,"reply_broadcast":null,"blocks":null"#, None, false),
        ] {
            let Ok(RtmFrame::Message(message)) = with(member) else { panic!("{member}") };
            assert_eq!(
                (message.thread_ts.as_deref(), message.reply_broadcast),
                (thread, broadcast),
                "{member}"
            );
        }
        for member in [
            r#""thread_ts":{}"#,
            r#""thread_ts":true"#,
            r#""client_msg_id":[1]"#,
            r#""reply_broadcast":"yes""#,
            r#""blocks":[]"#,
            r#""attachments":[{"text":"x"}]"#,
        ] {
            let name = member.split('"').nth(1).unwrap();
            let Ok(RtmFrame::Reply(reply)) = with(member) else { panic!("{member}") };
            assert!(
                reply.contains(r#""ok":false,"reply_to":1"#) && reply.contains(name),
                "{member}: {reply}"
            );
        }
    }

    #[test]
    fn a_message_is_sent_as_typed() {
        let text =
            r#"{"id":2,"type":"message","channel":"C1","text":"h\"i","thread_ts":"1.0","client_msg_id":"k"}"#;
        let Ok(RtmFrame::Message(message)) = RtmFrame::parse(text) else { panic!() };
        assert_eq!((message.reply_to.as_str(), message.text.as_str()), ("2", "h\"i"));
        let sent = RtmSent { ts: model::Ts::from_micros(1_000_002), text: "h\"i".into() };
        assert_eq!(
            acknowledgement("2", &sent),
            r#"{"ok":true,"reply_to":2,"ts":"0000000001.000002","text":"h\"i"}"#
        );
    }
}
