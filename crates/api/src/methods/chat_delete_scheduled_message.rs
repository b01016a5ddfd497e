use store::WriteKind;

use crate::{call::Cx, channels, errors::Failure, methods::chat_post_message::check_as_user, reply::Reply};

/// Takes a scheduled message back.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    check_as_user(&cx)?;
    let channel = channels::get(&cx, channels::id(&cx)?).await?.channel.id;
    let id = cx.args.required("scheduled_message_id", "invalid_scheduled_message_id")?;
    let id = id.parse().map_err(|_| "invalid_scheduled_message_id")?;
    cx.write(WriteKind::Unschedule { id, channel, by: cx.by()? }).await?;
    Ok(Reply::ok())
}
