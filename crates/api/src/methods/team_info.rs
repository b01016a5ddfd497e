use wire::team::put_team;

use crate::{call::Cx, errors::Failure, reply::Reply};

/// Describes the workspace. `team` and `domain` may name it; no other can be seen.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let workspace = cx.store().workspace(cx.workspace()?).await?.ok_or("team_not_found")?;
    let team = cx.args.given("team")?;
    let domain = cx.args.given("domain")?;
    if team.is_some_and(|team| team != workspace.id.to_string())
        || domain.is_some_and(|domain| domain != workspace.domain)
    {
        return Err("team_not_found".into());
    }
    let mut reply = Reply::ok();
    reply.object("team", |object| put_team(object, &workspace, &cx.app.config.public_url));
    Ok(reply)
}
