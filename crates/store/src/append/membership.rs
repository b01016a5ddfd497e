//! Joining, leaving, inviting, removing.

use model::{ChannelId, ChannelKind, EventKind, Position, Subtype, UserId, WorkspaceId};

use super::{Batch, Decided, Stop, changes::Member, post, rights, user_topic};
use crate::{
    By, Done, Refusal,
    rows::{StoredChannel, channel_topic},
};

/// Whether the channel itself says that somebody came.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Notice {
    /// "… has joined the channel".
    Say,
    /// Only the events.
    Quiet,
}

/// Joins a public channel.
pub(super) async fn join(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    channel: ChannelId,
    by: By,
) -> Decided {
    let stored = post::joinable(batch, workspace, channel, by).await?;
    if batch.is_member(workspace, channel, by.user).await? {
        return Ok(Done::Membership { changed: false });
    }
    if stored.channel.archived {
        return Err(Refusal::IsArchived.into());
    }
    enter(batch, workspace, stored, by.user, None, Notice::Say).await?;
    Ok(Done::Membership { changed: true })
}

/// Writes that somebody is in a channel. Nobody calls it for a person who is in it.
pub(super) async fn enter(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    mut stored: StoredChannel,
    user: UserId,
    inviter: Option<UserId>,
    notice: Notice,
) -> Decided<()> {
    let channel = stored.channel.id;
    let topic = channel_topic(workspace, channel);
    stored.channel.member_count += 1;
    let (kind, members) = (stored.channel.kind, stored.channel.member_count);
    let at = batch.push(topic, EventKind::MemberJoined { user, inviter, kind, members }).await?;
    let previous = batch.member(workspace, channel, user).await?;
    // What was said before somebody came is not unread for them.
    let last_read =
        previous.map_or(stored.channel.latest, |previous| previous.last_read.max(stored.channel.latest));
    let revision = previous.map_or(0, |previous| previous.revision);
    let member = Member { present: true, at, last_read, closed: false, revision };
    batch.put_member(workspace, channel, user, member);
    batch.put_channel(workspace, stored.clone());
    let personal = EventKind::Joined { channel: Box::new(stored.channel), at };
    batch.push(user_topic(workspace, user), personal).await?;
    if notice == Notice::Say {
        let text = format!("<@{user}> has joined the channel");
        post::post_notice(batch, workspace, channel, user, Subtype::ChannelJoin { inviter }, text).await?;
    }
    Ok(())
}

/// Writes that somebody is not in a channel any more. Nobody calls it for a person who is not in it.
async fn exit(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    mut stored: StoredChannel,
    user: UserId,
    by: Option<UserId>,
) -> Decided<Position> {
    let channel = stored.channel.id;
    let kind = stored.channel.kind;
    stored.channel.member_count = stored.channel.member_count.saturating_sub(1);
    let left = EventKind::MemberLeft { user, by, kind, members: stored.channel.member_count };
    let at = batch.push(channel_topic(workspace, channel), left).await?;
    if let Some(member) = batch.member(workspace, channel, user).await? {
        batch.put_member(workspace, channel, user, Member { present: false, at, ..member });
    }
    batch.put_channel(workspace, stored);
    batch.push(user_topic(workspace, user), EventKind::Left { channel, kind, by, at }).await?;
    Ok(at)
}

/// Leaves a channel.
pub(super) async fn leave(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    channel: ChannelId,
    by: By,
) -> Decided {
    let stored = post::joinable(batch, workspace, channel, by).await?;
    if stored.channel.general {
        return Err(Refusal::CantLeaveGeneral.into());
    }
    if !batch.is_member(workspace, channel, by.user).await? {
        return Ok(Done::Membership { changed: false });
    }
    if stored.channel.archived {
        return Err(Refusal::IsArchived.into());
    }
    if stored.channel.kind == ChannelKind::Private && stored.channel.member_count <= 1 {
        return Err(Refusal::LastMember.into());
    }
    exit(batch, workspace, stored, by.user, None).await?;
    let text = format!("<@{}> has left the channel", by.user);
    post::post_notice(batch, workspace, channel, by.user, Subtype::ChannelLeave, text).await?;
    Ok(Done::Membership { changed: true })
}

/// Invites people.
pub(super) async fn invite(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    channel: ChannelId,
    by: By,
    users: &[UserId],
    force: bool,
) -> Decided {
    let stored = post::joinable(batch, workspace, channel, by).await?;
    if !batch.is_member(workspace, channel, by.user).await? {
        return Err(Refusal::NotInChannel.into());
    }
    if stored.channel.archived {
        return Err(Refusal::IsArchived.into());
    }
    let mut answers: Vec<(UserId, Result<(), Refusal>)> = Vec::with_capacity(users.len());
    for &user in users {
        let seen = answers.iter().any(|(other, _)| *other == user);
        let answer = if seen {
            Err(Refusal::AlreadyInChannel)
        } else {
            invitable(batch, workspace, channel, by, user).await?
        };
        answers.push((user, answer));
    }
    if !force && answers.iter().any(|(_, answer)| answer.is_err()) {
        return Ok(Done::Invited(answers));
    }
    for &(user, answer) in &answers {
        if answer.is_ok() {
            let stored = batch.channel(workspace, channel).await?;
            enter(batch, workspace, stored, user, Some(by.user), Notice::Say).await?;
        }
    }
    Ok(Done::Invited(answers))
}

async fn invitable(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    channel: ChannelId,
    by: By,
    user: UserId,
) -> Result<Result<(), Refusal>, Stop> {
    if user == by.user {
        return Ok(Err(Refusal::NotAllowed));
    }
    Ok(match batch.user(workspace, user).await? {
        None => Err(Refusal::UserNotFound),
        Some(person) if person.deleted => Err(Refusal::UserDisabled),
        Some(_) if batch.is_member(workspace, channel, user).await? => Err(Refusal::AlreadyInChannel),
        Some(_) => Ok(()),
    })
}

/// Removes somebody.
pub(super) async fn kick(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    channel: ChannelId,
    by: By,
    user: UserId,
) -> Decided {
    let stored = post::joinable(batch, workspace, channel, by).await?;
    if stored.channel.general {
        return Err(Refusal::CantKickFromGeneral.into());
    }
    if !batch.is_member(workspace, channel, by.user).await? {
        return Err(Refusal::NotInChannel.into());
    }
    if stored.channel.creator != by.user {
        let private = stored.channel.kind == ChannelKind::Private;
        rights::check(batch, workspace, by.role, |it| if private { it.kick_private } else { it.kick_public })
            .await?;
    }
    if batch.user(workspace, user).await?.is_none() {
        return Err(Refusal::UserNotFound.into());
    }
    if !batch.is_member(workspace, channel, user).await? {
        return Err(Refusal::TargetNotInChannel.into());
    }
    if stored.channel.archived {
        return Err(Refusal::IsArchived.into());
    }
    exit(batch, workspace, stored, user, Some(by.user)).await?;
    Ok(Done::Ok)
}
