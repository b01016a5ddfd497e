use store::{Done, WriteKind};

use crate::{call::Cx, channels, errors::Failure, reply::Reply};

/// Joins a public channel. Being in it already is a warning.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let channel = channels::get(&cx, channels::id(&cx)?).await?.channel.id;
    let done = cx.write(WriteKind::Join { channel, by: cx.by()? }).await?;
    let mut reply = channels::answer(&cx, channel).await?;
    if done == (Done::Membership { changed: false }) {
        reply.warnings.push("already_in_channel");
    }
    Ok(reply)
}
