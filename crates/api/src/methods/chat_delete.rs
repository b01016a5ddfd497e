use model::Ts;
use store::WriteKind;

use crate::{call::Cx, channels, errors::Failure, methods::chat_post_message::check_as_user, reply::Reply};

/// Deletes a message.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let channel = channels::get(&cx, channels::id(&cx)?).await?.channel.id;
    let ts: Ts = cx.args.required("ts", "message_not_found")?.parse().map_err(|_| "message_not_found")?;
    check_as_user(&cx)?;
    cx.write(WriteKind::Delete { channel, ts, by: cx.by()? }).await?;
    let mut reply = Reply::ok();
    reply.text("channel", channel).text("ts", ts);
    Ok(reply)
}
