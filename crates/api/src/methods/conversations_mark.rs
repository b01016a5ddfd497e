use crate::{call::Cx, channels, errors::Failure, marks, reply::Reply, scopes::Family};

/// Moves the caller's read cursor.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let found = channels::find(&cx, Family::Manage).await?;
    found.member()?;
    let ts = cx.args.required("ts", "invalid_timestamp")?.parse().map_err(|_| "invalid_timestamp")?;
    marks::mark(&cx.app, cx.workspace()?, found.channel.id, cx.by()?, ts, cx.context).await?;
    Ok(Reply::ok())
}
