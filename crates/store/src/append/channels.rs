//! Creating, describing and archiving conversations.

use model::{
    Channel, ChannelId, ChannelKind, ChannelName, Described, EventKind, Position, Role, Subtype, Ts, UserId,
    Who, WorkspaceId,
};

use super::{
    Batch, Decided,
    changes::Member,
    membership::{self, Notice},
    post, rights, user_topic, workspace_topic,
};
use crate::{
    By, Done, Refusal,
    rows::{self, StoredChannel, channel_topic},
    tx::params,
};

/// Names that a renamed channel remembers; the oldest make room.
const PREVIOUS_NAMES_MAX: usize = 20;

/// A channel that has nobody and nothing yet.
pub(super) fn empty(
    batch: &Batch<'_>,
    id: ChannelId,
    kind: ChannelKind,
    name: &str,
    creator: UserId,
) -> StoredChannel {
    let channel = Channel {
        id,
        kind,
        name: name.to_owned(),
        creator,
        created: batch.now(),
        updated: batch.now(),
        archived: false,
        general: false,
        topic: Described::default(),
        purpose: Described::default(),
        latest: Ts::ZERO,
        member_count: 0,
        previous_names: Vec::new(),
        pins: 0,
        direct_members: Vec::new(),
    };
    StoredChannel { channel, default: false, closed: 0, posting: Who::Everyone, revision: 0 }
}

/// Creates a channel with its creator in it.
pub(super) async fn create(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    id: ChannelId,
    name: &ChannelName,
    private: bool,
    by: By,
) -> Decided {
    if batch.find_channel(workspace, id).await?.is_some() {
        return Ok(Done::Channel { id, existed: true });
    }
    rights::check(batch, workspace, by.role, |it| if private { it.create_private } else { it.create_public })
        .await?;
    check_name(batch, workspace, name).await?;
    let kind = if private { ChannelKind::Private } else { ChannelKind::Public };
    let stored = empty(batch, id, kind, name.as_str(), by.user);
    batch.put_channel(workspace, stored.clone());
    if kind.is_public() {
        let created = EventKind::ChannelCreated(Box::new(stored.channel.clone()));
        batch.push(workspace_topic(workspace), created).await?;
    }
    membership::enter(batch, workspace, stored, by.user, None, Notice::Say).await?;
    Ok(Done::Channel { id, existed: false })
}

async fn check_name(batch: &mut Batch<'_>, workspace: WorkspaceId, name: &ChannelName) -> Decided<()> {
    let sql = "SELECT channel FROM channels WHERE workspace = $1 AND name_key = $2";
    let taken = !batch.query(sql, &params![workspace, name.as_str()]).await?.is_empty();
    if taken { Err(Refusal::NameTaken.into()) } else { Ok(()) }
}

/// Finds or makes a DM or group DM.
pub(super) async fn open_direct(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    id: ChannelId,
    by: By,
    others: &[UserId],
    only_existing: bool,
) -> Decided {
    for &user in others {
        let person = batch.user(workspace, user).await?.ok_or(Refusal::UserNotFound)?;
        if person.deleted {
            return Err(Refusal::UserDisabled.into());
        }
    }
    let mut people = vec![by.user];
    people.extend(others.iter().copied());
    people.sort_unstable();
    people.dedup();
    let key = rows::direct_key(&people);
    let sql = "SELECT channel FROM channels WHERE workspace = $1 AND direct_key = $2";
    if let Some(mut row) = batch.query(sql, &params![workspace, key]).await?.into_iter().next() {
        let id = row.take()?;
        return Ok(Done::Channel { id, existed: !reopen(batch, workspace, id, by.user).await? });
    }
    if only_existing {
        return Err(Refusal::ChannelNotFound.into());
    }
    let group = people.len() > 2;
    let kind = if group { ChannelKind::GroupDirect } else { ChannelKind::Direct };
    let name = if group { group_name(batch, workspace, &people).await? } else { String::new() };
    let mut stored = empty(batch, id, kind, &name, by.user);
    stored.channel.member_count = u64::try_from(people.len()).unwrap_or(u64::MAX);
    stored.channel.direct_members = people.clone();
    batch.put_channel(workspace, stored.clone());
    batch.create_topic(channel_topic(workspace, id)).await?;
    for user in people {
        let member =
            Member { present: true, at: Position::START, last_read: Ts::ZERO, closed: false, revision: 0 };
        batch.put_member(workspace, id, user, member);
        let joined = EventKind::Joined { channel: Box::new(stored.channel.clone()), at: Position::START };
        batch.push(user_topic(workspace, user), joined).await?;
    }
    Ok(Done::Channel { id, existed: false })
}

/// Slack's name of a group DM: `mpdm-ann--bo--cy-1`.
async fn group_name(batch: &mut Batch<'_>, workspace: WorkspaceId, people: &[UserId]) -> Decided<String> {
    let mut names = Vec::with_capacity(people.len());
    for &user in people {
        names.push(batch.user(workspace, user).await?.map_or_else(|| user.to_string(), |person| person.name));
    }
    names.sort();
    Ok(format!("mpdm-{}-1", names.join("--")))
}

/// Which of a channel's two texts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// Its topic.
    Topic,
    /// Its purpose.
    Purpose,
}

/// Sets the topic or purpose.
pub(super) async fn describe(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    channel: ChannelId,
    by: By,
    value: String,
    which: Which,
) -> Decided {
    let mut stored = post::readable(batch, workspace, channel, by).await?;
    if stored.channel.kind == ChannelKind::Direct && which == Which::Purpose {
        return Err(Refusal::WrongChannelKind.into());
    }
    if !batch.is_member(workspace, channel, by.user).await? {
        return Err(Refusal::NotInChannel.into());
    }
    if stored.channel.archived {
        return Err(Refusal::IsArchived.into());
    }
    let now = batch.now();
    let described = match which {
        Which::Topic => &mut stored.channel.topic,
        Which::Purpose => &mut stored.channel.purpose,
    };
    if described.value == value {
        return Ok(Done::Described { changed: false });
    }
    *described = Described { value: value.clone(), by: Some(by.user), at: now };
    stored.channel.updated = now;
    batch.put_channel(workspace, stored);
    let what = if which == Which::Topic { "topic" } else { "purpose" };
    let text = if value.is_empty() {
        format!("<@{}> cleared the channel {what}", by.user)
    } else {
        format!("<@{}> set the channel {what}: {value}", by.user)
    };
    let subtype = match which {
        Which::Topic => Subtype::ChannelTopic(value),
        Which::Purpose => Subtype::ChannelPurpose(value),
    };
    post::post_notice(batch, workspace, channel, by.user, subtype, text).await?;
    Ok(Done::Described { changed: true })
}

/// Archives a channel.
pub(super) async fn archive(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    channel: ChannelId,
    by: By,
) -> Decided {
    let mut stored = post::joinable(batch, workspace, channel, by).await?;
    if stored.channel.general {
        return Err(Refusal::CantArchiveGeneral.into());
    }
    if !batch.is_member(workspace, channel, by.user).await? && by.role < Role::Admin {
        return Err(Refusal::NotInChannel.into());
    }
    rights::check(batch, workspace, by.role, |it| it.archive).await?;
    if stored.channel.archived {
        return Err(Refusal::AlreadyArchived.into());
    }
    stored.channel.archived = true;
    stored.channel.updated = batch.now();
    let (public, default) = (stored.channel.kind.is_public(), stored.default);
    batch.put_channel(workspace, stored);
    if default {
        rights::tell_newcomers(batch, workspace).await?;
    }
    let text = format!("<@{}> archived the channel", by.user);
    post::post_notice(batch, workspace, channel, by.user, Subtype::ChannelArchive, text).await?;
    if public {
        batch.push(workspace_topic(workspace), EventKind::ChannelArchived { user: by.user, channel }).await?;
    } else {
        let archived = EventKind::GroupArchived { user: by.user, channel };
        batch.push(channel_topic(workspace, channel), archived).await?;
    }
    Ok(Done::Ok)
}

/// Takes a channel back from the archive.
pub(super) async fn unarchive(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    channel: ChannelId,
    by: By,
) -> Decided {
    let mut stored = post::joinable(batch, workspace, channel, by).await?;
    rights::check(batch, workspace, by.role, |it| it.archive).await?;
    if !stored.channel.archived {
        return Err(Refusal::NotArchived.into());
    }
    stored.channel.archived = false;
    stored.channel.updated = batch.now();
    let (public, default) = (stored.channel.kind.is_public(), stored.default);
    batch.put_channel(workspace, stored);
    if default {
        rights::tell_newcomers(batch, workspace).await?;
    }
    let text = format!("<@{}> un-archived the channel", by.user);
    post::post_notice(batch, workspace, channel, by.user, Subtype::ChannelUnarchive, text).await?;
    if public {
        let unarchived = EventKind::ChannelUnarchived { user: by.user, channel };
        batch.push(workspace_topic(workspace), unarchived).await?;
    } else {
        let unarchived = EventKind::GroupUnarchived { user: by.user, channel };
        batch.push(channel_topic(workspace, channel), unarchived).await?;
    }
    Ok(Done::Ok)
}

/// Gives a channel another name: its creator may, and admins.
pub(super) async fn rename(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    channel: ChannelId,
    by: By,
    name: &ChannelName,
) -> Decided {
    let mut stored = post::joinable(batch, workspace, channel, by).await?;
    if !batch.is_member(workspace, channel, by.user).await? {
        return Err(Refusal::NotInChannel.into());
    }
    if stored.channel.archived {
        return Err(Refusal::IsArchived.into());
    }
    let creators = stored.channel.creator == by.user && !stored.channel.general;
    if !creators && by.role < Role::Admin {
        return Err(Refusal::NotAllowed.into());
    }
    if stored.channel.name == name.as_str() {
        return Ok(Done::Ok);
    }
    check_name(batch, workspace, name).await?;
    let old = std::mem::replace(&mut stored.channel.name, name.as_str().to_owned());
    stored.channel.previous_names.retain(|previous| *previous != old);
    stored.channel.previous_names.push(old.clone());
    let extra = stored.channel.previous_names.len().saturating_sub(PREVIOUS_NAMES_MAX);
    stored.channel.previous_names.drain(..extra);
    stored.channel.updated = batch.now();
    batch.put_channel(workspace, stored.clone());
    let new = name.as_str().to_owned();
    let text = format!("<@{}> has renamed the channel from \"{old}\" to \"{new}\"", by.user);
    let subtype = Subtype::ChannelName { old, new };
    post::post_notice(batch, workspace, channel, by.user, subtype, text).await?;
    let renamed = Box::new(stored.channel);
    if renamed.kind.is_public() {
        batch.push(workspace_topic(workspace), EventKind::ChannelRenamed(renamed)).await?;
    } else {
        batch.push(channel_topic(workspace, channel), EventKind::GroupRenamed(renamed)).await?;
    }
    Ok(Done::Ok)
}

/// Makes a public channel private or a private one public. Who is in it stays in it.
pub(super) async fn convert(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    channel: ChannelId,
    by: By,
    to: ChannelKind,
) -> Decided {
    if by.role < Role::Admin {
        return Err(Refusal::NotAllowed.into());
    }
    // An admin does not know of private channels that they are not in.
    let mut stored = post::readable(batch, workspace, channel, by).await?;
    if stored.channel.kind.is_direct() || stored.channel.general {
        return Err(Refusal::WrongChannelKind.into());
    }
    if stored.channel.kind == to {
        return Err(Refusal::AlreadyThatKind.into());
    }
    if stored.channel.archived {
        return Err(Refusal::IsArchived.into());
    }
    stored.channel.kind = to;
    stored.channel.updated = batch.now();
    // Newcomers do not come into private channels by themselves.
    let leaves = stored.default && !to.is_public();
    stored.default &= to.is_public();
    batch.put_channel(workspace, stored.clone());
    if leaves {
        rights::tell_newcomers(batch, workspace).await?;
    }
    let (subtype, what) = if to.is_public() {
        (Subtype::ConvertedToPublic, "public")
    } else {
        (Subtype::ConvertedToPrivate, "private")
    };
    let text = format!("<@{}> made this channel *{what}*", by.user);
    post::post_notice(batch, workspace, channel, by.user, subtype, text).await?;
    let event = if to.is_public() {
        EventKind::ChannelCreated(Box::new(stored.channel))
    } else {
        EventKind::ChannelConvertedToPrivate { channel }
    };
    batch.push(workspace_topic(workspace), event).await?;
    Ok(Done::Ok)
}

/// Takes a DM out of the person's list, until somebody says something in it or the person opens it.
pub(super) async fn close(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    channel: ChannelId,
    by: By,
) -> Decided {
    let mut stored = post::readable(batch, workspace, channel, by).await?;
    if !stored.channel.kind.is_direct() {
        return Err(Refusal::WrongChannelKind.into());
    }
    let member = batch.member(workspace, channel, by.user).await?.ok_or(Refusal::ChannelNotFound)?;
    if member.closed {
        return Ok(Done::Membership { changed: false });
    }
    batch.put_member(workspace, channel, by.user, Member { closed: true, ..member });
    stored.closed += 1;
    let kind = stored.channel.kind;
    batch.put_channel(workspace, stored);
    batch.push(user_topic(workspace, by.user), EventKind::Closed { channel, kind }).await?;
    Ok(Done::Membership { changed: true })
}

/// Puts a DM back into the person's list. True: it was not in it.
pub(super) async fn reopen(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    channel: ChannelId,
    user: UserId,
) -> Decided<bool> {
    let Some(member) = batch.member(workspace, channel, user).await?.filter(|member| member.closed) else {
        return Ok(false);
    };
    batch.put_member(workspace, channel, user, Member { closed: false, ..member });
    let mut stored = batch.channel(workspace, channel).await?;
    stored.closed = stored.closed.saturating_sub(1);
    let kind = stored.channel.kind;
    batch.put_channel(workspace, stored);
    batch.push(user_topic(workspace, user), EventKind::Opened { channel, kind }).await?;
    Ok(true)
}

/// Puts a DM back into the list of each of its people: something is said in it.
pub(super) async fn reopen_for_all(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    stored: StoredChannel,
) -> Decided<()> {
    for user in stored.channel.direct_members {
        reopen(batch, workspace, stored.channel.id, user).await?;
    }
    Ok(())
}
