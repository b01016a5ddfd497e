use model::{ChannelId, Ts};
use store::{Refusal, WriteKind};

use crate::{call::Cx, channels, errors::Failure, reply::Reply};

/// Pins a message to its channel.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let (channel, ts) = item(&cx).await?;
    let done = cx.write(WriteKind::Pin { channel, ts, by: cx.by()? }).await;
    done.map_err(|failure| failure.called(Refusal::IsArchived, "restricted_action"))?;
    Ok(Reply::ok())
}

/// The message that a pin is about.
pub(super) async fn item(cx: &Cx) -> Result<(ChannelId, Ts), Failure> {
    let found = channels::get(cx, channels::id(cx)?).await?;
    found.member()?;
    let timestamp = cx.args.required("timestamp", "no_item_specified")?;
    Ok((found.channel.id, timestamp.parse().map_err(|_| "bad_timestamp")?))
}
