//! A committed event as it travels to the sockets.

use bytes::Bytes;
use model::{Event, EventKind, Micros, WriteTimes};
use rpc::{Audience, Effect, EventRecord};

use crate::appender::WriteContext;

/// Renders an event and says what it means to gateways. Addresses in it start with `site`. `committed` is when the store had it;
/// for events read back from the store it is 0, as is what [`WriteContext::default`] says.
#[must_use]
pub fn record(event: &Event, context: &WriteContext, committed: Micros, site: &str) -> EventRecord {
    let rendered = wire::event::render(event, site);
    EventRecord {
        topic: event.topic,
        position: event.position,
        audience: Audience::ALL,
        effect: effect(&event.kind),
        // Only the message itself is what the sender's socket has an acknowledgement for.
        origin: context.origin.filter(|_| matches!(event.kind, EventKind::Message { .. })),
        trace: context.trace,
        times: WriteTimes { accepted: context.accepted, committed },
        body: Bytes::from(rendered.body),
        extra: Bytes::from(rendered.extra),
    }
}

fn effect(kind: &EventKind) -> Effect {
    match kind {
        EventKind::MemberJoined { user, .. } => Effect::MemberJoined(*user),
        EventKind::MemberLeft { user, .. } => Effect::MemberLeft(*user),
        EventKind::Joined { channel, at } => Effect::Joined { channel: channel.id, at: *at },
        EventKind::Left { channel, at, .. } => Effect::Left { channel: *channel, at: *at },
        EventKind::ManualPresence { away } => Effect::ManualPresence { away: *away },
        EventKind::Message { .. }
        | EventKind::MessageChanged { .. }
        | EventKind::MessageDeleted { .. }
        | EventKind::ReactionAdded(_)
        | EventKind::ReactionRemoved(_)
        | EventKind::GroupArchived { .. }
        | EventKind::Marked { .. }
        | EventKind::ChannelCreated(_)
        | EventKind::ChannelArchived { .. }
        | EventKind::TeamJoin(_)
        | EventKind::UserChange(..)
        | EventKind::GroupUnarchived { .. }
        | EventKind::GroupRenamed(_)
        | EventKind::PinAdded(_)
        | EventKind::PinRemoved(_)
        | EventKind::FileShared { .. }
        | EventKind::FileUnshared { .. }
        | EventKind::FileChanged(_)
        | EventKind::FilePublic { .. }
        | EventKind::FileDeleted { .. }
        | EventKind::FileCreated { .. }
        | EventKind::Opened { .. }
        | EventKind::Closed { .. }
        | EventKind::ThreadFollowed(_)
        | EventKind::ThreadMarked(_)
        | EventKind::PreferenceChanged { .. }
        | EventKind::TeamPreferenceChanged { .. }
        | EventKind::DndChanged(_)
        | EventKind::ChannelUnarchived { .. }
        | EventKind::ChannelRenamed(_)
        | EventKind::ChannelConvertedToPrivate { .. }
        | EventKind::Nothing => Effect::None,
    }
}
