use store::WriteKind;

use crate::{call::Cx, channels, errors::Failure, reply::Reply, scopes::Family};

/// Archives a channel.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let channel = channels::find(&cx, Family::Manage).await?.channel.id;
    cx.write(WriteKind::Archive { channel, by: cx.by()? }).await?;
    Ok(Reply::ok())
}
