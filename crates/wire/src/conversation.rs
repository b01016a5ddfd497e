//! The conversation object.

use model::{Channel, ChannelKind, Described, Membership, Ts, UserId, WorkspaceId};

use crate::json::Object;

/// From where somebody looks at a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen<'a> {
    /// They are not in it.
    FromOutside,
    /// They are in it.
    FromInside,
    /// They are in it, and have read so far.
    ByReader(&'a Membership),
}

impl<'a> Seen<'a> {
    /// Whether it is in their list of conversations.
    fn is_open(self) -> bool {
        !matches!(self, Self::ByReader(membership) if !membership.open)
    }

    /// By a membership, if there is one.
    #[must_use]
    pub fn by(membership: Option<&'a Membership>) -> Self {
        membership.map_or(Self::FromOutside, Self::ByReader)
    }
}

/// Writes a conversation as `viewer` sees it.
pub fn put_conversation(
    object: &mut Object,
    workspace: WorkspaceId,
    channel: &Channel,
    viewer: UserId,
    seen: Seen<'_>,
) {
    match channel.kind {
        ChannelKind::Direct => put_direct(object, workspace, channel, viewer, seen.is_open()),
        ChannelKind::Public | ChannelKind::Private | ChannelKind::GroupDirect => {
            put_channel(object, workspace, channel, seen != Seen::FromOutside);
            if channel.kind == ChannelKind::GroupDirect {
                object.put("is_open", &seen.is_open());
            }
        }
    }
    if let Seen::ByReader(membership) = seen {
        object.text("last_read", membership.last_read);
    }
}

/// Adds what a client's own list needs: newest message, unread, mentions.
pub fn put_unread(object: &mut Object, channel: &Channel, membership: &Membership) {
    object
        .text("latest", channel.latest)
        .put("has_unreads", &(channel.latest > membership.last_read && channel.latest > Ts::ZERO))
        .put("mention_count", &membership.mention_count);
}

fn put_direct(object: &mut Object, workspace: WorkspaceId, channel: &Channel, viewer: UserId, open: bool) {
    let other = channel.direct_members.iter().find(|&&user| user != viewer).copied().unwrap_or(viewer);
    object
        .text("id", channel.id)
        .put("created", &channel.created.div_euclid(1_000_000))
        .put("is_im", &true)
        .put("is_channel", &false)
        .put("is_group", &false)
        .put("is_mpim", &false)
        .put("is_private", &true)
        .put("is_archived", &channel.archived)
        .put("is_org_shared", &false)
        .text("user", other)
        .put("is_open", &open)
        .put("priority", &0)
        .object("topic", |topic| put_described(topic, &channel.topic))
        .object("purpose", |purpose| put_described(purpose, &channel.purpose))
        .put("updated", &channel.updated.div_euclid(1_000))
        .text("context_team_id", workspace);
}

fn put_channel(object: &mut Object, workspace: WorkspaceId, channel: &Channel, is_member: bool) {
    let public = channel.kind == ChannelKind::Public;
    object
        .text("id", channel.id)
        .put("name", &channel.name)
        .put("name_normalized", &channel.name)
        .put("is_channel", &public)
        .put("is_group", &!public)
        .put("is_im", &false)
        .put("is_mpim", &(channel.kind == ChannelKind::GroupDirect))
        .put("is_private", &!public)
        .put("created", &channel.created.div_euclid(1_000_000))
        .put("is_archived", &channel.archived)
        .put("is_general", &channel.general)
        .put("unlinked", &0)
        .text("creator", channel.creator)
        .put("is_shared", &false)
        .put("is_ext_shared", &false)
        .put("is_org_shared", &false)
        .put("is_pending_ext_shared", &false)
        .texts("shared_team_ids", [workspace])
        .texts("pending_shared", [] as [&str; 0])
        .texts("pending_connected_team_ids", [] as [&str; 0])
        .put("is_member", &is_member)
        .object("topic", |topic| put_described(topic, &channel.topic))
        .object("purpose", |purpose| put_described(purpose, &channel.purpose))
        .texts("previous_names", &channel.previous_names)
        .put("num_members", &channel.member_count)
        .put("updated", &channel.updated.div_euclid(1_000))
        .text("context_team_id", workspace);
}

fn put_described(object: &mut Object, described: &Described) {
    object
        .put("value", &described.value)
        .put("creator", &described.by.map(|user| user.to_string()).unwrap_or_default())
        .put("last_set", &described.at.div_euclid(1_000_000));
}
