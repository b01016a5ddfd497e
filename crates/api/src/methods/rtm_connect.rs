use rpc::Protocol;

use crate::{call::Cx, errors::Failure, reply::Reply, tickets};

/// Sells a ticket for a WebSocket of Slack's RTM. `batch_presence_aware` travels with it. What `presence_sub` asks
/// for every session has: it hears of those that it subscribed to, and of nobody else.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let batches = cx.args.flag("batch_presence_aware")?.unwrap_or_default();
    cx.args.flag("presence_sub")?;
    let workspace = cx.store().workspace(cx.workspace()?).await?.ok_or("invalid_auth")?;
    let user = cx.store().user(workspace.id, cx.user()?).await?.ok_or("invalid_auth")?;
    let url = tickets::sell(&cx, Protocol::Rtm, batches).await?;
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
