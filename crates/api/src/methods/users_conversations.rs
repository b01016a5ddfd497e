use crate::{call::Cx, channels, errors::Failure, reply::Reply};

/// Lists the conversations that a person (`user`, or the caller) is in, as far as the caller may see them.
/// `exclude_muted` changes nothing: nothing can be muted yet.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let member = match cx.args.given("user")? {
        Some(user) => {
            let user = user.parse().map_err(|_| "user_not_found")?;
            cx.store().user(cx.workspace()?, user).await?.ok_or("user_not_found")?.id
        }
        None => cx.user()?,
    };
    cx.args.flag("exclude_muted")?;
    channels::list(&cx, Some(member)).await
}
