//! Reactions.

use model::{ChannelId, EventKind, Reaction, ReactionChange, Subtype, Ts, WorkspaceId};

use super::{Batch, Decided, post};
use crate::{
    By, Done, REACTION_KINDS_MAX, Refusal,
    rows::{StoredMessage, channel_topic},
    tx::params,
};

/// Adds a reaction.
pub(super) async fn add(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    channel: ChannelId,
    ts: Ts,
    by: By,
    name: String,
) -> Decided {
    let mut stored = reactable(batch, workspace, channel, ts, by).await?;
    let reactions = &mut stored.message.reactions;
    let full = reactions.len() >= REACTION_KINDS_MAX;
    match reactions.iter_mut().find(|reaction| reaction.name == name) {
        Some(reaction) if reaction.users.contains(&by.user) => return Err(Refusal::AlreadyReacted.into()),
        Some(reaction) => reaction.users.push(by.user),
        None if full => return Err(Refusal::TooManyEmoji.into()),
        None => reactions.push(Reaction { name: name.clone(), users: vec![by.user] }),
    }
    let topic = channel_topic(workspace, channel);
    let place = batch.next(topic).await?;
    batch.write(
        "INSERT INTO reactions (workspace, channel, ts, name, usr, at, removed, revision) \
         VALUES ($1, $2, $3, $4, $5, $6, 0, 1) ON CONFLICT (workspace, channel, ts, name, usr) DO UPDATE SET \
         at = excluded.at, removed = 0, revision = reactions.revision + 1",
        params![workspace, channel, ts, name, by.user, place.1].into(),
    );
    let change = ReactionChange { channel, ts, user: by.user, name, item_user: stored.message.author };
    batch.put_message(workspace, stored);
    batch.emit(topic, place, EventKind::ReactionAdded(change));
    Ok(Done::Ok)
}

/// Takes a reaction back.
pub(super) async fn remove(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    channel: ChannelId,
    ts: Ts,
    by: By,
    name: String,
) -> Decided {
    let mut stored = reactable(batch, workspace, channel, ts, by).await?;
    let reactions = &mut stored.message.reactions;
    let reaction = reactions.iter_mut().find(|reaction| reaction.name == name);
    let reaction =
        reaction.filter(|reaction| reaction.users.contains(&by.user)).ok_or(Refusal::NoReaction)?;
    reaction.users.retain(|user| *user != by.user);
    reactions.retain(|reaction| !reaction.users.is_empty());
    let topic = channel_topic(workspace, channel);
    let place = batch.next(topic).await?;
    // At once: a later item of the batch may add it again, and statements are grouped at the end.
    batch
        .execute(
        "UPDATE reactions SET removed = 1, revision = revision + 1 WHERE workspace = $1 AND channel = $2 AND ts = $3 \
         AND name = $4 AND usr = $5",
        params![workspace, channel, ts, name, by.user].into(),
    )
    .await?;
    let change = ReactionChange { channel, ts, user: by.user, name, item_user: stored.message.author };
    batch.put_message(workspace, stored);
    batch.emit(topic, place, EventKind::ReactionRemoved(change));
    Ok(Done::Ok)
}

async fn reactable(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    channel: ChannelId,
    ts: Ts,
    by: By,
) -> Decided<StoredMessage> {
    let stored_channel = post::readable(batch, workspace, channel, by).await?;
    let stored = post::live(batch, workspace, channel, ts).await?;
    if stored.message.subtype == Some(Subtype::Tombstone) {
        return Err(Refusal::MessageNotFound.into());
    }
    if stored_channel.channel.archived {
        return Err(Refusal::IsArchived.into());
    }
    Ok(stored)
}
