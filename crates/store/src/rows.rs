//! Rows of messages, channels and users, read the same way by the decisions and by the reads.

pub(crate) mod files;

use std::collections::BTreeSet;

use model::{
    Channel, ChannelId, Described, Message, MessageText, Position, Reaction, Replies, Seq, Topic, TopicId,
    Ts, User, UserId, UserKind, Who, Workspace, WorkspaceId,
};

use crate::{
    StoreError, codec,
    tx::{Row, Tx, Value, params},
};

/// A message and what its row holds besides.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StoredMessage {
    pub(crate) message: Message,
    /// Position of its first event.
    pub(crate) seq: Seq,
    /// Tombstone without content.
    pub(crate) deleted: bool,
    /// Makes the channel unread.
    pub(crate) counts: bool,
    reply_count: u64,
    reply_latest: Ts,
    file_count: u64,
}

impl StoredMessage {
    /// A message that was just posted.
    pub(crate) fn new(message: Message, seq: Seq, counts: bool) -> Self {
        Self { message, seq, deleted: false, counts, reply_count: 0, reply_latest: Ts::ZERO, file_count: 0 }
    }
}

macro_rules! messages_sql {
    ($($where:literal),+) => {
        concat!(
            "SELECT ts, seq, author, bot, app, look, subtype, subtype_data, body, blocks, attachments, metadata, \
             client_msg_id, thread, parent_author, shown, counts, edited_by, edited_at, reply_count, reply_latest, \
             pinned_by, pinned_at, files, deleted, revision FROM messages WHERE ",
            $($where),+
        )
    };
}

macro_rules! message_sql {
    ($rest:literal) => {
        $crate::rows::messages_sql!("workspace = $1 AND channel = $2 ", $rest)
    };
}
pub(crate) use {message_sql, messages_sql};

/// Reads a row selected by [`message_sql`]; reactions, files and repliers come from [`hydrate`].
pub(crate) fn message(channel: ChannelId, mut row: Row) -> Result<StoredMessage, StoreError> {
    let (ts, seq, author) = (row.take()?, row.take()?, row.take()?);
    let bot = codec::bot(row.take()?, row.take()?, row.take()?)?;
    let subtype = codec::subtype(row.take()?, row.take()?)?;
    let text = MessageText::cut(row.take()?).0;
    let (blocks, attachments, metadata, client_msg_id) = (row.take()?, row.take()?, row.take()?, row.take()?);
    let thread: Option<Ts> = row.take()?;
    let parent_author = row.take()?;
    let shown: bool = row.take()?;
    let counts = row.take()?;
    let edited = Option::zip(row.take::<Option<UserId>>()?, row.take::<Option<Ts>>()?);
    let (reply_count, reply_latest) = (row.take()?, row.take()?);
    let pinned = Option::zip(row.take::<Option<UserId>>()?, row.take::<Option<Ts>>()?);
    let (file_count, deleted, revision) = (row.take()?, row.take()?, row.take()?);
    let broadcast = shown && thread.is_some_and(|thread| thread != ts);
    Ok(StoredMessage {
        message: Message {
            channel,
            ts,
            author,
            bot,
            subtype,
            text,
            blocks,
            attachments,
            metadata,
            files: Vec::new(),
            client_msg_id,
            thread,
            parent_author,
            broadcast,
            edited,
            reactions: Vec::new(),
            replies: None,
            pinned,
            revision,
        },
        seq,
        deleted,
        counts,
        reply_count,
        reply_latest,
        file_count,
    })
}

/// One message with everything, deleted or not.
pub(crate) async fn load_message(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    channel: ChannelId,
    ts: Ts,
) -> Result<Option<StoredMessage>, StoreError> {
    let rows = tx.query(message_sql!("AND ts = $3"), &params![workspace, channel, ts]).await?;
    let Some(row) = rows.into_iter().next() else { return Ok(None) };
    let mut stored = vec![message(channel, row)?];
    hydrate(tx, workspace, channel, &mut stored).await?;
    Ok(stored.pop())
}

/// Messages with everything that were posted one after the other. It may be more than these, or fewer if many others lie
/// between them.
pub(crate) async fn load_posted(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    channel: ChannelId,
    posted: &[Ts],
) -> Result<Vec<StoredMessage>, StoreError> {
    let Some((low, high)) = bounds(&mut posted.iter().copied()) else { return Ok(Vec::new()) };
    let limit = u32::try_from(2 * posted.len()).unwrap_or(u32::MAX);
    let sql = message_sql!("AND ts >= $3 AND ts <= $4 ORDER BY ts LIMIT $5");
    let found = tx.query(sql, &params![workspace, channel, low, high, limit]).await?;
    let found = found.into_iter().map(|row| message(channel, row));
    let mut found = found.collect::<Result<Vec<_>, _>>()?;
    hydrate(tx, workspace, channel, &mut found).await?;
    Ok(found)
}

/// Many messages with everything, wherever they lie, in two round trips.
pub(crate) async fn load_messages(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    channel: ChannelId,
    wanted: &BTreeSet<Ts>,
) -> Result<Vec<StoredMessage>, StoreError> {
    let keys = |all: &mut dyn Iterator<Item = Ts>| -> Vec<Vec<Value>> {
        all.map(|ts| params![workspace, channel, ts].into()).collect()
    };
    let sql = messages_sql!("(workspace, channel, ts) IN (VALUES $keys) ORDER BY ts");
    let found = tx.query_keys(&[(sql, keys(&mut wanted.iter().copied()))]).await?;
    let found = found.into_iter().flatten().map(|row| message(channel, row));
    let mut found = found.collect::<Result<Vec<_>, _>>()?;
    // Chunks are ordered in themselves.
    found.sort_unstable_by_key(|stored| stored.message.ts);
    let sql = "SELECT ts, name, usr FROM reactions WHERE (workspace, channel, ts) IN (VALUES $keys) \
               AND removed = 0 ORDER BY ts, at, usr";
    let reactions = (sql, keys(&mut found.iter().map(|stored| stored.message.ts)));
    let sql = "SELECT thread, usr FROM thread_users WHERE (workspace, channel, thread) IN (VALUES $keys) \
               AND replies > 0 ORDER BY thread, first_ts";
    let parents = found.iter().filter(|stored| stored.reply_count > 0);
    let repliers = (sql, keys(&mut parents.map(|stored| stored.message.ts)));
    let with_files = files::of_many(workspace, channel, &found);
    let mut answers = tx.query_keys(&[reactions, repliers, with_files]).await?.into_iter();
    add_reactions(&mut found, answers.next().unwrap_or_default())?;
    add_repliers(&mut found, answers.next().unwrap_or_default())?;
    files::add(&mut found, answers.next().unwrap_or_default())?;
    Ok(found)
}

/// Adds reactions, files and repliers. The messages should lie close together: what is between them is read too.
pub(crate) async fn hydrate(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    channel: ChannelId,
    messages: &mut [StoredMessage],
) -> Result<(), StoreError> {
    let Some((low, high)) = bounds(&mut messages.iter().map(|stored| stored.message.ts)) else {
        return Ok(());
    };
    let rows = tx
        .query(
            "SELECT ts, name, usr FROM reactions WHERE workspace = $1 AND channel = $2 AND ts >= $3 AND ts <= $4 \
             AND removed = 0 ORDER BY ts, at, usr",
            &params![workspace, channel, low, high],
        )
        .await?;
    add_reactions(messages, rows)?;
    files::hydrate(tx, workspace, channel, messages).await?;
    let mut parents = messages.iter().filter(|stored| stored.reply_count > 0).map(|stored| stored.message.ts);
    let Some((low, high)) = bounds(&mut parents) else { return Ok(()) };
    let rows = tx
        .query(
            "SELECT thread, usr FROM thread_users WHERE workspace = $1 AND channel = $2 AND thread >= $3 \
             AND thread <= $4 AND replies > 0 ORDER BY thread, first_ts",
            &params![workspace, channel, low, high],
        )
        .await?;
    add_repliers(messages, rows)
}

/// The oldest and the newest.
fn bounds(all: &mut dyn Iterator<Item = Ts>) -> Option<(Ts, Ts)> {
    all.fold(None, |bounds: Option<(Ts, Ts)>, ts| {
        Some(bounds.map_or((ts, ts), |(low, high)| (low.min(ts), high.max(ts))))
    })
}

fn add_reactions(messages: &mut [StoredMessage], rows: Vec<Row>) -> Result<(), StoreError> {
    for mut row in rows {
        let (ts, name, user): (Ts, String, UserId) = (row.take()?, row.take()?, row.take()?);
        let Some(stored) = find(messages, ts) else { continue };
        match stored.message.reactions.iter_mut().find(|reaction| reaction.name == name) {
            Some(reaction) => reaction.users.push(user),
            None => stored.message.reactions.push(Reaction { name, users: vec![user] }),
        }
    }
    Ok(())
}

fn add_repliers(messages: &mut [StoredMessage], rows: Vec<Row>) -> Result<(), StoreError> {
    for mut row in rows {
        let (thread, user): (Ts, UserId) = (row.take()?, row.take()?);
        let Some(stored) = find(messages, thread) else { continue };
        let (count, latest) = (stored.reply_count, stored.reply_latest);
        let replies =
            stored.message.replies.get_or_insert(Replies { count, latest, users: Vec::new(), user_count: 0 });
        replies.user_count += 1;
        if replies.users.len() < Replies::USERS_MAX {
            replies.users.push(user);
        }
    }
    Ok(())
}

/// Finds a message in a slice that is sorted by ts in either direction, or short.
fn find(messages: &mut [StoredMessage], ts: Ts) -> Option<&mut StoredMessage> {
    let ascending = messages.first().zip(messages.last()).is_none_or(|(a, b)| a.message.ts <= b.message.ts);
    let order = |stored: &StoredMessage| {
        let order = stored.message.ts.cmp(&ts);
        if ascending { order } else { order.reverse() }
    };
    let at = messages.binary_search_by(order).ok()?;
    messages.get_mut(at)
}

macro_rules! channel_sql {
    ($rest:literal) => {
        concat!(
            "SELECT c.channel, c.kind, c.name, c.direct_key, c.creator, c.created, c.updated, c.archived, c.general, \
             c.topic_value, c.topic_by, c.topic_at, c.purpose_value, c.purpose_by, c.purpose_at, c.latest, \
             c.member_count, c.previous_names, c.pins, c.closed, c.posting, c.revision ",
            $rest
        )
    };
}
pub(crate) use channel_sql;

/// A channel and what its row holds besides.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StoredChannel {
    pub(crate) channel: Channel,
    /// Newcomers join it.
    pub(crate) default: bool,
    /// Members who have closed it.
    pub(crate) closed: u64,
    /// Who of them may post.
    pub(crate) posting: Who,
    pub(crate) revision: u32,
}

/// Reads the columns of [`channel_sql`]; more may follow.
pub(crate) fn channel(row: &mut Row) -> Result<StoredChannel, StoreError> {
    let (id, kind, name) = (row.take()?, row.take()?, row.take()?);
    let direct_key: Option<String> = row.take()?;
    let (creator, created, updated, archived) = (row.take()?, row.take()?, row.take()?, row.take()?);
    let general: i64 = row.take()?;
    let topic = Described { value: row.take()?, by: row.take()?, at: row.take()? };
    let purpose = Described { value: row.take()?, by: row.take()?, at: row.take()? };
    let (latest, member_count) = (row.take()?, row.take()?);
    let previous_names = codec::json(row.take()?, "channel's previous names")?;
    let (pins, closed, posting, revision) = (row.take()?, row.take()?, row.take()?, row.take()?);
    let direct_members = direct_key.map(|key| direct_members(&key)).transpose()?.unwrap_or_default();
    let general_only = general == 1;
    Ok(StoredChannel {
        channel: Channel {
            id,
            kind,
            name,
            creator,
            created,
            updated,
            archived,
            general: general_only,
            topic,
            purpose,
            latest,
            member_count,
            previous_names,
            pins,
            direct_members,
        },
        default: general > 0,
        closed,
        posting,
        revision,
    })
}

/// The unique key of the DM of these people.
pub(crate) fn direct_key(members: &[UserId]) -> String {
    let mut sorted = members.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    sorted.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn direct_members(key: &str) -> Result<Vec<UserId>, StoreError> {
    key.split(',').map(|id| id.parse().map_err(|_| StoreError::Corrupt { what: "people of a DM" })).collect()
}

macro_rules! user_sql {
    ($rest:literal) => {
        concat!(
            "SELECT usr, kind, bot, app, name, real_name, display_name, email, role, tz, locale, deleted, updated, \
             profile, dnd, manual_away, password_hash FROM users WHERE workspace = $1 ",
            $rest
        )
    };
}
pub(crate) use user_sql;

/// Reads a row selected by [`user_sql`]: the person and their password hash.
pub(crate) fn user(workspace: WorkspaceId, mut row: Row) -> Result<(User, Option<String>), StoreError> {
    let id = row.take()?;
    let kind: i64 = row.take()?;
    let (bot, app): (Option<_>, Option<_>) = (row.take()?, row.take()?);
    let kind = match (kind, bot, app) {
        (1, ..) => UserKind::Person,
        (2, Some(bot), Some(app)) => UserKind::Bot { bot, app },
        _ => return Err(StoreError::Corrupt { what: "user" }),
    };
    let user = User {
        id,
        workspace,
        kind,
        name: row.take()?,
        real_name: row.take()?,
        display_name: row.take()?,
        email: row.take()?,
        role: row.take()?,
        tz: row.take()?,
        locale: row.take()?,
        deleted: row.take()?,
        updated: row.take()?,
        profile: codec::json(row.take()?, "profile")?,
        dnd: codec::json(row.take()?, "do-not-disturb")?,
        manual_away: row.take()?,
    };
    Ok((user, row.take()?))
}

/// One person.
pub(crate) async fn load_user(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    id: UserId,
) -> Result<Option<User>, StoreError> {
    let rows = tx.query(user_sql!("AND usr = $2"), &params![workspace, id]).await?;
    rows.into_iter().next().map(|row| user(workspace, row).map(|(user, _)| user)).transpose()
}

/// Reads `workspace, name, domain, created`.
pub(crate) fn workspace(mut row: Row) -> Result<Workspace, StoreError> {
    Ok(Workspace { id: row.take()?, name: row.take()?, domain: row.take()?, created: row.take()? })
}

/// The topic of a channel.
pub(crate) fn channel_topic(workspace: WorkspaceId, channel: ChannelId) -> Topic {
    Topic { workspace, id: TopicId::Channel(channel) }
}

/// The head of a topic and how far it was trimmed.
pub(crate) async fn load_head(tx: &mut dyn Tx, topic: Topic) -> Result<Option<(Position, Seq)>, StoreError> {
    let rows = tx
        .query(
            "SELECT generation, last_seq, trimmed FROM topics WHERE workspace = $1 AND topic = $2",
            &params![topic.workspace, topic.id],
        )
        .await?;
    let Some(mut row) = rows.into_iter().next() else { return Ok(None) };
    Ok(Some((Position { generation: row.take()?, seq: row.take()? }, row.take()?)))
}

/// One person's mentions in a channel after a message, @channel included, those in its threads not.
pub(crate) async fn count_mentions(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    channel: ChannelId,
    user: UserId,
    after: Ts,
) -> Result<u64, StoreError> {
    let rows = tx
        .query(
            "SELECT count(DISTINCT ts) FROM mentions WHERE workspace = $1 AND channel = $2 AND usr IN ($3, 0) \
             AND ts > $4 AND thread = 0",
            &params![workspace, channel, user, after],
        )
        .await?;
    rows.into_iter().next().map_or(Ok(0), |mut row| row.take())
}
