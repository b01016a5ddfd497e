use store::WriteKind;

use crate::{
    call::Cx, channels, errors::Failure, methods::conversations_set_topic::CHARS_MAX, reply::Reply,
    scopes::Family,
};

/// Sets a channel's purpose.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let channel = channels::find(&cx, Family::Topic).await?.channel.id;
    let missing = || Failure::invalid_arguments("missing required field: purpose");
    // An empty text clears it; a forgotten argument must not.
    let value = cx.args.prose("purpose")?.ok_or_else(missing)?;
    if value.chars().count() > CHARS_MAX {
        return Err("too_long".into());
    }
    cx.write(WriteKind::SetPurpose { channel, by: cx.by()?, value }).await?;
    channels::answer(&cx, channel).await
}
