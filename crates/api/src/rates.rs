//! How often callers may call: Slack's tiers for app tokens, limits of our own for people's browsers.

use std::time::Duration;

use model::{ChannelId, Credential, CredentialId, Principal, WorkspaceId};

use crate::{limits::Rate, methods::Method};

/// Slack's tiers: calls a minute of one method by one app in one workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// 1+ a minute.
    T1,
    /// 20+ a minute.
    T2,
    /// 50+ a minute.
    T3,
    /// 100+ a minute.
    T4,
    /// `chat.postMessage`: several hundred a minute, besides one a second in each channel.
    Post,
    /// `auth.test`, `chat.getPermalink`: hundreds.
    Often,
    /// Not limited by token.
    Unlimited,
}

impl Tier {
    /// The rate; `None`: no limit.
    #[must_use]
    pub const fn rate(self) -> Option<Rate> {
        match self {
            // A client that reconnects a few times in a row must not be locked out for minutes.
            Self::T1 => Some(Rate { burst: 10, every: Duration::from_secs(60) }),
            Self::T2 => Some(Rate::per_minute(20)),
            Self::T3 => Some(Rate::per_minute(50)),
            Self::T4 => Some(Rate::per_minute(100)),
            Self::Post | Self::Often => Some(Rate::per_minute(600)),
            Self::Unlimited => None,
        }
    }
}

/// One message a second in a channel, after a burst.
const CHANNEL: Rate = Rate { burst: 30, every: Duration::from_secs(1) };
/// A browser session: all its calls together.
const SESSION: Rate = Rate { burst: 300, every: Duration::from_millis(50) };
/// Messages of a browser session.
const SESSION_POST: Rate = Rate { burst: 60, every: Duration::from_millis(200) };
/// Attempts to sign in to one account.
pub const SIGNIN_ACCOUNT: Rate = Rate { burst: 10, every: Duration::from_secs(30) };
/// Attempts to sign in, sign up or use an invitation from one address.
pub const SIGNIN_ADDRESS: Rate = Rate { burst: 50, every: Duration::from_secs(5) };

/// Sessions that start: 2,000 a second, about as many as one core boots. What is more than it can take is refused by [`crate::internal`].
pub const BOOTS: Rate = Rate { burst: 1_000, every: Duration::from_micros(500) };
/// Messages typed over one RTM socket.
pub const RTM_POST: Rate = Rate { burst: 60, every: Duration::from_millis(200) };

/// With more writes waiting than this, nobody boots: whoever is connected goes first.
const WAITING_BOOT_MAX: usize = 2_048;
/// With more writes waiting than this, pages of messages and lists are refused as well; what is left goes to
/// sends, which the appender refuses once its queue is full.
const WAITING_READ_MAX: usize = 4_096;

/// Whether a method is to be refused for now while so many writes wait: boots first, then big reads.
#[must_use]
pub fn is_shed(method: &str, waiting: usize) -> bool {
    match method {
        "client.userBoot" | "realtime.connect" | "rtm.connect" => waiting > WAITING_BOOT_MAX,
        "conversations.history"
        | "conversations.replies"
        | "conversations.list"
        | "users.conversations"
        | "users.list"
        | "conversations.members" => waiting > WAITING_READ_MAX,
        _ => false,
    }
}

/// What calls are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RateKey {
    /// A method of an app (or of a token without one) in a workspace.
    Method(&'static str, WorkspaceId, Holder),
    /// Messages of an app in a channel.
    Channel(ChannelId, Holder),
    /// A browser session.
    Session(CredentialId),
    /// Messages of a browser session.
    SessionPost(CredentialId),
}

/// Who is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Holder {
    /// Every token of an app.
    App(model::AppId),
    /// A token that belongs to no app.
    Token(CredentialId),
}

/// What attempts to sign in are counted by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Attempt {
    /// The address of an account, known or not.
    Account(WorkspaceId, String),
    /// The client's network address.
    Address(std::net::IpAddr),
}

/// The limit of a call; `None`: it has none.
#[must_use]
pub fn of_call(method: &Method, principal: &Principal, tiers: bool) -> Option<(RateKey, Rate)> {
    if principal.credential == Credential::Session {
        return Some(if method.tier == Tier::Post {
            (RateKey::SessionPost(principal.credential_id), SESSION_POST)
        } else {
            (RateKey::Session(principal.credential_id), SESSION)
        });
    }
    let rate = method.tier.rate().filter(|_| tiers)?;
    Some((RateKey::Method(method.name, principal.workspace, holder(principal)), rate))
}

/// The limit of a message in a channel.
#[must_use]
pub fn of_channel(principal: &Principal, channel: ChannelId) -> (RateKey, Rate) {
    let rate = if principal.credential == Credential::Session { SESSION_POST } else { CHANNEL };
    (RateKey::Channel(channel, holder(principal)), rate)
}

fn holder(principal: &Principal) -> Holder {
    principal.app.map_or(Holder::Token(principal.credential_id), Holder::App)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boots_are_shed_first_then_reads_and_sends_by_the_queue_alone() {
        for (waiting, boot, read) in [(0, false, false), (2_049, true, false), (4_097, true, true)] {
            assert_eq!(is_shed("client.userBoot", waiting), boot);
            assert_eq!(is_shed("conversations.history", waiting), read);
            assert!(!is_shed("chat.postMessage", waiting));
        }
    }

    #[test]
    fn what_is_shed_exists() {
        let shed = crate::methods::METHODS.iter().filter(|method| is_shed(method.name, usize::MAX));
        assert_eq!(shed.count(), 9);
    }
}
