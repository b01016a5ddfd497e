use model::Credential;
use wire::event::put_pin_item;

use crate::{call::Cx, channels, errors::Failure, reply::Reply};

/// The pinned messages of a channel, the newest pin first.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let found = channels::get(&cx, channels::id(&cx)?).await?;
    if cx.principal()?.credential == Credential::Bot {
        found.member().map_err(|_| "channel_not_found")?;
    }
    let workspace = cx.workspace()?;
    let pinned = cx.store().pinned(workspace, found.channel.id).await?;
    let items = pinned.iter().filter_map(|message| Some((message, message.pinned?)));
    let mut reply = Reply::ok();
    reply
        .objects("items", items, |object, (message, (user, at))| {
            put_pin_item(object, workspace, message, (user, at), cx.site());
        })
        .put("count", &pinned.len());
    Ok(reply)
}
