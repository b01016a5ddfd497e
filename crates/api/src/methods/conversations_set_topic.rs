use store::WriteKind;

use crate::{call::Cx, channels, errors::Failure, reply::Reply, scopes::Family};

/// Most characters of a topic or purpose.
pub(super) const CHARS_MAX: usize = 250;

/// Sets a channel's topic.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let channel = channels::find(&cx, Family::Topic).await?.channel.id;
    let missing = || Failure::invalid_arguments("missing required field: topic");
    // An empty text clears it; a forgotten argument must not.
    let value = cx.args.prose("topic")?.ok_or_else(missing)?;
    if value.chars().count() > CHARS_MAX {
        return Err("too_long".into());
    }
    cx.write(WriteKind::SetTopic { channel, by: cx.by()?, value }).await?;
    channels::answer(&cx, channel).await
}
