//! Pins.

use model::{ChannelId, EventKind, PinChange, Ts, WorkspaceId};

use super::{Batch, Decided, post};
use crate::{
    By, Done, PINS_MAX, Refusal,
    rows::{StoredMessage, channel_topic},
};

/// Pins a message to its channel.
pub(super) async fn add(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    channel: ChannelId,
    ts: Ts,
    by: By,
) -> Decided {
    let (mut stored, pins) = pinnable(batch, workspace, channel, ts, by).await?;
    if stored.message.pinned.is_some() {
        return Err(Refusal::AlreadyPinned.into());
    }
    if pins >= PINS_MAX {
        return Err(Refusal::TooManyPins.into());
    }
    let topic = channel_topic(workspace, channel);
    let place = batch.next(topic).await?;
    stored.message.pinned = Some((by.user, place.1));
    let pins = count(batch, workspace, channel, pins + 1).await?;
    let change = PinChange { message: stored.message.clone(), user: by.user, pins };
    batch.put_message(workspace, stored);
    batch.emit(topic, place, EventKind::PinAdded(Box::new(change)));
    Ok(Done::Ok)
}

/// Takes a pin off.
pub(super) async fn remove(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    channel: ChannelId,
    ts: Ts,
    by: By,
) -> Decided {
    let (mut stored, pins) = pinnable(batch, workspace, channel, ts, by).await?;
    if stored.message.pinned.take().is_none() {
        return Err(Refusal::NoPin.into());
    }
    let topic = channel_topic(workspace, channel);
    let place = batch.next(topic).await?;
    let pins = count(batch, workspace, channel, pins.saturating_sub(1)).await?;
    let change = PinChange { message: stored.message.clone(), user: by.user, pins };
    batch.put_message(workspace, stored);
    batch.emit(topic, place, EventKind::PinRemoved(Box::new(change)));
    Ok(Done::Ok)
}

async fn count(batch: &mut Batch<'_>, workspace: WorkspaceId, channel: ChannelId, pins: u64) -> Decided<u64> {
    let mut stored = batch.channel(workspace, channel).await?;
    stored.channel.pins = pins;
    batch.put_channel(workspace, stored);
    Ok(pins)
}

/// A message of a channel that the person is in and may change, and how many pins there are.
async fn pinnable(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    channel: ChannelId,
    ts: Ts,
    by: By,
) -> Decided<(StoredMessage, u64)> {
    let stored_channel = post::readable(batch, workspace, channel, by).await?;
    if !batch.is_member(workspace, channel, by.user).await? {
        return Err(Refusal::NotInChannel.into());
    }
    let stored = post::live(batch, workspace, channel, ts).await?;
    if stored.message.subtype == Some(model::Subtype::Tombstone) {
        return Err(Refusal::MessageNotFound.into());
    }
    if stored_channel.channel.archived {
        return Err(Refusal::IsArchived.into());
    }
    Ok((stored, stored_channel.channel.pins))
}
