use wire::{
    address,
    message::{MessageView, put_message},
};

use crate::{call::Cx, errors::Failure, methods::reactions_add::item, reply::Reply};

/// A message with its emoji. Everybody who reacted is listed, whatever `full` says.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let (found, ts) = item(&cx).await?;
    cx.args.flag("full")?;
    let (workspace, channel) = (cx.workspace()?, found.channel.id);
    let message = cx.store().message(workspace, channel, ts).await?.ok_or("message_not_found")?;
    let permalink = address::permalink(&cx.app.config.public_url, channel, ts, message.thread);
    let mut reply = Reply::ok();
    reply.put("type", "message").text("channel", channel).object("message", |object| {
        put_message(object, workspace, &message, MessageView { site: cx.site(), ..MessageView::default() });
        object.put("permalink", &permalink);
    });
    Ok(reply)
}
