//! Scopes that depend on the kind of conversation.

use model::{ChannelKind, Principal};

use crate::errors::Failure;

/// Scopes that no method needs as a whole.
pub const FURTHER: &[&str] =
    &["app_mentions:read", "chat:write.customize", "chat:write.public", "users:read.email", "users:write"];

/// What a method does to a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Looks at it and its members.
    Read,
    /// Reads its messages.
    History,
    /// Changes it.
    Manage,
    /// Sets its topic or purpose.
    Topic,
    /// Brings people in.
    Invite,
}

/// Checks that a token has a scope for this kind of conversation.
///
/// # Errors
/// `missing_scope`.
pub fn check(principal: &Principal, family: Family, kind: ChannelKind) -> Result<(), Failure> {
    let wanted = wanted(family, kind);
    if principal.scopes.any_of(wanted) {
        Ok(())
    } else {
        Err(Failure::missing_scope(wanted, principal.scopes.to_text()))
    }
}

fn wanted(family: Family, kind: ChannelKind) -> &'static [&'static str] {
    use ChannelKind::{Direct, GroupDirect, Private, Public};
    match (family, kind) {
        (Family::Read, Public) => &["channels:read"],
        (Family::Read, Private) => &["groups:read"],
        (Family::Read, Direct) => &["im:read"],
        (Family::Read, GroupDirect) => &["mpim:read"],
        (Family::History, Public) => &["channels:history"],
        (Family::History, Private) => &["groups:history"],
        (Family::History, Direct) => &["im:history"],
        (Family::History, GroupDirect) => &["mpim:history"],
        (Family::Manage, Public) => &["channels:manage", "channels:write"],
        (Family::Manage, Private) => &["groups:write"],
        (Family::Manage | Family::Invite, Direct) => &["im:write"],
        (Family::Manage | Family::Invite, GroupDirect) => &["mpim:write"],
        (Family::Topic, Public) => &["channels:write.topic", "channels:manage", "channels:write"],
        (Family::Topic, Private) => &["groups:write.topic", "groups:write"],
        (Family::Topic, Direct) => &["im:write.topic", "im:write"],
        (Family::Topic, GroupDirect) => &["mpim:write.topic", "mpim:write"],
        (Family::Invite, Public) => &["channels:write.invites", "channels:manage", "channels:write"],
        (Family::Invite, Private) => &["groups:write.invites", "groups:write"],
    }
}
