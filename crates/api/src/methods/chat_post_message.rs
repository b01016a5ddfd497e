use model::{Credential, Ts};
use wire::message::{MessageView, put_message};

use crate::{
    call::Cx,
    channels,
    content::{self, Content},
    errors::Failure,
    reply::Reply,
    send::{self, Face, Post, Sender},
};

/// Posts a message. A repeat with the same `client_msg_id` has its effect once.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    cx.check_team()?;
    let content = Content::read(&cx).await?;
    let face = face(&cx)?;
    let (thread, broadcast) = options(&cx)?;
    let client_msg_id = send::client_msg_id(cx.args.given("client_msg_id")?)?;
    if cx.args.given("current_draft_last_updated_ts")?.is_some() {
        return Err("draft_not_found".into());
    }
    let channel = channels::target(&cx).await?;
    cx.app.check_channel_rate(cx.principal()?, channel)?;
    let truncated = content.truncated;
    let post = Post { channel, content, me: false, thread, broadcast, face, client_msg_id };
    let sender = Sender::of(cx.principal()?)?;
    let message = send::send(&cx.app.deps.appender, sender, post, cx.context).await?;
    let mut reply = Reply::ok();
    let view = MessageView { channel: false, metadata: true, site: cx.site() };
    reply
        .text("channel", message.channel)
        .text("ts", message.ts)
        .object("message", |object| put_message(object, sender.workspace, &message, view));
    if truncated {
        reply.warnings.push(content::TRUNCATED);
    }
    Ok(reply)
}

/// The thread to reply in, and whether the channel shows the reply too.
pub(super) fn options(cx: &Cx) -> Result<(Option<Ts>, bool), Failure> {
    let thread = match cx.args.given("thread_ts")? {
        Some(text) => Some(text.parse().map_err(|_| "thread_not_found")?),
        None => None,
    };
    // Nothing is unfurled yet, so there is nothing that these could keep from it.
    cx.args.flag("unfurl_links")?;
    cx.args.flag("unfurl_media")?;
    Ok((thread, cx.args.flag("reply_broadcast")?.unwrap_or(false)))
}

/// How a bot wants to be shown: needs the scope `chat:write.customize`. People are shown as themselves.
pub(super) fn face(cx: &Cx) -> Result<Face, Failure> {
    check_as_user(cx)?;
    let principal = cx.principal()?;
    let is_bot = principal.credential == Credential::Bot;
    let given = |name| Ok::<_, Failure>(cx.args.prose(name)?.filter(|text| !text.is_empty()));
    let face =
        Face { username: given("username")?, icon_emoji: given("icon_emoji")?, icon_url: given("icon_url")? };
    if face.is_own() {
        return Ok(face);
    }
    if !is_bot {
        return Err(Failure::invalid_arguments("only bots choose username, icon_emoji or icon_url"));
    }
    if !principal.scopes.has("chat:write.customize") {
        return Err(Failure::missing_scope(&["chat:write.customize"], principal.scopes.to_text()));
    }
    Ok(face)
}

/// Everybody speaks as themselves: a person's token cannot speak as its app (`as_user=false`).
pub(super) fn check_as_user(cx: &Cx) -> Result<(), Failure> {
    match (cx.args.flag("as_user")?, cx.principal()?.credential) {
        (Some(false), credential) if credential != Credential::Bot => Err("as_user_not_supported".into()),
        _ => Ok(()),
    }
}
