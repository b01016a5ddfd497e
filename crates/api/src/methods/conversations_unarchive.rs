use store::WriteKind;

use crate::{call::Cx, channels, errors::Failure, reply::Reply, scopes::Family};

/// Takes a channel back from the archive.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let channel = channels::find(&cx, Family::Manage).await?.channel.id;
    cx.write(WriteKind::Unarchive { channel, by: cx.by()? }).await?;
    Ok(Reply::ok())
}
