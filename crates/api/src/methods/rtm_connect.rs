use rpc::Protocol;

use crate::{call::Cx, errors::Failure, reply::Reply, tickets};

/// Answered when presence was asked for.
const NO_PRESENCE: &str = "presence_not_supported";

/// Sells a ticket for a WebSocket of Slack's RTM. There is no presence yet: whoever asks for it is warned.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let batches = cx.args.flag("batch_presence_aware")?.unwrap_or_default();
    let presence = cx.args.flag("presence_sub")?.unwrap_or_default() || batches;
    let workspace = cx.store().workspace(cx.workspace()?).await?.ok_or("invalid_auth")?;
    let user = cx.store().user(workspace.id, cx.user()?).await?.ok_or("invalid_auth")?;
    let url = tickets::sell(&cx, Protocol::Rtm).await?;
    let mut reply = Reply::ok();
    reply.put("url", &url);
    if presence {
        reply.warnings.push(NO_PRESENCE);
    }
    reply.object("self", |object| {
        object.text("id", user.id).put("name", &user.name);
    });
    reply.object("team", |object| {
        object.text("id", workspace.id).put("name", &workspace.name).put("domain", &workspace.domain);
    });
    Ok(reply)
}
