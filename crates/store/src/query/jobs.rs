//! Reads of jobs and of messages that wait for their time.

use model::{ChannelId, Micros, UserId, WorkspaceId};

use crate::{
    Job, Scheduled, ScheduledQuery, StoreError, codec,
    tx::{Row, Tx, params},
};

macro_rules! jobs_sql {
    ($rest:literal) => {
        concat!(
            "SELECT workspace, id, kind, payload, run_at, tries, dead, error, created FROM jobs WHERE ",
            $rest
        )
    };
}

/// Jobs that are due, the most overdue first. Of all workspaces of the shard: the queue is the shard's.
pub(crate) async fn due(tx: &mut dyn Tx, now: Micros, limit: u32) -> Result<Vec<Job>, StoreError> {
    let sql = jobs_sql!("dead = 0 AND run_at <= $1 ORDER BY run_at LIMIT $2");
    tx.query(sql, &params![now, limit]).await?.into_iter().map(job).collect()
}

/// Jobs that were given up, the newest first.
pub(crate) async fn dead(tx: &mut dyn Tx, limit: u32) -> Result<Vec<Job>, StoreError> {
    let sql = jobs_sql!("dead = 1 ORDER BY created DESC LIMIT $1");
    tx.query(sql, &params![limit]).await?.into_iter().map(job).collect()
}

fn job(mut row: Row) -> Result<Job, StoreError> {
    Ok(Job {
        workspace: row.take()?,
        id: row.take()?,
        kind: row.take()?,
        payload: row.take()?,
        run_at: row.take()?,
        tries: row.take()?,
        dead: row.take()?,
        error: row.take()?,
        created: row.take()?,
    })
}

/// Somebody's messages that wait for their time, the next first.
pub(crate) async fn scheduled(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    user: UserId,
    query: &ScheduledQuery,
) -> Result<Vec<Scheduled>, StoreError> {
    let sql = "SELECT id, channel, post_at, created, draft FROM scheduled_messages \
               WHERE workspace = $1 AND usr = $2 AND ($3 = 0 OR channel = $3) AND post_at >= $4 AND post_at <= $5 \
               AND (post_at > $6 OR post_at = $6 AND id > $7) ORDER BY post_at, id LIMIT $8";
    let channel = query.channel.map_or(0, ChannelId::raw);
    let (post_at, id) = query.after.map_or((i64::MIN, 0), |(post_at, id)| (post_at, id.raw()));
    let params = params![workspace, user, channel, query.oldest, query.latest, post_at, id, query.limit];
    let rows = tx.query(sql, &params).await?;
    rows.into_iter()
        .map(|mut row| {
            Ok(Scheduled {
                id: row.take()?,
                channel: row.take()?,
                post_at: row.take()?,
                created: row.take()?,
                text: codec::draft_from_json(&row.take::<String>()?)?.0.text,
            })
        })
        .collect()
}
