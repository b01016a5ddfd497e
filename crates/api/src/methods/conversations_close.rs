use store::{Done, WriteKind};

use crate::{call::Cx, channels, errors::Failure, reply::Reply, scopes::Family};

/// Takes a DM out of the caller's list. It comes back with the next message.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let channel = channels::find(&cx, Family::Manage).await?.channel.id;
    let done = cx.write(WriteKind::SetOpen { channel, by: cx.by()?, open: false }).await?;
    let mut reply = Reply::ok();
    if done == (Done::Membership { changed: false }) {
        reply.put("no_op", &true).put("already_closed", &true);
    }
    Ok(reply)
}
