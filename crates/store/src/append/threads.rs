//! Threads that people follow.
//!
//! A reply costs what it mentions, never what the thread's followers are: who follows it sees from the parent's
//! newest reply that there is something to read.

use model::{ChannelId, EventKind, Message, Subscription, Ts, UserId, WorkspaceId};

use super::{Batch, Decided, changes::Follower, post, user_topic};
use crate::{By, Done, Refusal};

/// After a reply its author follows the thread and has read it; the parent's author and those whom it mentions follow
/// it unless they did or did not before. `parent` is as it was before the reply.
pub(super) async fn replied(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    reply: &Message,
    parent: &Message,
    mentions: &[UserId],
) -> Decided<()> {
    let (channel, thread) = (reply.channel, parent.ts);
    let before = batch.follower(workspace, channel, thread, reply.author).await?;
    let follower = Follower { active: true, last_read: reply.ts };
    batch.put_follower(workspace, channel, thread, reply.author, follower);
    if !before.is_some_and(|before| before.active) {
        tell(batch, workspace, (channel, thread), reply.author, follower).await?;
    }
    // What was said before is not news.
    let last_read = parent.replies.as_ref().map_or(thread, |replies| replies.latest);
    let author = Some(parent.author).filter(|_| parent.bot.is_none());
    for user in author.into_iter().chain(mentions.iter().copied()) {
        let known = batch.follower(workspace, channel, thread, user).await?.is_some();
        if known || !batch.is_member(workspace, channel, user).await? {
            continue;
        }
        let follower = Follower { active: true, last_read };
        batch.put_follower(workspace, channel, thread, user, follower);
        tell(batch, workspace, (channel, thread), user, follower).await?;
    }
    Ok(())
}

/// Follows a thread or not. `last_read` moves the cursor of who begins to follow; none: all of it is read.
pub(super) async fn follow(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    (channel, thread): (ChannelId, Ts),
    by: By,
    active: bool,
    last_read: Option<Ts>,
) -> Decided {
    let latest = latest(batch, workspace, (channel, thread), by).await?;
    let before = batch.follower(workspace, channel, thread, by.user).await?;
    if before.is_some_and(|before| before.active) == active {
        return Ok(Done::Ok);
    }
    let last_read = match (active, last_read, before) {
        (true, Some(ts), _) => ts.min(latest),
        (true, None, _) | (false, _, None) => latest,
        (false, _, Some(before)) => before.last_read,
    };
    let follower = Follower { active, last_read };
    batch.put_follower(workspace, channel, thread, by.user, follower);
    tell(batch, workspace, (channel, thread), by.user, follower).await?;
    Ok(Done::Ok)
}

/// Moves the cursor of a thread that the person follows, forwards or backwards, not beyond what there is.
pub(super) async fn mark(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    (channel, thread): (ChannelId, Ts),
    by: By,
    ts: Ts,
) -> Decided {
    let latest = latest(batch, workspace, (channel, thread), by).await?;
    let before = batch.follower(workspace, channel, thread, by.user).await?;
    let before = before.filter(|before| before.active).ok_or(Refusal::NotFollowing)?;
    let follower = Follower { active: true, last_read: ts.min(latest) };
    if follower == before {
        return Ok(Done::Ok);
    }
    batch.put_follower(workspace, channel, thread, by.user, follower);
    let subscription = Subscription { channel, thread, last_read: follower.last_read, active: true };
    batch.push(user_topic(workspace, by.user), EventKind::ThreadMarked(subscription)).await?;
    Ok(Done::Ok)
}

/// Newest reply of a thread in a channel that the person is in; of a message without replies its own ts.
async fn latest(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    (channel, thread): (ChannelId, Ts),
    by: By,
) -> Decided<Ts> {
    post::readable(batch, workspace, channel, by).await?;
    if !batch.is_member(workspace, channel, by.user).await? {
        return Err(Refusal::NotInChannel.into());
    }
    let parent = batch.message(workspace, channel, thread).await?;
    let parent = parent.filter(|parent| !parent.deleted && !parent.message.is_reply());
    let parent = parent.ok_or(Refusal::ThreadNotFound)?;
    Ok(parent.message.replies.map_or(thread, |replies| replies.latest))
}

async fn tell(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    (channel, thread): (ChannelId, Ts),
    user: UserId,
    Follower { active, last_read }: Follower,
) -> Decided<()> {
    let subscription = Subscription { channel, thread, last_read, active };
    batch.push(user_topic(workspace, user), EventKind::ThreadFollowed(subscription)).await?;
    Ok(())
}
