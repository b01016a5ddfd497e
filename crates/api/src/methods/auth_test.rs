use wire::address;

use crate::{call::Cx, errors::Failure, reply::Reply};

/// Says who the token is.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let principal = cx.principal()?;
    let workspace = cx.store().workspace(principal.workspace).await?.ok_or("invalid_auth")?;
    let mut reply = Reply::ok();
    reply
        .put("url", &address::team(&cx.app.config.public_url))
        .put("team", &workspace.name)
        .text("team_id", workspace.id)
        .put("is_enterprise_install", &false);
    match principal.user {
        Some(id) => {
            let user = cx.store().user(workspace.id, id).await?.ok_or("invalid_auth")?;
            reply.put("user", &user.name).text("user_id", user.id).text_if("bot_id", principal.bot);
        }
        // An app-level token is nobody.
        None => {
            reply.text_if("app_id", principal.app);
        }
    }
    Ok(reply)
}
