use model::{ChannelKind, UserId};
use store::{Done, WriteKind};

use crate::{
    call::Cx,
    channels,
    errors::Failure,
    random,
    reply::Reply,
    scopes::{self, Family},
};

/// Most people of a group DM besides the one who opens it.
const OTHERS_MAX: usize = 8;

/// Finds or makes the DM or group DM of `users`, or opens the one that `channel` names.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let (id, existed) = match cx.args.given("channel")? {
        Some(_) => {
            let found = channels::find(&cx, Family::Manage).await?;
            if !found.channel.kind.is_direct() {
                return Err("method_not_supported_for_channel_type".into());
            }
            found.member().map_err(|_| "channel_not_found")?;
            let channel = found.channel.id;
            let done = cx.write(WriteKind::SetOpen { channel, by: cx.by()?, open: true }).await?;
            (channel, done == (Done::Membership { changed: false }))
        }
        None => open(&cx).await?,
    };
    let mut reply = Reply::ok();
    if existed {
        reply.put("no_op", &true).put("already_open", &true);
    }
    if cx.args.flag("return_im")?.unwrap_or(false) {
        let found = channels::get(&cx, id).await?;
        channels::put(&cx, &mut reply, &found)?;
    } else {
        reply.object("channel", |channel| {
            channel.text("id", id);
        });
    }
    Ok(reply)
}

async fn open(cx: &Cx) -> Result<(model::ChannelId, bool), Failure> {
    let by = cx.by()?;
    let mut others: Vec<UserId> = Vec::new();
    let names = cx.args.list("users")?;
    if names.is_empty() {
        return Err("users_list_not_supplied".into());
    }
    for name in &names {
        let user = name.parse().map_err(|_| "user_not_found")?;
        if user != by.user && !others.contains(&user) {
            others.push(user);
        }
    }
    if others.len() > OTHERS_MAX {
        return Err("too_many_users".into());
    }
    let (kind, id) = match others.len() {
        0 | 1 => (ChannelKind::Direct, random::direct_id()?),
        _ => (ChannelKind::GroupDirect, random::channel_id()?),
    };
    scopes::check(cx.principal()?, Family::Manage, kind)?;
    let only_existing = cx.args.flag("prevent_creation")?.unwrap_or(false);
    let write = WriteKind::OpenDirect { id, by, others, only_existing };
    match cx.write(write).await? {
        Done::Channel { id, existed } => Ok((id, existed)),
        _ => Err("internal_error".into()),
    }
}
