use model::{Role, WorkspaceId};
use store::{Done, WriteKind};

use crate::{accounts, call::Cx, errors::Failure, random, reply::Reply};

/// Creates the first workspace and its owner, and signs them in.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    accounts::check_attempt(&cx)?;
    if !cx.store().workspaces().await?.is_empty() {
        return Err("already_set_up".into());
    }
    let name = accounts::name(&cx, "team_name")?;
    let owner = accounts::person(&cx, Role::PrimaryOwner).await?;
    let workspace = WorkspaceId::from_random(random::number()?);
    let write = WriteKind::CreateWorkspace {
        domain: accounts::domain(&name),
        name,
        general: random::channel_id()?,
        random: random::channel_id()?,
        owner: Box::new(owner),
        only_first: true,
    };
    match cx.app.write(workspace, write, cx.context).await? {
        Done::Person { workspace, user } => accounts::sign_in(&cx, workspace, user).await,
        _ => Err("internal_error".into()),
    }
}
