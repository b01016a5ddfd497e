use store::{Done, WriteKind};

use crate::{call::Cx, channels, errors::Failure, reply::Reply, scopes::Family};

/// Leaves a channel. Not being in it is fine.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let channel = channels::find(&cx, Family::Manage).await?.channel.id;
    let done = cx.write(WriteKind::Leave { channel, by: cx.by()? }).await?;
    let mut reply = Reply::ok();
    if done == (Done::Membership { changed: false }) {
        reply.put("not_in_channel", &true);
    }
    Ok(reply)
}
