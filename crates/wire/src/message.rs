//! The message object.

use std::borrow::Cow;

use model::{Message, Replies, Subtype, Ts, UserId, WorkspaceId};

use crate::{file::put_file, json::Object, user::put_icons};

/// The user that Slack names as the author of what is left of a deleted message.
const TOMBSTONE_USER: &str = "USLACKBOT";

/// What of a message object depends on the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MessageView<'a> {
    /// Shown in its channel: the object names it (events do, pages do not).
    pub channel: bool,
    /// With metadata (`include_all_metadata`; events always).
    pub metadata: bool,
    /// Where the server is reached, without a slash at its end: addresses of files start with it.
    pub site: &'a str,
}

/// Writes a message as it is now.
pub fn put_message(object: &mut Object, workspace: WorkspaceId, message: &Message, view: MessageView<'_>) {
    object.put("type", "message");
    put_subtype(object, message.subtype.as_ref());
    if view.channel {
        object.text("channel", message.channel);
    }
    put_author(object, workspace, message, view.site);
    object.put("text", &text(message)).text("ts", message.ts).text("team", workspace);
    put_thread(object, message);
    // Of what was deleted nothing is shown, whatever the store still has.
    if message.subtype == Some(Subtype::Tombstone) {
        return;
    }
    if let Some(key) = &message.client_msg_id {
        object.put("client_msg_id", key.as_str());
    }
    if let Some((user, ts)) = message.edited {
        object.object("edited", |edited| {
            edited.text("user", user).text("ts", ts);
        });
    }
    put_content(object, message, view);
    if !message.files.is_empty() {
        object.put("upload", &true).put("display_as_bot", &false);
        object.objects("files", &message.files, |object, file| {
            put_file(object, workspace, file, view.site, None)
        });
    }
    if let Some((user, at)) = message.pinned {
        object.texts("pinned_to", [message.channel]).object("pinned_info", |info| {
            put_pinned_info(info, message, user, at);
        });
    }
    if !message.reactions.is_empty() {
        object.objects("reactions", &message.reactions, |object, reaction| {
            object
                .put("name", &reaction.name)
                .texts("users", &reaction.users)
                .put("count", &reaction.users.len());
        });
    }
}

/// Writes the thread under a message; with nothing left in it, zeros.
pub fn put_replies(object: &mut Object, replies: Option<&Replies>) {
    match replies {
        Some(replies) => object
            .put("reply_count", &replies.count)
            .put("reply_users_count", &replies.user_count)
            .text("latest_reply", replies.latest)
            .texts("reply_users", &replies.users),
        None => object
            .put("reply_count", &0)
            .put("reply_users_count", &0)
            .put("latest_reply", &None::<&str>)
            .texts("reply_users", [] as [&str; 0]),
    };
}

/// Writes who pinned a message, and when.
pub fn put_pinned_info(info: &mut Object, message: &Message, user: UserId, at: Ts) {
    info.text("channel", message.channel).text("pinned_by", user).put("pinned_ts", &at.seconds());
}

fn put_subtype(object: &mut Object, subtype: Option<&Subtype>) {
    match subtype {
        None => object,
        Some(Subtype::BotMessage) => object.put("subtype", "bot_message"),
        Some(Subtype::Me) => object.put("subtype", "me_message"),
        Some(Subtype::ThreadBroadcast) => object.put("subtype", "thread_broadcast"),
        Some(Subtype::FileShare) => object.put("subtype", "file_share"),
        Some(Subtype::ChannelJoin { inviter }) => {
            object.put("subtype", "channel_join").text_if("inviter", inviter.as_ref())
        }
        Some(Subtype::ChannelLeave) => object.put("subtype", "channel_leave"),
        Some(Subtype::ChannelTopic(topic)) => object.put("subtype", "channel_topic").put("topic", topic),
        Some(Subtype::ChannelPurpose(purpose)) => {
            object.put("subtype", "channel_purpose").put("purpose", purpose)
        }
        Some(Subtype::ChannelArchive) => object.put("subtype", "channel_archive"),
        Some(Subtype::ChannelUnarchive) => object.put("subtype", "channel_unarchive"),
        Some(Subtype::ChannelName { old, new }) => {
            object.put("subtype", "channel_name").put("old_name", old).put("name", new)
        }
        Some(Subtype::ConvertedToPrivate) => object.put("subtype", "channel_convert_to_private"),
        Some(Subtype::ConvertedToPublic) => object.put("subtype", "channel_convert_to_public"),
        Some(Subtype::Tombstone) => object.put("subtype", "tombstone").put("hidden", &true),
    };
}

fn put_author(object: &mut Object, workspace: WorkspaceId, message: &Message, site: &str) {
    match message.subtype {
        Some(Subtype::Tombstone) => {
            object.put("user", TOMBSTONE_USER);
            return;
        }
        // A bot under a name of its own is not shown as its user.
        Some(Subtype::BotMessage) => {}
        _ => {
            object.text("user", message.author);
        }
    }
    let Some(bot) = &message.bot else { return };
    object.text("bot_id", bot.id).text("app_id", bot.app).text_if("username", bot.username.as_ref());
    if let Some(profile) = &bot.profile {
        object.object("bot_profile", |object| {
            object
                .text("id", bot.id)
                .text("app_id", bot.app)
                .put("name", &profile.name)
                .object("icons", |icons| put_icons(icons, message.author, site))
                .put("deleted", &false)
                .put("updated", &profile.updated)
                .text("team_id", workspace);
        });
    }
    if bot.icon_emoji.is_some() || bot.icon_url.is_some() {
        object.object("icons", |icons| {
            icons
                .text_if("emoji", bot.icon_emoji.as_ref())
                .text_if("image_48", bot.icon_url.as_ref())
                .text_if("image_64", bot.icon_url.as_ref());
        });
    }
}

fn put_content(object: &mut Object, message: &Message, view: MessageView<'_>) {
    if let Some(blocks) = &message.blocks {
        object.raw("blocks", blocks);
    }
    if let Some(attachments) = &message.attachments {
        object.raw("attachments", attachments);
    }
    if let (true, Some(metadata)) = (view.metadata, &message.metadata) {
        object.raw("metadata", metadata);
    }
}

fn put_thread(object: &mut Object, message: &Message) {
    let Some(thread) = message.thread else { return };
    object.text("thread_ts", thread);
    if message.is_reply() {
        object.text_if("parent_user_id", message.parent_author);
    } else if let Some(replies) = &message.replies {
        put_replies(object, Some(replies));
        object.put("is_locked", &false);
    }
}

/// The text; for what the server says itself, Slack's words when the store has none.
fn text(message: &Message) -> Cow<'_, str> {
    let stored = message.text.as_str();
    let author = message.author;
    match &message.subtype {
        Some(Subtype::Tombstone) => "This message was deleted.".into(),
        _ if !stored.is_empty() => stored.into(),
        Some(Subtype::ChannelJoin { .. }) => format!("<@{author}> has joined the channel").into(),
        Some(Subtype::ChannelLeave) => format!("<@{author}> has left the channel").into(),
        Some(Subtype::ChannelTopic(topic)) if topic.is_empty() => {
            format!("<@{author}> cleared the channel topic").into()
        }
        Some(Subtype::ChannelTopic(topic)) => format!("<@{author}> set the channel topic: {topic}").into(),
        Some(Subtype::ChannelPurpose(purpose)) if purpose.is_empty() => {
            format!("<@{author}> cleared the channel purpose").into()
        }
        Some(Subtype::ChannelPurpose(purpose)) => {
            format!("<@{author}> set the channel purpose: {purpose}").into()
        }
        Some(Subtype::ChannelArchive) => format!("<@{author}> archived the channel").into(),
        Some(Subtype::ChannelUnarchive) => format!("<@{author}> un-archived the channel").into(),
        _ => stored.into(),
    }
}
