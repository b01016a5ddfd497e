use rpc::{Person, Reply as Taken};

use crate::{call::Cx, errors::Failure, reply::Reply};

/// Deprecated by Slack: connections say what somebody does. Ends being away for want of activity; makes nobody active
/// who is not connected.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    touch(&cx).await?;
    Ok(Reply::ok())
}

/// The caller did something just now.
///
/// # Errors
/// `service_unavailable`.
pub(super) async fn touch(cx: &Cx) -> Result<(), Failure> {
    let person = Person { workspace: cx.workspace()?, user: cx.user()? };
    let taken = cx.app.deps.presence.touch(&cx.app.call(cx.context.trace), vec![person]).await?;
    if taken == [Taken::Ok] {
        return Ok(());
    }
    Err(Failure::with_message("service_unavailable", "nothing was changed, try again"))
}
