use store::WriteKind;

use crate::{call::Cx, channels, errors::Failure, reply::Reply, scopes::Family};

/// Removes somebody from a channel.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let channel = channels::find(&cx, Family::Manage).await?.channel.id;
    let user = cx.args.required("user", "user_not_found")?.parse().map_err(|_| "user_not_found")?;
    let by = cx.by()?;
    if user == by.user {
        return Err("cant_kick_self".into());
    }
    cx.write(WriteKind::Kick { channel, by, user }).await?;
    Ok(Reply::ok())
}
