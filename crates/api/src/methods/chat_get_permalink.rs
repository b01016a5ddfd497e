use model::Ts;
use wire::address;

use crate::{call::Cx, channels, errors::Failure, reply::Reply};

/// The address of a message.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let channel = channels::get(&cx, channels::id(&cx)?).await?.channel.id;
    let ts: Ts =
        cx.args.required("message_ts", "message_not_found")?.parse().map_err(|_| "message_not_found")?;
    let message = cx.store().message(cx.workspace()?, channel, ts).await?.ok_or("message_not_found")?;
    let permalink = address::permalink(&cx.app.config.public_url, channel, ts, message.thread);
    let mut reply = Reply::ok();
    reply.text("channel", channel).put("permalink", &permalink);
    Ok(reply)
}
