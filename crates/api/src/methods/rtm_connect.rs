use rpc::Protocol;

use crate::{call::Cx, errors::Failure, reply::Reply, tickets};

/// Sells a ticket for a WebSocket of Slack's RTM. There is no presence yet, so `presence_sub` and
/// `batch_presence_aware` change nothing.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    cx.args.flag("batch_presence_aware")?;
    cx.args.flag("presence_sub")?;
    let workspace = cx.store().workspace(cx.workspace()?).await?.ok_or("invalid_auth")?;
    let user = cx.store().user(workspace.id, cx.user()?).await?.ok_or("invalid_auth")?;
    let url = tickets::sell(&cx, Protocol::Rtm).await?;
    let mut reply = Reply::ok();
    reply.put("url", &url);
    reply.object("self", |object| {
        object.text("id", user.id).put("name", &user.name);
    });
    reply.object("team", |object| {
        object.text("id", workspace.id).put("name", &workspace.name).put("domain", &workspace.domain);
    });
    Ok(reply)
}
