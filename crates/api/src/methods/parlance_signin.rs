use model::Workspace;

use crate::{accounts, call::Cx, errors::Failure, reply::Reply};

/// Starts a browser session by address and password.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    accounts::check_attempt(&cx)?;
    let workspace = workspace(&cx).await?;
    let email = cx.args.text("email")?.unwrap_or_default();
    let email = accounts::parse_email(&email).ok_or("invalid_credentials")?;
    let password = cx.args.text("password")?.unwrap_or_default();
    accounts::check_account(&cx, workspace.id, &email)?;
    let found = cx.store().person_by_email(workspace.id, &email).await?;
    let (user, hash) = match found {
        Some((user, hash)) => (Some(user), hash),
        None => (None, None),
    };
    // An unknown address takes as long as a wrong password.
    let right = cx.app.passwords.verify(password, hash).await?;
    let user = user.filter(|user| right && !user.deleted).ok_or("invalid_credentials")?;
    accounts::forgive(&cx, workspace.id, &email);
    accounts::sign_in(&cx, workspace.id, user.id).await
}

/// The workspace that `team` names, or the only one.
async fn workspace(cx: &Cx) -> Result<Workspace, Failure> {
    let Some(team) = cx.args.given("team")? else {
        let mut all = cx.store().workspaces().await?;
        return match (all.pop(), all.len()) {
            (Some(only), 0) => Ok(only),
            (Some(_), _) => Err("team_required".into()),
            (None, _) => Err("invalid_credentials".into()),
        };
    };
    let found = match team.parse() {
        Ok(id) => cx.store().workspace(id).await?,
        Err(_) => cx.store().workspace_by_domain(&team.to_lowercase()).await?,
    };
    found.ok_or_else(|| "invalid_credentials".into())
}
