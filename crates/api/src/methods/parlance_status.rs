use crate::{call::Cx, errors::Failure, reply::Reply};

/// What a browser needs to know before somebody has signed in.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let workspaces = cx.store().workspaces().await?;
    let mut reply = Reply::ok();
    reply.put("setup_required", &workspaces.is_empty()).put("version", cx.app.config.version);
    // Of several workspaces a stranger learns nothing.
    let only = if workspaces.len() == 1 { workspaces.as_slice() } else { &[] };
    reply.objects("teams", only, |object, workspace| {
        object.text("id", workspace.id).put("name", &workspace.name).put("domain", &workspace.domain);
    });
    Ok(reply)
}
