use store::{Refusal, WriteKind};

use crate::{call::Cx, errors::Failure, methods::pins_add::item, reply::Reply};

/// Takes a pin off.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let (channel, ts) = item(&cx).await?;
    let done = cx.write(WriteKind::Unpin { channel, ts, by: cx.by()? }).await;
    done.map_err(|failure| failure.called(Refusal::IsArchived, "restricted_action"))?;
    Ok(Reply::ok())
}
