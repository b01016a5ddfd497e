use model::Ts;
use store::WriteKind;
use wire::emoji;

use crate::{
    call::Cx,
    channels::{self, Found},
    errors::Failure,
    reply::Reply,
};

/// Puts an emoji under a message.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let name = name(&cx)?;
    let (found, ts) = item(&cx).await?;
    let write = WriteKind::React { channel: found.channel.id, ts, by: cx.by()?, name };
    cx.write(write).await?;
    Ok(Reply::ok())
}

/// The emoji: a short name, colons dropped, perhaps with a skin tone.
pub(super) fn name(cx: &Cx) -> Result<String, Failure> {
    let text = cx.args.required("name", "invalid_name")?;
    let name = text.trim_matches(':');
    if emoji::is_name(name) { Ok(name.to_owned()) } else { Err("invalid_name".into()) }
}

/// The message that a reaction is about. Files cannot be reacted to yet.
pub(super) async fn item(cx: &Cx) -> Result<(Found, Ts), Failure> {
    if cx.args.given("file")?.is_some() {
        return Err("file_not_found".into());
    }
    if cx.args.given("file_comment")?.is_some() {
        return Err("file_comment_not_found".into());
    }
    cx.args.required("channel", "no_item_specified")?;
    let timestamp = cx.args.required("timestamp", "no_item_specified")?;
    let ts = timestamp.parse().map_err(|_| "bad_timestamp")?;
    Ok((channels::get(cx, channels::id(cx)?).await?, ts))
}
