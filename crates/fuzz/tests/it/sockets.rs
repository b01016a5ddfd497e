//! What clients say over a WebSocket: our realtime protocol with its positions, and RTM.

use fuzz::{FLAT, fuzz, linear, text};
use gateway::rtm::{self, RtmFrame};
use serde::de::IgnoredAny;
use wire::realtime::{Claim, ClientFrame, pong};

const WORDS: &[&str] = &[
    "\"type\":",
    "\"positions\":{",
    "\"id\":",
    "\"ids\":[",
    "\"t\":\"C000000000001\"",
    "[1,42]",
    "[",
    "{",
    "\"",
    "null",
    "resume",
    "\\u0000",
    "\\ud800",
    "1e5",
    "\"presence_sub\"",
    "\"message\"",
    "\"text\":\"x\"",
    "\"channel\":\"C1\"",
    ",",
];

#[test]
fn frames_of_the_realtime_protocol() {
    let corpus: &[&[u8]] = &[
        br#"{"type":"resume","positions":{"C000000000001":[1,42],"T000000000001":[1,7],"x":[1,2,3]}}"#,
        br#"{"type":"pull","t":"C000000000001","g":2,"s":7}"#,
        br#"{"type":"ping","id":"a\"b"}"#,
        br#"{"type":"typing","channel":"C000000000001","thread_ts":"1712345678.000200"}"#,
        br#"{"type":"tickle"}"#,
        br#"{"type":"presence_sub","ids":["U000000000007","x"],"id":7}"#,
        br#"{"type":"presence_query","ids":[]}"#,
    ];
    fuzz("realtime", FLAT, corpus, WORDS, |bytes| {
        let text = text(bytes);
        let frame = ClientFrame::parse(&text);
        let claim = |claim: &Claim| match claim {
            Claim::At(at) => {
                assert!(at.seq.raw() <= model::Seq::MAX, "{at:?}");
                1
            }
            Claim::Absurd => 0,
        };
        let ids = |id: &Option<String>| {
            let id = id.as_deref().unwrap_or("null");
            assert!(is_json(id), "{id}");
        };
        match &frame {
            Err(_) => (0, 0),
            Ok(ClientFrame::Resume(claims)) => {
                (1, claims.len().min(8) * 2 + claims.iter().map(|(_, at)| claim(at)).max().unwrap_or(0))
            }
            Ok(ClientFrame::Pull { topic, after }) => (2, topic.len().min(4) + claim(after)),
            Ok(ClientFrame::Ping { id }) => {
                let answer = pong(id.as_deref());
                assert!(is_json(&answer), "{answer}");
                (3, usize::from(id.is_some()))
            }
            Ok(ClientFrame::Typing { thread_ts, .. }) => (4, usize::from(thread_ts.is_some())),
            Ok(ClientFrame::Tickle) => (5, 0),
            Ok(ClientFrame::PresenceSub { users, id }) => {
                ids(id);
                (6, users.len().min(8))
            }
            Ok(ClientFrame::PresenceQuery { users, id }) => {
                ids(id);
                (7, users.len().min(8))
            }
            Ok(ClientFrame::TooManyIds { .. }) => (8, 0),
            Ok(ClientFrame::Unknown) => (9, 0),
        }
    });
}

/// Whether it is JSON by its grammar. A client that sends half a surrogate or a thousand brackets gets them back.
fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

#[test]
fn frames_of_rtm() {
    let corpus: &[&[u8]] = &[
        br#"{"type":"ping","id":5,"time":1.50,"x":{"y":[ ]}}"#,
        br#"{"id":2,"type":"message","channel":"C1","text":"h\"i","thread_ts":"1.0","client_msg_id":"k"}"#,
        br#"{"id":9,"type":"message","channel":"C1","text":"t","reply_broadcast":"true","blocks":null}"#,
        br#"{"id":3,"type":"typing","channel":"C1"}"#,
        br#"{"type":"presence_sub","ids":["U000000000007"]}"#,
        br#"{"type":"presence_query","ids":["U000000000007"],"id":4}"#,
        br#"{"id":9,"type":"dance"}"#,
        br#"{"type":"tickle"}"#,
    ];
    fuzz("rtm", FLAT, corpus, WORDS, |bytes| match RtmFrame::parse(&text(bytes)) {
        Err(_) => (0, 0),
        Ok(RtmFrame::Message(message)) => {
            let sent = rpc_sent();
            let answer = rtm::acknowledgement(&message.reply_to, &sent);
            assert!(is_json(&answer), "{answer}");
            (1, 0)
        }
        Ok(RtmFrame::Typing { thread_ts, .. }) => (2, usize::from(thread_ts.is_some())),
        Ok(RtmFrame::Tickle) => (3, 0),
        Ok(RtmFrame::PresenceSub { users, .. }) => (4, users.len().min(8)),
        Ok(RtmFrame::PresenceQuery { users, .. }) => (5, users.len().min(8)),
        Ok(RtmFrame::Reply(reply)) => {
            assert!(is_json(&reply), "{reply}");
            (6, reply.len().min(40))
        }
        Ok(RtmFrame::Ignored) => (7, 0),
    });
}

fn rpc_sent() -> rpc::RtmSent {
    rpc::RtmSent { ts: model::Ts::from_micros(1_712_345_678_000_200), text: "h\"i".to_owned() }
}

#[test]
fn hostile_frames_take_no_longer_than_their_length() {
    let shapes: [(&str, &str, &str, &str); 9] = [
        ("nested arrays", r#"{"type":"ping","id":"#, "[", ""),
        ("nested arrays, closed", r#"{"type":"ping","id":"#, "[", "]"),
        ("nested objects", r#"{"type":"ping","id":"#, r#"{"a":"#, ""),
        ("members", r#"{"type":"ping""#, r#","a":1"#, ""),
        ("the same member", r#"{"type":"message""#, r#","id":1"#, ""),
        ("positions", r#"{"type":"resume","positions":{"C1":[1,2]"#, r#","C1":[1,2]"#, ""),
        ("ids", r#"{"type":"presence_sub","ids":["x""#, r#","U000000000007""#, ""),
        ("escapes", r#"{"type":"message","text":""#, r"\u00e9", ""),
        ("quotes", r#"{"type":"message","text":""#, r#"\""#, ""),
    ];
    for (name, before, piece, after) in shapes {
        for end in ["", "}", "]}", "\"}", "}}"] {
            let shape =
                |size: usize| [before, &piece.repeat(size), &after.repeat(size), end].concat().into_bytes();
            // Both protocols have smaller frames than that.
            linear(name, shape, 1 << 14, |bytes| {
                let text = text(bytes);
                std::hint::black_box(ClientFrame::parse(&text).is_ok());
                std::hint::black_box(RtmFrame::parse(&text).is_ok());
            });
        }
    }
}
