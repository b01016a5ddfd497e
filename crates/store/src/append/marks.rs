//! Read cursors.

use model::{ChannelId, EventKind, Ts, WorkspaceId};

use super::{Batch, Decided, user_topic};
use crate::{By, Done, Refusal, rows::channel_topic};

/// Moves a read cursor, not beyond what there is, and tells the person's other devices.
pub(super) async fn mark(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    channel: ChannelId,
    by: By,
    ts: Ts,
) -> Decided {
    let stored = batch.channel(workspace, channel).await?;
    let member = batch.member(workspace, channel, by.user).await?;
    let Some(mut member) = member.filter(|member| member.present) else {
        let refusal =
            if stored.channel.kind.is_public() { Refusal::NotInChannel } else { Refusal::ChannelNotFound };
        return Err(refusal.into());
    };
    // What is not there yet cannot have been read: a cursor in the future would hide what comes.
    let ts = ts.min(batch.newest(channel_topic(workspace, channel)).await?);
    if member.last_read == ts {
        return Ok(Done::Ok);
    }
    member.last_read = ts;
    batch.put_member(workspace, channel, by.user, member);
    let mention_count = batch.count_mentions(workspace, channel, by.user, ts).await?;
    let kind = EventKind::Marked {
        channel,
        kind: stored.channel.kind,
        ts,
        mention_count,
        has_unreads: stored.channel.latest > ts,
    };
    batch.push(user_topic(workspace, by.user), kind).await?;
    Ok(Done::Ok)
}
