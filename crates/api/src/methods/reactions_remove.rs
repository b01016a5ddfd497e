use store::WriteKind;

use crate::{
    call::Cx,
    errors::Failure,
    methods::reactions_add::{item, name},
    reply::Reply,
};

/// Takes one's emoji back.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let name = name(&cx)?;
    let (found, ts) = item(&cx).await?;
    let write = WriteKind::Unreact { channel: found.channel.id, ts, by: cx.by()?, name };
    cx.write(write).await?;
    Ok(Reply::ok())
}
