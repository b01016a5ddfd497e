//! Events: Slack's event object, and what our own protocol adds to `_p`.

use model::{
    Channel, ChannelId, ChannelKind, Event, EventKind, FileId, Message, Parent, PinChange, Position,
    ReactionChange, Subscription, Topic, TopicId, Ts, UserId, UserPart, WorkspaceId,
};

use crate::{
    conversation::{Seen, put_conversation},
    dnd,
    file::put_file,
    json::Object,
    message::{MessageView, put_message, put_pinned_info, put_replies},
    presence,
    user::{UserView, put_user},
};

/// An event as clients get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// Slack's event object. Empty: there is nothing to show.
    pub body: Vec<u8>,
    /// Further members of `_p`, each with a leading comma. May be empty.
    pub extra: Vec<u8>,
}

/// Renders an event, the same for every session that gets it. Addresses in it start with `site`.
#[must_use]
pub fn render(event: &Event, site: &str) -> Rendered {
    if event.kind == EventKind::Nothing {
        return Rendered { body: Vec::new(), extra: Vec::new() };
    }
    let mut body = Object::new();
    put_event(&mut body, event, site);
    body.text("event_ts", event.at);
    let mut extra = Object::new();
    put_extra(&mut extra, event, site);
    Rendered { body: body.finish(), extra: extra.members() }
}

/// Renders a message that only one person sees and nothing stores.
#[must_use]
pub fn render_ephemeral(workspace: WorkspaceId, message: &Message) -> Vec<u8> {
    let mut body = Object::new();
    put_message(&mut body, workspace, message, EVENT_MESSAGE);
    body.put("is_ephemeral", &true).text("event_ts", message.ts);
    body.finish()
}

/// Writes `{"t":…,"g":…,"s":…}`.
pub fn put_position(object: &mut Object, topic: TopicId, position: Position) {
    object.text("t", topic).put("g", &position.generation.0).put("s", &position.seq.raw());
}

const EVENT_MESSAGE: MessageView<'_> = MessageView { channel: true, metadata: true, site: "" };

/// A message inside of something else.
fn inner(site: &str) -> MessageView<'_> {
    MessageView { channel: false, metadata: true, site }
}

fn put_event(body: &mut Object, event: &Event, site: &str) {
    let Topic { workspace, id: topic } = event.topic;
    match &event.kind {
        EventKind::Message { message, .. } => {
            put_message(body, workspace, message, MessageView { site, ..EVENT_MESSAGE });
            put_channel_type(body, message.channel);
        }
        EventKind::MessageChanged { message, previous } => {
            put_changed(body, event, message, previous.as_deref(), site);
        }
        // What stays in the place of a thread's parent is an edit to those who look at it.
        EventKind::MessageDeleted { tombstone: Some(tombstone), previous, .. } => {
            put_changed(body, event, tombstone, previous.as_deref(), site);
        }
        EventKind::MessageDeleted { ts, previous, tombstone: None, .. } => {
            body.put("type", "message").put("subtype", "message_deleted").put("hidden", &true);
            body.text_if("channel", topic.channel()).text("deleted_ts", ts).text("ts", event.at);
            if let Some(previous) = previous {
                body.object("previous_message", |object| {
                    put_message(object, workspace, previous, inner(site));
                });
            }
            if let Some(channel) = topic.channel() {
                put_channel_type(body, channel);
            }
        }
        EventKind::ReactionAdded(change) => put_reaction(body, "reaction_added", change),
        EventKind::ReactionRemoved(change) => put_reaction(body, "reaction_removed", change),
        EventKind::MemberJoined { user, inviter, kind, .. } => {
            put_member(body, "member_joined_channel", event, *user, *kind);
            body.text_if("inviter", inviter.as_ref());
        }
        EventKind::MemberLeft { user, by, kind, .. } => {
            put_member(body, "member_left_channel", event, *user, *kind);
            body.text_if("actor_id", by.as_ref());
        }
        EventKind::GroupUnarchived { user, channel } => {
            body.put("type", "group_unarchive").text("channel", channel).text("user", user);
            body.text("actor_id", user);
        }
        EventKind::GroupRenamed(channel) => put_renamed(body, "group_rename", channel),
        EventKind::PinAdded(change) => put_pin(body, "pin_added", event, change, site),
        EventKind::PinRemoved(change) => {
            put_pin(body, "pin_removed", event, change, site);
            body.put("has_pins", &(change.pins > 0));
        }
        EventKind::FileShared { file, user } => {
            put_file_event(body, "file_shared", *file, Some(*user));
            body.text_if("channel_id", topic.channel());
        }
        EventKind::FileUnshared { file, user } => {
            put_file_event(body, "file_unshared", *file, Some(*user));
            body.text_if("channel_id", topic.channel());
        }
        EventKind::FileChanged(file) => put_file_event(body, "file_change", file.id, None),
        EventKind::FilePublic { file, user } => put_file_event(body, "file_public", *file, Some(*user)),
        EventKind::FileCreated { file, user } => put_file_event(body, "file_created", *file, Some(*user)),
        // Each channel learns of itself only.
        EventKind::FileDeleted { file } => {
            body.put("type", "file_deleted").text("file_id", file).texts("channel_ids", topic.channel());
        }
        EventKind::Opened { channel, kind } => put_listed(body, topic, *channel, *kind, "open"),
        EventKind::Closed { channel, kind } => put_listed(body, topic, *channel, *kind, "close"),
        EventKind::ThreadFollowed(subscription) => {
            let name = if subscription.active { "thread_subscribed" } else { "thread_unsubscribed" };
            put_subscription(body, name, *subscription);
        }
        EventKind::ThreadMarked(subscription) => put_subscription(body, "thread_marked", *subscription),
        EventKind::PreferenceChanged { name, value } => {
            body.put("type", "pref_change").put("name", name).raw("value", value);
        }
        EventKind::TeamPreferenceChanged { name, value } => {
            body.put("type", "team_pref_change").put("name", name).raw("value", value);
        }
        EventKind::ManualPresence { away } => {
            body.put("type", "manual_presence_change").put("presence", presence::name(!away));
        }
        EventKind::DndChanged(user) => {
            let own = matches!(topic, TopicId::User(_));
            let (name, seen) = if own {
                ("dnd_updated", dnd::Seen::ByThemselves)
            } else {
                ("dnd_updated_user", dnd::Seen::ByOthers)
            };
            body.put("type", name).text("user", user.id).object("dnd_status", |object| {
                dnd::put_dnd(object, user, event.at.seconds(), seen);
            });
        }
        EventKind::Joined { channel, .. } => put_joined(body, event, channel),
        EventKind::Left { channel, kind, by, .. } => {
            let name = if kind.is_public() { "channel_left" } else { "group_left" };
            body.put("type", name).text("channel", channel);
            let actor = by.or(match topic {
                TopicId::User(user) => Some(user),
                TopicId::Channel(_) | TopicId::Workspace(_) => None,
            });
            body.text_if("actor_id", actor);
        }
        EventKind::Marked { channel, kind, ts, mention_count, has_unreads } => {
            put_marked(body, (*channel, *kind), *ts, *mention_count, *has_unreads);
        }
        EventKind::ChannelCreated(channel) => {
            body.put("type", "channel_created").object("channel", |object| {
                object
                    .text("id", channel.id)
                    .put("name", &channel.name)
                    .put("name_normalized", &channel.name)
                    .put("is_channel", &true)
                    .put("is_group", &false)
                    .put("is_im", &false)
                    .put("is_mpim", &false)
                    .put("is_private", &false)
                    .put("is_archived", &channel.archived)
                    .put("is_general", &channel.general)
                    .put("is_frozen", &false)
                    .put("is_shared", &false)
                    .put("is_ext_shared", &false)
                    .put("is_pending_ext_shared", &false)
                    .put("is_org_shared", &false)
                    .put("created", &channel.created.div_euclid(1_000_000))
                    .text("creator", channel.creator)
                    .text("context_team_id", workspace);
            });
        }
        EventKind::ChannelArchived { user, channel } => {
            put_archived(body, "channel_archive", *user, *channel)
        }
        EventKind::GroupArchived { user, channel } => put_archived(body, "group_archive", *user, *channel),
        EventKind::ChannelUnarchived { user, channel } => {
            body.put("type", "channel_unarchive").text("channel", channel).text("user", user);
        }
        EventKind::ChannelRenamed(channel) => put_renamed(body, "channel_rename", channel),
        EventKind::ChannelConvertedToPrivate { channel } => {
            body.put("type", "channel_convert_to_private").text("channel", channel);
        }
        EventKind::TeamJoin(user) => {
            body.put("type", "team_join")
                .object("user", |object| put_user(object, user, seen_at(event, site)))
                .put("cache_ts", &event.at.seconds());
        }
        EventKind::UserChange(user, _) => {
            body.put("type", "user_change")
                .object("user", |object| put_user(object, user, seen_at(event, site)))
                .put("cache_ts", &event.at.seconds());
        }
        EventKind::Nothing => {}
    }
}

fn put_extra(extra: &mut Object, event: &Event, site: &str) {
    match &event.kind {
        EventKind::Message { parent: Some(parent), .. }
        | EventKind::MessageDeleted { parent: Some(parent), .. } => {
            put_parent(extra, parent);
        }
        EventKind::Joined { channel, at } => {
            extra.object("channel", |object| put_position(object, TopicId::Channel(channel.id), *at));
        }
        EventKind::MemberJoined { members, .. } | EventKind::MemberLeft { members, .. } => {
            extra.put("members", members);
        }
        EventKind::FileChanged(file) => {
            extra.object("file", |object| put_file(object, event.topic.workspace, file, site, None));
        }
        EventKind::UserChange(_, part) => {
            let part = match part {
                UserPart::Account => return,
                UserPart::Profile => "profile",
                UserPart::Status => "status",
            };
            extra.put("part", part);
        }
        EventKind::Left { channel, at, .. } => {
            extra.object("channel", |object| put_position(object, TopicId::Channel(*channel), *at));
        }
        _ => {}
    }
}

fn put_parent(extra: &mut Object, parent: &Parent) {
    extra.object("parent", |object| {
        object.text("ts", parent.ts);
        put_replies(object, parent.replies.as_ref());
    });
}

fn put_changed(body: &mut Object, event: &Event, message: &Message, previous: Option<&Message>, site: &str) {
    let workspace = event.topic.workspace;
    body.put("type", "message")
        .put("subtype", "message_changed")
        .put("hidden", &true)
        .text("channel", message.channel)
        .object("message", |object| put_message(object, workspace, message, inner(site)));
    if let Some(previous) = previous {
        body.object("previous_message", |object| put_message(object, workspace, previous, inner(site)));
    }
    body.text("ts", event.at);
    put_channel_type(body, message.channel);
}

/// Of a message's channel only the id is known here, and it tells DMs from the rest.
fn put_channel_type(body: &mut Object, channel: ChannelId) {
    if channel.is_direct() {
        body.put("channel_type", "im");
    }
}

fn put_reaction(body: &mut Object, name: &str, change: &ReactionChange) {
    body.put("type", name)
        .text("user", change.user)
        .put("reaction", &change.name)
        .text("item_user", change.item_user)
        .object("item", |item| {
            item.put("type", "message").text("channel", change.channel).text("ts", change.ts);
        });
}

/// Of a file Slack's events name only the id: what it is now is asked for.
fn put_file_event(body: &mut Object, name: &str, file: FileId, user: Option<UserId>) {
    body.put("type", name).text("file_id", file).text_if("user_id", user).object("file", |object| {
        object.text("id", file);
    });
}

fn put_member(body: &mut Object, name: &str, event: &Event, user: UserId, kind: ChannelKind) {
    let channel_type = match kind {
        ChannelKind::Public => "C",
        ChannelKind::Private | ChannelKind::GroupDirect => "G",
        ChannelKind::Direct => "D",
    };
    body.put("type", name)
        .text("user", user)
        .text_if("channel", event.topic.id.channel())
        .put("channel_type", channel_type)
        .text("team", event.topic.workspace);
}

fn put_joined(body: &mut Object, event: &Event, channel: &Channel) {
    let name = match channel.kind {
        ChannelKind::Public => "channel_joined",
        ChannelKind::Private => "group_joined",
        ChannelKind::Direct => "im_created",
        ChannelKind::GroupDirect => "mpim_joined",
    };
    let TopicId::User(viewer) = event.topic.id else { return };
    body.put("type", name);
    if channel.kind == ChannelKind::Direct {
        body.text("user", viewer);
    }
    body.object("channel", |object| {
        put_conversation(object, event.topic.workspace, channel, viewer, Seen::FromInside);
    });
}

/// Unread messages are not counted: 1 stands for "at least one".
fn put_marked(
    body: &mut Object,
    (channel, kind): (ChannelId, ChannelKind),
    ts: Ts,
    mentions: u64,
    has_unreads: bool,
) {
    let name = match kind {
        ChannelKind::Public => "channel_marked",
        ChannelKind::Private => "group_marked",
        ChannelKind::Direct => "im_marked",
        ChannelKind::GroupDirect => "mpim_marked",
    };
    let unread = u8::from(has_unreads);
    body.put("type", name)
        .text("channel", channel)
        .text("ts", ts)
        .put("has_unreads", &has_unreads)
        .put("unread_count", &unread)
        .put("unread_count_display", &unread)
        .put("num_mentions", &mentions)
        .put("num_mentions_display", &mentions)
        .put("mention_count", &mentions)
        .put("mention_count_display", &mentions);
}

fn put_renamed(body: &mut Object, name: &str, channel: &Channel) {
    body.put("type", name).object("channel", |object| {
        object
            .text("id", channel.id)
            .put("is_channel", &channel.kind.is_public())
            .put("is_mpim", &false)
            .put("name", &channel.name)
            .put("name_normalized", &channel.name)
            .put("created", &channel.created.div_euclid(1_000_000));
    });
}

/// A message in the form of `pins.list` and of the events about pins.
pub fn put_pin_item(
    item: &mut Object,
    workspace: WorkspaceId,
    message: &Message,
    (by, at): (UserId, Ts),
    site: &str,
) {
    item.put("type", "message")
        .put("created", &at.seconds())
        .text("created_by", by)
        .text("channel", message.channel)
        .object("message", |object| put_message(object, workspace, message, inner(site)));
}

fn put_pin(body: &mut Object, name: &str, event: &Event, change: &PinChange, site: &str) {
    let workspace = event.topic.workspace;
    let (message, user) = (&change.message, change.user);
    let at = message.pinned.map_or(event.at, |(_, at)| at);
    body.put("type", name)
        .text("user", user)
        .text("channel_id", message.channel)
        .object("item", |item| put_pin_item(item, workspace, message, (user, at), site))
        .text("item_user", message.author)
        .put("pin_count", &change.pins)
        .object("pinned_info", |info| put_pinned_info(info, message, user, at));
}

/// `im_open`, `mpim_close` and the like.
fn put_listed(body: &mut Object, topic: TopicId, channel: ChannelId, kind: ChannelKind, what: &str) {
    let family = if kind == ChannelKind::Direct { "im" } else { "mpim" };
    body.put("type", &format!("{family}_{what}")).text("channel", channel);
    if let TopicId::User(user) = topic {
        body.text("user", user);
    }
}

fn put_subscription(body: &mut Object, name: &str, subscription: Subscription) {
    body.put("type", name).object("subscription", |object| {
        object
            .put("type", "thread")
            .text("channel", subscription.channel)
            .text("thread_ts", subscription.thread)
            .text("last_read", subscription.last_read)
            .put("active", &subscription.active);
    });
}

fn seen_at<'a>(event: &Event, site: &'a str) -> UserView<'a> {
    UserView { site, now: event.at.seconds(), locale: true, ..UserView::default() }
}

fn put_archived(body: &mut Object, name: &str, user: UserId, channel: ChannelId) {
    body.put("type", name).text("channel", channel).text("user", user).put("is_moved", &0);
}
