//! Reads of messages and threads.

use std::collections::BTreeSet;

use model::{ChannelId, Message, Position, Ts, UserId, WorkspaceId};

use crate::{
    MessagePage, Range, Reacted, StoreError, ThreadPage,
    rows::{self, StoredMessage, channel_topic, message_sql},
    tx::{Row, Tx, params},
};

pub(crate) async fn message(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    channel: ChannelId,
    ts: Ts,
) -> Result<Option<Message>, StoreError> {
    let stored = rows::load_message(tx, workspace, channel, ts).await?;
    Ok(stored.filter(|stored| !stored.deleted).map(|stored| stored.message))
}

pub(crate) async fn message_at(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    channel: ChannelId,
    ts: Ts,
) -> Result<Option<(Message, Position)>, StoreError> {
    let Some(found) = message(tx, workspace, channel, ts).await? else { return Ok(None) };
    Ok(Some((found, position(tx, workspace, channel).await?)))
}

/// The bounds as exclusive ones.
fn exclusive(range: Range) -> (Ts, Ts) {
    let by = i64::from(range.inclusive);
    let oldest = range.oldest.micros().saturating_sub(by);
    let latest = range.latest.micros().saturating_add(by);
    (Ts::from_micros(oldest), Ts::from_micros(latest))
}

async fn position(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    channel: ChannelId,
) -> Result<Position, StoreError> {
    let head = rows::load_head(tx, channel_topic(workspace, channel)).await?;
    Ok(head.map_or(Position::START, |(position, _)| position))
}

async fn read(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    channel: ChannelId,
    rows: Vec<Row>,
    limit: u32,
) -> Result<(Vec<StoredMessage>, bool), StoreError> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = rows.len() > limit;
    let stored = rows.into_iter().take(limit).map(|row| rows::message(channel, row));
    let mut stored = stored.collect::<Result<Vec<_>, _>>()?;
    rows::hydrate(tx, workspace, channel, &mut stored).await?;
    Ok((stored, has_more))
}

pub(crate) async fn history(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    channel: ChannelId,
    range: Range,
) -> Result<MessagePage, StoreError> {
    let (oldest, latest) = exclusive(range);
    let params = params![workspace, channel, oldest, latest, range.limit.saturating_add(1)];
    let newest_first =
        message_sql!("AND ts > $3 AND ts < $4 AND shown = 1 AND deleted = 0 ORDER BY ts DESC LIMIT $5");
    let oldest_first =
        message_sql!("AND ts > $3 AND ts < $4 AND shown = 1 AND deleted = 0 ORDER BY ts LIMIT $5");
    let sql = if range.from_oldest { oldest_first } else { newest_first };
    let rows = tx.query(sql, &params).await?;
    let (mut stored, has_more) = read(tx, workspace, channel, rows, range.limit).await?;
    if range.from_oldest {
        stored.reverse();
    }
    let messages = stored.into_iter().map(|stored| stored.message).collect();
    Ok(MessagePage { messages, has_more, position: position(tx, workspace, channel).await? })
}

pub(crate) async fn replies(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    channel: ChannelId,
    parent: Ts,
    range: Range,
) -> Result<Option<ThreadPage>, StoreError> {
    let Some(parent) = message(tx, workspace, channel, parent).await? else { return Ok(None) };
    if parent.is_reply() {
        return Ok(None);
    }
    let (oldest, latest) = exclusive(range);
    let oldest_first = message_sql!(
        "AND thread = $3 AND ts > $4 AND ts < $5 AND ts <> $3 AND deleted = 0 ORDER BY ts LIMIT $6"
    );
    let newest_first = message_sql!(
        "AND thread = $3 AND ts > $4 AND ts < $5 AND ts <> $3 AND deleted = 0 ORDER BY ts DESC LIMIT $6"
    );
    let sql = if range.from_oldest { oldest_first } else { newest_first };
    let params = params![workspace, channel, parent.ts, oldest, latest, range.limit.saturating_add(1)];
    let rows = tx.query(sql, &params).await?;
    let (mut stored, has_more) = read(tx, workspace, channel, rows, range.limit).await?;
    if !range.from_oldest {
        stored.reverse();
    }
    let messages = stored.into_iter().map(|stored| stored.message).collect();
    let page = MessagePage { messages, has_more, position: position(tx, workspace, channel).await? };
    Ok(Some(ThreadPage { parent, page }))
}

pub(crate) async fn position_of(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    channel: ChannelId,
    ts: Ts,
) -> Result<Option<Position>, StoreError> {
    let sql = "SELECT t.generation, m.seq FROM messages m JOIN topics t ON t.workspace = m.workspace \
               AND t.topic = m.channel WHERE m.workspace = $1 AND m.channel = $2 AND m.ts = $3";
    let rows = tx.query(sql, &params![workspace, channel, ts]).await?;
    let Some(mut row) = rows.into_iter().next() else { return Ok(None) };
    Ok(Some(Position { generation: row.take()?, seq: row.take()? }))
}

/// Pinned messages, the newest pin first.
pub(crate) async fn pinned(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    channel: ChannelId,
) -> Result<Vec<Message>, StoreError> {
    let sql = "SELECT ts FROM messages WHERE workspace = $1 AND channel = $2 AND pinned_at IS NOT NULL AND deleted = 0";
    let rows = tx.query(sql, &params![workspace, channel]).await?;
    let wanted = rows.into_iter().map(|mut row| row.take()).collect::<Result<BTreeSet<Ts>, _>>()?;
    // Pins lie far apart: what is between them is not read.
    let mut pinned = Vec::with_capacity(wanted.len());
    if tx.is_remote() {
        let found = rows::load_messages(tx, workspace, channel, &wanted).await?;
        pinned.extend(found.into_iter().map(|stored| stored.message));
    } else {
        for ts in wanted {
            pinned.extend(message(tx, workspace, channel, ts).await?);
        }
    }
    pinned.sort_by_key(|message| std::cmp::Reverse(message.pinned.map(|(_, at)| at)));
    Ok(pinned)
}

/// Messages to which somebody reacted, where the viewer may see them.
pub(crate) async fn reacted(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    user: UserId,
    viewer: UserId,
    skip: u32,
    limit: u32,
) -> Result<Reacted, StoreError> {
    let sql = "SELECT r.channel, r.ts, max(r.at) FROM reactions r \
               JOIN channels c ON c.workspace = r.workspace AND c.channel = r.channel \
               LEFT JOIN memberships m ON m.workspace = r.workspace AND m.channel = r.channel AND m.usr = $3 \
               WHERE r.workspace = $1 AND r.usr = $2 AND r.removed = 0 AND (c.kind = 1 OR m.present = 1) \
               GROUP BY r.channel, r.ts ORDER BY max(r.at) DESC";
    let rows = tx.query(sql, &params![workspace, user, viewer]).await?;
    let total = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    let page = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let mut messages = Vec::new();
    for mut row in rows.into_iter().skip(page(skip)).take(page(limit)) {
        let (channel, ts) = (row.take()?, row.take()?);
        messages.extend(message(tx, workspace, channel, ts).await?);
    }
    Ok(Reacted { messages, total })
}

/// Messages of others that mention somebody, in channels that they are in: by name, and all that call everybody since
/// they joined.
pub(crate) async fn mentioning(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    user: UserId,
    after: Option<(Ts, ChannelId)>,
    limit: u32,
) -> Result<Vec<Message>, StoreError> {
    let (ts, channel) = after.map_or((Ts::MAX, 0), |(ts, channel)| (ts, channel.raw()));
    let sql = "SELECT n.channel, n.ts FROM memberships b \
               JOIN mentions n ON n.workspace = b.workspace AND n.channel = b.channel AND n.usr IN ($2, 0) \
               JOIN messages m ON m.workspace = n.workspace AND m.channel = n.channel AND m.ts = n.ts \
               WHERE b.workspace = $1 AND b.usr = $2 AND b.present = 1 AND m.author <> $2 AND m.deleted = 0 \
               AND (n.usr = $2 OR m.seq > b.seq) AND (n.ts < $3 OR (n.ts = $3 AND n.channel < $4)) \
               GROUP BY n.channel, n.ts ORDER BY n.ts DESC, n.channel DESC LIMIT $5";
    let rows = tx.query(sql, &params![workspace, user, ts, channel, limit]).await?;
    let mut messages = Vec::with_capacity(rows.len());
    for mut row in rows {
        let (channel, ts) = (row.take()?, row.take()?);
        messages.extend(message(tx, workspace, channel, ts).await?);
    }
    Ok(messages)
}
