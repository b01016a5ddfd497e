//! What clients see: Slack's objects, events and error codes, and our own realtime frames.
//!
//! Objects are written straight to JSON text ([`json::Object`]): no tree is built, keys keep their order,
//! and blocks go out byte for byte as they came in. Key names and types are Slack's.

pub mod blocks;
pub mod conversation;
pub mod dnd;
pub mod emoji;
pub mod event;
pub mod file;
pub mod file_types;
pub mod further;
pub mod json;
pub mod message;
pub mod mrkdwn;
pub mod presence;
pub mod realtime;
pub mod team;
pub mod user;

/// Addresses in answers: everything that a client opens starts with the public URL.
pub mod address {
    use model::{ChannelId, Ts};

    /// Address of the workspace: the public URL with exactly one slash at its end.
    #[must_use]
    pub fn team(public_url: &str) -> String {
        format!("{}/", public_url.trim_end_matches('/'))
    }

    /// Address of a message: `…/archives/C…/p1712345678000200`; a reply also names its thread.
    #[must_use]
    pub fn permalink(public_url: &str, channel: ChannelId, ts: Ts, thread: Option<Ts>) -> String {
        let digits = ts.to_string().replace('.', "");
        let message = format!("{}archives/{channel}/p{digits}", team(public_url));
        match thread.filter(|&thread| thread != ts) {
            Some(thread) => format!("{message}?thread_ts={thread}&cid={channel}"),
            None => message,
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn permalinks_have_slacks_form() {
            let channel = ChannelId::from_random(7);
            let (ts, parent) =
                (Ts::from_micros(1_712_345_678_000_200), Ts::from_micros(1_712_345_600_000_000));
            assert_eq!(
                permalink("http://host:1/", channel, ts, Some(ts)),
                "http://host:1/archives/C000000000007/p1712345678000200"
            );
            assert_eq!(
                permalink("http://host:1", channel, ts, Some(parent)),
                "http://host:1/archives/C000000000007/p1712345678000200?thread_ts=1712345600.000000&cid=C000000000007"
            );
        }
    }
}
