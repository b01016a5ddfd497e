//! Posting, editing and deleting messages.

use model::{
    BotProfile, ChannelId, ChannelKind, Draft, EventKind, File, Message, MessageText, Parent, Replies, Role,
    Seq, Subtype, Ts, UserId, Who, WorkspaceId,
};

use super::{Batch, Decided, changes::Replier, channels, files, rights, threads};
use crate::{
    By, Done, Refusal,
    rows::{StoredChannel, StoredMessage, channel_topic},
    tx::params,
};

/// Posts a message.
pub(super) async fn post(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    draft: Draft,
    public_without_membership: bool,
) -> Decided {
    if let Some(key) = &draft.client_msg_id
        && let Some(ts) = batch.key(workspace, draft.channel, draft.author, key).await?
    {
        let message = first_answer(batch, workspace, &draft, ts).await?;
        return Ok(Done::Posted { message: Box::new(message), repeated: true });
    }
    let (channel, parent) = may_post(batch, workspace, &draft, public_without_membership).await?;
    let message = write(batch, workspace, channel, draft, parent, Vec::new()).await?;
    Ok(Done::Posted { message: Box::new(message), repeated: false })
}

/// The channel, and the parent of a reply, if the author may post this there.
pub(super) async fn may_post(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    draft: &Draft,
    public_without_membership: bool,
) -> Decided<(StoredChannel, Option<StoredMessage>)> {
    let has_content =
        !draft.text.as_str().trim().is_empty() || draft.blocks.is_some() || draft.attachments.is_some();
    allowed(batch, workspace, draft, public_without_membership, has_content).await
}

/// As [`may_post`], of a message with files: it needs nothing else.
pub(super) async fn may_share(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    draft: &Draft,
    public_without_membership: bool,
) -> Decided<(StoredChannel, Option<StoredMessage>)> {
    allowed(batch, workspace, draft, public_without_membership, true).await
}

/// Posts a message with files.
pub(super) async fn share(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    draft: Draft,
    public_without_membership: bool,
    files: Vec<File>,
) -> Decided<Message> {
    let (channel, parent) = may_share(batch, workspace, &draft, public_without_membership).await?;
    write(batch, workspace, channel, draft, parent, files).await
}

async fn allowed(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    draft: &Draft,
    public_without_membership: bool,
    has_content: bool,
) -> Decided<(StoredChannel, Option<StoredMessage>)> {
    let channel = batch.channel(workspace, draft.channel).await?;
    if !batch.is_member(workspace, draft.channel, draft.author).await? {
        if !channel.channel.kind.is_public() {
            return Err(Refusal::ChannelNotFound.into());
        }
        if !public_without_membership {
            return Err(Refusal::NotInChannel.into());
        }
    }
    if channel.channel.archived {
        return Err(Refusal::IsArchived.into());
    }
    if channel.posting != Who::Everyone
        && !channel.posting.includes(rights::role(batch, workspace, draft.author).await?)
    {
        return Err(Refusal::NotAllowed.into());
    }
    if !has_content {
        return Err(Refusal::NoText.into());
    }
    let Some(thread) = draft.thread else { return Ok((channel, None)) };
    let parent = batch.message(workspace, draft.channel, thread).await?;
    let parent = parent.filter(|parent| !parent.deleted).ok_or(Refusal::ThreadNotFound)?;
    if parent.message.is_reply() {
        return Err(Refusal::CannotReply.into());
    }
    Ok((channel, Some(parent)))
}

/// What a retry gets: the message as it is now, or, deleted meanwhile, what was asked for with its ts.
async fn first_answer(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    draft: &Draft,
    ts: Ts,
) -> Decided<Message> {
    let stored = batch.message(workspace, draft.channel, ts).await?;
    if let Some(stored) = stored.filter(|stored| !stored.deleted) {
        return Ok(stored.message);
    }
    Ok(message_of(draft.clone(), ts, None))
}

fn message_of(draft: Draft, ts: Ts, parent_author: Option<UserId>) -> Message {
    let broadcast = draft.broadcast && draft.thread.is_some();
    let subtype =
        if broadcast && draft.subtype.is_none() { Some(Subtype::ThreadBroadcast) } else { draft.subtype };
    Message {
        channel: draft.channel,
        ts,
        author: draft.author,
        bot: draft.bot,
        subtype,
        text: draft.text,
        blocks: draft.blocks,
        attachments: draft.attachments,
        metadata: draft.metadata,
        files: Vec::new(),
        client_msg_id: draft.client_msg_id,
        thread: draft.thread,
        parent_author,
        broadcast,
        edited: None,
        reactions: Vec::new(),
        replies: None,
        pinned: None,
        revision: 1,
    }
}

/// Writes a message whose post was allowed.
async fn write(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    channel: StoredChannel,
    mut draft: Draft,
    parent: Option<StoredMessage>,
    files: Vec<File>,
) -> Decided<Message> {
    if let Some(bot) = &mut draft.bot {
        let author = batch.user(workspace, draft.author).await?;
        bot.profile = author
            .map(|user| BotProfile { name: user.real_name, updated: user.updated.div_euclid(1_000_000) });
    }
    let topic = channel_topic(workspace, draft.channel);
    let (position, ts) = batch.next(topic).await?;
    let everyone = draft.mentions_everyone
        && rights::may_mention_everyone(batch, workspace, draft.author, &channel).await?;
    let mentions = (draft.mentions.clone(), everyone);
    let parent_author = parent.as_ref().map(|parent| parent.message.author);
    let message = Message { files, ..message_of(draft, ts, parent_author) };
    if let Some(key) = &message.client_msg_id {
        batch.put_key(workspace, message.channel, message.author, key, ts);
    }
    mention(batch, workspace, &message, &mentions.0, mentions.1);
    if channel.closed > 0 {
        channels::reopen_for_all(batch, workspace, channel.clone()).await?;
    }
    let channel = batch.channel(workspace, message.channel).await?;
    let counts = message.in_channel() && said(message.subtype.as_ref());
    if counts {
        move_latest(batch, workspace, channel, &message).await?;
    }
    let parent = match parent {
        None => None,
        Some(parent) => {
            threads::replied(batch, workspace, &message, &parent.message, &mentions.0).await?;
            Some(count_reply(batch, workspace, parent, &message).await?)
        }
    };
    put_new(batch, workspace, message.clone(), position.seq, counts);
    let kind = EventKind::Message { message: Box::new(message.clone()), parent };
    batch.emit(topic, (position, ts), kind);
    Ok(message)
}

fn put_new(batch: &mut Batch<'_>, workspace: WorkspaceId, message: Message, seq: Seq, counts: bool) {
    batch.put_new_message(workspace, StoredMessage::new(message, seq, counts));
}

/// Posts what the server itself says: somebody joined, the topic was set.
pub(super) async fn post_notice(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    channel: ChannelId,
    author: UserId,
    subtype: Subtype,
    text: String,
) -> Decided<()> {
    let topic = channel_topic(workspace, channel);
    let place = batch.next(topic).await?;
    let draft = Draft {
        channel,
        author,
        bot: None,
        subtype: Some(subtype),
        text: MessageText::cut(text).0,
        blocks: None,
        attachments: None,
        metadata: None,
        client_msg_id: None,
        thread: None,
        broadcast: false,
        mentions: Vec::new(),
        mentions_everyone: false,
    };
    let message = message_of(draft, place.1, None);
    put_new(batch, workspace, message.clone(), place.0.seq, false);
    batch.emit(topic, place, EventKind::Message { message: Box::new(message), parent: None });
    Ok(())
}

/// Whether somebody said it. What the server itself says are notices: they do not make a channel unread.
fn said(subtype: Option<&Subtype>) -> bool {
    match subtype {
        None | Some(Subtype::BotMessage | Subtype::Me | Subtype::ThreadBroadcast | Subtype::FileShare) => {
            true
        }
        Some(
            Subtype::ChannelJoin { .. }
            | Subtype::ChannelLeave
            | Subtype::ChannelTopic(_)
            | Subtype::ChannelPurpose(_)
            | Subtype::ChannelArchive
            | Subtype::ChannelUnarchive
            | Subtype::ChannelName { .. }
            | Subtype::ConvertedToPrivate
            | Subtype::ConvertedToPublic
            | Subtype::Tombstone,
        ) => false,
    }
}

/// One's own post is read by oneself, and unread for everybody else.
async fn move_latest(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    mut channel: StoredChannel,
    message: &Message,
) -> Decided<()> {
    channel.channel.latest = message.ts;
    batch.put_latest(workspace, channel);
    if let Some(mut member) = batch.member(workspace, message.channel, message.author).await?
        && member.present
    {
        member.last_read = message.ts;
        batch.put_member(workspace, message.channel, message.author, member);
    }
    Ok(())
}

/// Notes who is mentioned. A reply that the channel does not show mentions only by name, and only in its thread.
fn mention(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    message: &Message,
    users: &[UserId],
    everyone: bool,
) {
    const SQL: &str = "INSERT INTO mentions (workspace, channel, usr, ts, thread) VALUES ($1, $2, $3, $4, $5) \
                       ON CONFLICT (workspace, channel, usr, ts) DO NOTHING";
    let thread = message.thread.filter(|_| !message.in_channel()).unwrap_or(Ts::ZERO);
    let everyone = (everyone && message.in_channel()).then_some(0u64);
    for user in users.iter().map(|user| user.raw()).chain(everyone) {
        batch.write(SQL, params![workspace, message.channel, user, message.ts, thread].into());
    }
}

/// Adds a reply to its parent's counts.
async fn count_reply(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    mut parent: StoredMessage,
    reply: &Message,
) -> Decided<Parent> {
    let thread = parent.message.ts;
    let replier = batch.replier(workspace, reply.channel, thread, reply.author).await?;
    let first_reply = replier.is_none_or(|replier| replier.replies == 0);
    let replier = match replier {
        Some(replier) if replier.replies > 0 => Replier { replies: replier.replies + 1, ..replier },
        _ => Replier { first: reply.ts, replies: 1 },
    };
    batch.put_replier(workspace, reply.channel, thread, reply.author, replier);
    let replies = parent.message.replies.get_or_insert(Replies {
        count: 0,
        latest: Ts::ZERO,
        users: Vec::new(),
        user_count: 0,
    });
    replies.count += 1;
    replies.latest = reply.ts;
    if first_reply {
        replies.user_count += 1;
        if replies.users.len() < Replies::USERS_MAX {
            replies.users.push(reply.author);
        }
    }
    let event = Parent { ts: thread, replies: parent.message.replies.clone() };
    parent.message.thread = Some(thread);
    batch.put_message(workspace, parent);
    Ok(event)
}

/// What an edit changes; `None` leaves a part as it is.
pub(super) struct Edit {
    pub(super) text: Option<MessageText>,
    pub(super) blocks: Option<String>,
    pub(super) attachments: Option<String>,
    pub(super) metadata: Option<String>,
    pub(super) broadcast: Option<bool>,
    pub(super) mentions: Vec<UserId>,
    pub(super) mentions_everyone: bool,
}

/// Edits a message.
pub(super) async fn edit(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    channel: ChannelId,
    ts: Ts,
    by: By,
    edit: Edit,
) -> Decided {
    let stored_channel = readable(batch, workspace, channel, by).await?;
    let mut stored = live(batch, workspace, channel, ts).await?;
    let previous = stored.message.clone();
    let editable = said(previous.subtype.as_ref());
    if previous.author != by.user || !editable {
        return Err(Refusal::CantUpdate.into());
    }
    if stored_channel.channel.archived {
        return Err(Refusal::IsArchived.into());
    }
    let window_min = batch.team_preferences(workspace).await?.edit_window_min;
    let age_us = batch.now().saturating_sub(ts.micros());
    if window_min >= 0 && age_us > window_min.saturating_mul(60_000_000) {
        return Err(Refusal::EditWindowClosed.into());
    }
    let everyone = edit.mentions_everyone
        && rights::may_mention_everyone(batch, workspace, by.user, &stored_channel).await?;
    let message = &mut stored.message;
    if let Some(text) = edit.text {
        message.text = text;
    }
    let part = |old: &mut Option<String>, new: Option<String>| {
        if let Some(new) = new {
            *old = Some(new).filter(|new| !new.is_empty());
        }
    };
    part(&mut message.blocks, edit.blocks);
    part(&mut message.attachments, edit.attachments);
    part(&mut message.metadata, edit.metadata);
    let is_blank = message.text.as_str().trim().is_empty();
    let has_parts = message.blocks.is_some() || message.attachments.is_some() || !message.files.is_empty();
    if is_blank && !has_parts {
        return Err(Refusal::NoText.into());
    }
    match edit.broadcast {
        Some(true) if !message.is_reply() => return Err(Refusal::CannotBroadcast.into()),
        Some(false) if message.broadcast => return Err(Refusal::CannotBroadcast.into()),
        _ => {}
    }
    if edit.broadcast == Some(true) && !message.broadcast {
        message.broadcast = true;
        message.subtype = message.subtype.take().or(Some(Subtype::ThreadBroadcast));
        stored.counts = true;
    }
    let topic = channel_topic(workspace, channel);
    let place = batch.next(topic).await?;
    stored.message.edited = Some((by.user, place.1));
    stored.message.revision += 1;
    batch.write(
        "INSERT INTO message_versions (workspace, channel, ts, revision, body, blocks, attachments, metadata, \
         replaced_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        params![
            workspace,
            channel,
            ts,
            previous.revision,
            previous.text.as_str(),
            previous.blocks,
            previous.attachments,
            previous.metadata,
            batch.now(),
        ]
        .into(),
    );
    // Mentions are those of the newest text: the old ones go first.
    batch
        .execute(
            "DELETE FROM mentions WHERE workspace = $1 AND channel = $2 AND ts = $3",
            params![workspace, channel, ts].into(),
        )
        .await?;
    let message = stored.message.clone();
    mention(batch, workspace, &message, &edit.mentions, everyone);
    batch.put_message(workspace, stored);
    let kind =
        EventKind::MessageChanged { message: Box::new(message.clone()), previous: Some(Box::new(previous)) };
    batch.emit(topic, place, kind);
    Ok(Done::Edited(Box::new(message)))
}

/// Deletes a message. Its key stays taken; its content is gone from every table.
pub(super) async fn delete(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    channel: ChannelId,
    ts: Ts,
    by: By,
) -> Decided {
    let stored_channel = readable(batch, workspace, channel, by).await?;
    let stored = live(batch, workspace, channel, ts).await?;
    if stored.message.subtype == Some(Subtype::Tombstone) {
        return Err(Refusal::MessageNotFound.into());
    }
    // A notice tells clients that were away what the channel is called or whether it is archived: it stays.
    let notice = !said(stored.message.subtype.as_ref());
    let own = stored.message.author == by.user && batch.team_preferences(workspace).await?.allow_deletion;
    if notice || !own && by.role < Role::Admin {
        return Err(Refusal::CantDelete.into());
    }
    if stored_channel.channel.archived {
        return Err(Refusal::IsArchived.into());
    }
    let previous = stored.message.clone();
    let topic = channel_topic(workspace, channel);
    let place = batch.next(topic).await?;
    let tombstone = erase(batch, workspace, stored).await?;
    if previous.pinned.is_some() {
        let mut channel = batch.channel(workspace, channel).await?;
        channel.channel.pins = channel.channel.pins.saturating_sub(1);
        batch.put_channel(workspace, channel);
    }
    if said(previous.subtype.as_ref()) && previous.in_channel() {
        recompute_latest(batch, workspace, channel, ts).await?;
    }
    let parent = match previous.thread.filter(|_| previous.is_reply()) {
        None => None,
        Some(thread) => Some(uncount_reply(batch, workspace, channel, thread, previous.author).await?),
    };
    let orphaned = parent.as_ref().filter(|(_, orphaned)| *orphaned).map(|(parent, _)| parent.ts);
    let with_files = Some(previous.clone()).filter(|previous| !previous.files.is_empty());
    let kind = EventKind::MessageDeleted {
        ts,
        thread: previous.thread,
        previous: Some(Box::new(previous)),
        parent: parent.map(|(parent, _)| parent),
        tombstone: tombstone.map(Box::new),
    };
    batch.emit(topic, place, kind);
    if let Some(message) = with_files {
        files::unshare(batch, workspace, by, &message).await?;
    }
    if let Some(parent_ts) = orphaned {
        // The tombstone of a parent goes with its last reply.
        let stored = live(batch, workspace, channel, parent_ts).await?;
        erase(batch, workspace, stored).await?;
        let kind = EventKind::MessageDeleted {
            ts: parent_ts,
            thread: Some(parent_ts),
            previous: None,
            parent: None,
            tombstone: None,
        };
        batch.push(topic, kind).await?;
    }
    Ok(Done::Ok)
}

/// Removes a message's content everywhere. A parent with replies becomes a tombstone, which is returned.
async fn erase(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    mut stored: StoredMessage,
) -> Decided<Option<Message>> {
    let key = params![workspace, stored.message.channel, stored.message.ts];
    for sql in [
        "DELETE FROM message_versions WHERE workspace = $1 AND channel = $2 AND ts = $3",
        "DELETE FROM mentions WHERE workspace = $1 AND channel = $2 AND ts = $3",
        "UPDATE reactions SET removed = 1, revision = revision + 1 WHERE workspace = $1 AND channel = $2 AND ts = $3",
    ] {
        batch.execute(sql, key.to_vec()).await?;
    }
    let message = &mut stored.message;
    let has_replies = message.replies.as_ref().is_some_and(|replies| replies.count > 0);
    (message.text, message.blocks, message.attachments, message.metadata) = Default::default();
    (message.edited, message.client_msg_id, message.bot, message.pinned) = Default::default();
    message.reactions.clear();
    message.files.clear();
    message.revision += 1;
    stored.counts = false;
    if has_replies {
        message.subtype = Some(Subtype::Tombstone);
    } else {
        stored.deleted = true;
    }
    let tombstone = has_replies.then(|| stored.message.clone());
    batch.put_message(workspace, stored);
    Ok(tombstone)
}

/// Takes a deleted reply out of its parent's counts. True: the parent is a tombstone and has no reply any more.
async fn uncount_reply(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    channel: ChannelId,
    thread: Ts,
    author: UserId,
) -> Decided<(Parent, bool)> {
    if let Some(mut replier) = batch.replier(workspace, channel, thread, author).await? {
        replier.replies = (replier.replies - 1).max(0);
        batch.put_replier(workspace, channel, thread, author, replier);
    }
    let mut rows = batch
        .query(
            "SELECT count(*), coalesce(max(ts), 0) FROM messages WHERE workspace = $1 AND channel = $2 \
             AND thread = $3 AND ts <> $3 AND deleted = 0",
            &params![workspace, channel, thread],
        )
        .await?
        .into_iter();
    let (count, latest): (u64, Ts) = match rows.next() {
        Some(mut row) => (row.take()?, row.take()?),
        None => (0, Ts::ZERO),
    };
    let Some(mut parent) = batch.message(workspace, channel, thread).await? else {
        return Ok((Parent { ts: thread, replies: None }, false));
    };
    let mut rows = batch
        .query(
            "SELECT usr FROM thread_users WHERE workspace = $1 AND channel = $2 AND thread = $3 AND replies > 0 \
             ORDER BY first_ts",
            &params![workspace, channel, thread],
        )
        .await?;
    let user_count = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    rows.truncate(Replies::USERS_MAX);
    let users = rows.into_iter().map(|mut row| row.take()).collect::<Result<Vec<UserId>, _>>()?;
    parent.message.replies = (count > 0).then_some(Replies { count, latest, users, user_count });
    let orphaned = count == 0 && parent.message.subtype == Some(Subtype::Tombstone);
    let event = Parent { ts: thread, replies: parent.message.replies.clone() };
    batch.put_message(workspace, parent);
    Ok((event, orphaned))
}

/// The channel is unread up to the newest message that remains.
async fn recompute_latest(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    channel: ChannelId,
    deleted: Ts,
) -> Decided<()> {
    let mut channel = batch.channel(workspace, channel).await?;
    if channel.channel.latest != deleted {
        return Ok(());
    }
    let rows = batch
        .query(
            "SELECT ts FROM messages WHERE workspace = $1 AND channel = $2 AND ts < $3 AND counts = 1 AND shown = 1 \
             AND deleted = 0 ORDER BY ts DESC LIMIT 1",
            &params![workspace, channel.channel.id, deleted],
        )
        .await?;
    channel.channel.latest = rows.into_iter().next().map_or(Ok(Ts::ZERO), |mut row| row.take())?;
    batch.put_channel(workspace, channel);
    Ok(())
}

/// The channel, if the actor may read it: a member, or anybody if it is public.
pub(super) async fn readable(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    channel: ChannelId,
    by: By,
) -> Decided<StoredChannel> {
    let stored = batch.channel(workspace, channel).await?;
    let public = stored.channel.kind == ChannelKind::Public;
    if !public && !batch.is_member(workspace, channel, by.user).await? {
        return Err(Refusal::ChannelNotFound.into());
    }
    Ok(stored)
}

/// As [`readable`], and people come and go in it: not a DM or group DM.
pub(super) async fn joinable(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    channel: ChannelId,
    by: By,
) -> Decided<StoredChannel> {
    let stored = readable(batch, workspace, channel, by).await?;
    if stored.channel.kind.is_direct() {
        return Err(Refusal::WrongChannelKind.into());
    }
    Ok(stored)
}

/// A message that was not deleted.
pub(super) async fn live(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    channel: ChannelId,
    ts: Ts,
) -> Decided<StoredMessage> {
    let stored = batch.message(workspace, channel, ts).await?;
    Ok(stored.filter(|stored| !stored.deleted).ok_or(Refusal::MessageNotFound)?)
}
