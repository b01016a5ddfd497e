//! Reads of the threads that somebody follows.

use model::{ChannelId, Subscription, Ts, UserId, WorkspaceId};

use crate::{
    StoreError, ThreadCounts,
    tx::{Row, Tx, params},
};

/// What of the followed threads is unread: of those in channels that the person is in.
pub(crate) async fn counts(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    user: UserId,
) -> Result<ThreadCounts, StoreError> {
    let sql = "SELECT count(*) FROM thread_subscriptions s \
               JOIN memberships b ON b.workspace = s.workspace AND b.channel = s.channel AND b.usr = s.usr \
               JOIN messages m ON m.workspace = s.workspace AND m.channel = s.channel AND m.ts = s.thread \
               WHERE s.workspace = $1 AND s.usr = $2 AND s.active = 1 AND b.present = 1 \
               AND m.reply_latest > s.last_read";
    let rows = tx.query(sql, &params![workspace, user]).await?;
    let unread: u64 = rows.into_iter().next().map_or(Ok(0), |mut row| row.take())?;
    let sql = "SELECT count(*) FROM thread_subscriptions s \
               JOIN memberships b ON b.workspace = s.workspace AND b.channel = s.channel AND b.usr = s.usr \
               JOIN mentions n ON n.workspace = s.workspace AND n.channel = s.channel AND n.usr = s.usr \
               AND n.thread = s.thread AND n.ts > s.last_read \
               WHERE s.workspace = $1 AND s.usr = $2 AND s.active = 1 AND b.present = 1";
    let rows = tx.query(sql, &params![workspace, user]).await?;
    let mentions = rows.into_iter().next().map_or(Ok(0), |mut row| row.take())?;
    Ok(ThreadCounts { unread, mentions })
}

/// One person's standing with one thread; `None`: they never followed it.
pub(crate) async fn subscription(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    user: UserId,
    channel: ChannelId,
    thread: Ts,
) -> Result<Option<Subscription>, StoreError> {
    let sql = "SELECT channel, thread, last_read, active FROM thread_subscriptions \
               WHERE workspace = $1 AND usr = $2 AND channel = $3 AND thread = $4";
    let rows = tx.query(sql, &params![workspace, user, channel, thread]).await?;
    rows.into_iter().next().map(read).transpose()
}

/// Threads that somebody follows in channels that they are in, by their newest reply, newest first.
pub(crate) async fn followed(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    user: UserId,
    before: Ts,
    limit: u32,
) -> Result<Vec<(Subscription, Ts)>, StoreError> {
    let sql = "SELECT s.channel, s.thread, s.last_read, s.active, m.reply_latest FROM thread_subscriptions s \
               JOIN memberships b ON b.workspace = s.workspace AND b.channel = s.channel AND b.usr = s.usr \
               JOIN messages m ON m.workspace = s.workspace AND m.channel = s.channel AND m.ts = s.thread \
               WHERE s.workspace = $1 AND s.usr = $2 AND s.active = 1 AND b.present = 1 AND m.reply_count > 0 \
               AND m.reply_latest < $3 ORDER BY m.reply_latest DESC, s.channel LIMIT $4";
    let rows = tx.query(sql, &params![workspace, user, before, limit]).await?;
    rows.into_iter()
        .map(|mut row| {
            let (channel, thread, last_read, active) = (row.take()?, row.take()?, row.take()?, row.take()?);
            Ok((Subscription { channel, thread, last_read, active }, row.take()?))
        })
        .collect()
}

fn read(mut row: Row) -> Result<Subscription, StoreError> {
    Ok(Subscription {
        channel: row.take()?,
        thread: row.take()?,
        last_read: row.take()?,
        active: row.take()?,
    })
}
