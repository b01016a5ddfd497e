//! Finding the conversation that a caller names, and deciding what they may know of it.

use model::{Channel, ChannelId, ChannelKind, Membership, UserId};
use store::{ChannelsQuery, Done, WriteKind};
use wire::{
    conversation::{Seen, put_conversation},
    json::Object,
};

use crate::{
    args::Args,
    call::Cx,
    cursor::{self, PAGE_MAX},
    errors::Failure,
    random,
    reply::Reply,
    scopes::{self, Family},
};

/// A conversation that the caller may know of.
pub struct Found {
    /// The conversation.
    pub channel: Channel,
    /// The caller's membership.
    pub membership: Option<Membership>,
}

impl Found {
    /// The caller's membership.
    ///
    /// # Errors
    /// `not_in_channel`.
    pub fn member(&self) -> Result<&Membership, Failure> {
        self.membership.as_ref().ok_or_else(|| "not_in_channel".into())
    }
}

/// The `channel` argument, as an id. What is none names no channel.
///
/// # Errors
/// `channel_not_found`.
pub fn id(cx: &Cx) -> Result<ChannelId, Failure> {
    cx.args.required("channel", "channel_not_found")?.parse().map_err(|_| "channel_not_found".into())
}

/// The conversation of the `channel` argument, if the caller may know of it and has a scope for its kind.
///
/// # Errors
/// `channel_not_found` (there is none, or it is private and the caller is not in it), `missing_scope`.
pub async fn find(cx: &Cx, family: Family) -> Result<Found, Failure> {
    let found = get(cx, id(cx)?).await?;
    scopes::check(cx.principal()?, family, found.channel.kind)?;
    Ok(found)
}

/// A conversation, if the caller may know of it.
///
/// # Errors
/// `channel_not_found`.
pub async fn get(cx: &Cx, id: ChannelId) -> Result<Found, Failure> {
    let found = cx.store().channel(cx.workspace()?, id, Some(cx.user()?)).await?;
    match found {
        Some((channel, membership)) if membership.is_some() || channel.kind.is_public() => {
            Ok(Found { channel, membership })
        }
        _ => Err("channel_not_found".into()),
    }
}

/// Answers with a conversation as it is now.
///
/// # Errors
/// As [`get`].
pub async fn answer(cx: &Cx, id: ChannelId) -> Result<Reply, Failure> {
    let found = get(cx, id).await?;
    let mut reply = Reply::ok();
    put(cx, &mut reply, &found)?;
    Ok(reply)
}

/// Writes a conversation as the member `channel`.
///
/// # Errors
/// As [`Cx::user`].
pub fn put(cx: &Cx, object: &mut Object, found: &Found) -> Result<(), Failure> {
    let (workspace, viewer) = (cx.workspace()?, cx.user()?);
    object.object("channel", |object| {
        put_conversation(object, workspace, &found.channel, viewer, Seen::by(found.membership.as_ref()));
    });
    Ok(())
}

/// Where a message goes: an id, a person's id (their DM is opened), or a channel's name.
///
/// # Errors
/// `channel_not_found`.
pub async fn target(cx: &Cx) -> Result<ChannelId, Failure> {
    named(cx, &cx.args.required("channel", "channel_not_found")?).await
}

/// As [`target`], of a text.
///
/// # Errors
/// `channel_not_found`.
pub async fn named(cx: &Cx, text: &str) -> Result<ChannelId, Failure> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    if let Ok(user) = text.parse() {
        return open_direct(cx, user).await.map_err(|failure| {
            // Whom one cannot write to has no conversation to write in.
            failure.called(store::Refusal::UserNotFound, "channel_not_found")
        });
    }
    by_name(cx, text.trim_start_matches('#')).await?.ok_or_else(|| "channel_not_found".into())
}

async fn open_direct(cx: &Cx, user: UserId) -> Result<ChannelId, Failure> {
    let by = cx.by()?;
    let others = if user == by.user { Vec::new() } else { vec![user] };
    let kind = WriteKind::OpenDirect { id: random::direct_id()?, by, others, only_existing: false };
    match cx.write(kind).await? {
        Done::Channel { id, .. } => Ok(id),
        _ => Err("internal_error".into()),
    }
}

/// The channel of a name, among those that the caller may know of.
///
/// # Errors
/// A read failed.
pub async fn by_name(cx: &Cx, name: &str) -> Result<Option<ChannelId>, Failure> {
    let mut after = None;
    loop {
        let query = ChannelsQuery {
            viewer: cx.user()?,
            member: None,
            kinds: vec![ChannelKind::Public, ChannelKind::Private],
            exclude_archived: false,
            after,
            limit: PAGE_MAX,
        };
        let page = cx.store().channels(cx.workspace()?, query).await?;
        if let Some((channel, _)) = page.iter().find(|(channel, _)| channel.name == name) {
            return Ok(Some(channel.id));
        }
        let Some((last, _)) = page.last() else { return Ok(None) };
        after = Some(last.id);
    }
}

/// The `types` argument.
///
/// # Errors
/// `invalid_types`.
pub fn kinds(args: &Args) -> Result<Vec<ChannelKind>, Failure> {
    let names = args.list("types")?;
    if names.is_empty() {
        return Ok(vec![ChannelKind::Public]);
    }
    names
        .iter()
        .map(|name| match name.as_str() {
            "public_channel" => Ok(ChannelKind::Public),
            "private_channel" => Ok(ChannelKind::Private),
            "mpim" => Ok(ChannelKind::GroupDirect),
            "im" => Ok(ChannelKind::Direct),
            _ => Err("invalid_types".into()),
        })
        .collect()
}

/// Answers with a page of conversations: of everybody's and the caller's, or those that `member` is in.
///
/// # Errors
/// `team_not_found`, `invalid_types`, `invalid_cursor`, `invalid_limit`, `missing_scope`.
pub async fn list(cx: &Cx, member: Option<UserId>) -> Result<Reply, Failure> {
    cx.check_team()?;
    let kinds = kinds(&cx.args)?;
    for &kind in &kinds {
        scopes::check(cx.principal()?, Family::Read, kind)?;
    }
    let limit = cursor::limit(&cx.args, 100)?;
    let (workspace, viewer) = (cx.workspace()?, cx.user()?);
    let query = ChannelsQuery {
        viewer,
        member,
        kinds,
        exclude_archived: cx.args.flag("exclude_archived")?.unwrap_or(false),
        after: cursor::decode(&cx.args, "team")?,
        limit: limit + 1,
    };
    let mut page = cx.store().channels(workspace, query).await?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = page.len() > limit;
    page.truncate(limit);
    let mut reply = Reply::ok();
    reply.objects("channels", &page, |object, (channel, membership)| {
        let seen = if membership.is_some() { Seen::FromInside } else { Seen::FromOutside };
        put_conversation(object, workspace, channel, viewer, seen);
    });
    let last = page.last().filter(|_| more);
    reply.next_cursor = Some(last.map(|(channel, _)| cursor::encode("team", channel.id)).unwrap_or_default());
    Ok(reply)
}
