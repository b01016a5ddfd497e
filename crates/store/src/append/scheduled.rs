//! Messages that are posted later.

use model::{ChannelId, Draft, JobId, ScheduledId, WorkspaceId};

use super::{Batch, Decided, Stop, jobs, post};
use crate::{By, Done, NewJob, Refusal, SCHEDULED_MAX, SCHEDULED_WINDOW_S, StoreError, codec, tx::params};

/// The kind of the job that posts a scheduled message.
pub const POST_SCHEDULED: &str = "post_scheduled";

/// Keeps a message for later, with the job that posts it.
pub(super) async fn schedule(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    (id, job): (ScheduledId, JobId),
    draft: Draft,
    public_without_membership: bool,
    post_at: i64,
) -> Decided {
    post::may_post(batch, workspace, &draft, public_without_membership).await?;
    let sql = "SELECT count(*) FROM scheduled_messages WHERE workspace = $1 AND channel = $2 AND usr = $3 \
               AND post_at > $4 AND post_at < $5";
    let (from, to) = (post_at - SCHEDULED_WINDOW_S, post_at + SCHEDULED_WINDOW_S);
    let rows = batch.query(sql, &params![workspace, draft.channel, draft.author, from, to]).await?;
    let around: u64 = rows.into_iter().next().map_or(Ok(0), |mut row| row.take())?;
    if around >= SCHEDULED_MAX {
        return Err(Refusal::TooManyScheduled.into());
    }
    let channel = draft.channel;
    let text = codec::draft_to_json(&draft, public_without_membership)?;
    batch.write(
        "INSERT INTO scheduled_messages (workspace, id, usr, channel, post_at, created, draft) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        params![workspace, id, draft.author, channel, post_at, batch.now(), text].into(),
    );
    let payload = serde_json::json!({ "id": id.raw(), "channel": channel.raw() }).to_string();
    let run_at = post_at.saturating_mul(1_000_000);
    let job = NewJob { id: job, kind: POST_SCHEDULED, payload, key: Some(id.to_string()), run_at };
    jobs::put(batch, workspace, job).await?;
    Ok(Done::Ok)
}

/// Takes a message back, and its job.
pub(super) async fn unschedule(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    id: ScheduledId,
    channel: ChannelId,
    by: By,
) -> Decided {
    let sql = "DELETE FROM scheduled_messages WHERE workspace = $1 AND id = $2 AND channel = $3 AND usr = $4";
    if batch.execute(sql, params![workspace, id, channel, by.user].into()).await? == 0 {
        return Err(Refusal::ScheduledNotFound.into());
    }
    forget_job(batch, workspace, id).await?;
    Ok(Done::Ok)
}

/// Posts a message and forgets that it was scheduled. One that can never be posted is forgotten too.
pub(super) async fn post(batch: &mut Batch<'_>, workspace: WorkspaceId, id: ScheduledId) -> Decided {
    let sql = "SELECT draft FROM scheduled_messages WHERE workspace = $1 AND id = $2";
    let row = batch.query(sql, &params![workspace, id]).await?.into_iter().next();
    let mut row = row.ok_or(Refusal::ScheduledNotFound)?;
    let (draft, anywhere) = codec::draft_from_json(&row.take::<String>()?)?;
    let posted = match post::post(batch, workspace, draft, anywhere).await {
        Ok(Done::Posted { message, .. }) => Ok(message),
        Ok(_) => return Err(StoreError::Corrupt { what: "scheduled message" }.into()),
        Err(Stop::Refused(refusal)) => Err(refusal),
        Err(Stop::Failed(error)) => return Err(error.into()),
    };
    let sql = "DELETE FROM scheduled_messages WHERE workspace = $1 AND id = $2";
    batch.execute(sql, params![workspace, id].into()).await?;
    forget_job(batch, workspace, id).await?;
    Ok(Done::Scheduled(posted))
}

async fn forget_job(batch: &mut Batch<'_>, workspace: WorkspaceId, id: ScheduledId) -> Decided<()> {
    let sql = "DELETE FROM jobs WHERE workspace = $1 AND kind = $2 AND key = $3";
    batch.execute(sql, params![workspace, POST_SCHEDULED, id.to_string()].into()).await?;
    Ok(())
}
