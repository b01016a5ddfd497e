use crate::{
    call::Cx,
    channels,
    content::Content,
    errors::Failure,
    reply::Reply,
    send::{self, Face, Post, Sender},
};

/// Says what the caller does: `/me`.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let content = Content::read(&cx).await?;
    if content.blocks.is_some() || content.attachments.is_some() {
        return Err(Failure::invalid_arguments("a me-message has only a text"));
    }
    // Unlike `chat.postMessage` Slack says so here instead of cutting it.
    if content.truncated {
        return Err("msg_too_long".into());
    }
    let channel = channels::target(&cx).await?;
    cx.app.check_channel_rate(cx.principal()?, channel)?;
    let post = Post {
        channel,
        content,
        me: true,
        thread: None,
        broadcast: false,
        face: Face::default(),
        client_msg_id: send::client_msg_id(cx.args.given("client_msg_id")?)?,
    };
    let sender = Sender::of(cx.principal()?)?;
    let message = send::send(&cx.app.deps.appender, sender, post, cx.context).await?;
    let mut reply = Reply::ok();
    reply.text("channel", message.channel).text("ts", message.ts);
    Ok(reply)
}
