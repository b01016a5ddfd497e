use model::Workspace;

use crate::{accounts, call::Cx, errors::Failure, reply::Reply};

/// Starts a browser session by address and password.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    accounts::check_attempt(&cx)?;
    let password = cx.args.text("password")?.unwrap_or_default();
    let email = accounts::parse_email(&cx.args.text("email")?.unwrap_or_default());
    let (Some(workspace), Some(email)) = (workspace(&cx).await?, email) else {
        // An unknown workspace takes as long as a wrong password, and so does an unknown address below.
        cx.app.passwords.verify(password, None).await?;
        return Err("invalid_credentials".into());
    };
    accounts::check_account(&cx, workspace.id, &email)?;
    let found = cx.store().person_by_email(workspace.id, &email).await?;
    let (user, hash) = match found {
        Some((user, hash)) => (Some(user), hash),
        None => (None, None),
    };
    let right = cx.app.passwords.verify(password, hash).await?;
    let user = user.filter(|user| right && !user.deleted).ok_or("invalid_credentials")?;
    accounts::forgive(&cx, workspace.id, &email);
    accounts::sign_in(&cx, workspace.id, user.id).await
}

/// The workspace that `team` names, or the only one.
async fn workspace(cx: &Cx) -> Result<Option<Workspace>, Failure> {
    let Some(team) = cx.args.given("team")? else {
        let mut all = cx.store().workspaces().await?;
        let only = all.pop();
        return if all.is_empty() { Ok(only) } else { Err("team_required".into()) };
    };
    Ok(match team.parse() {
        Ok(id) => cx.store().workspace(id).await?,
        Err(_) => cx.store().workspace_by_domain(&team.to_lowercase()).await?,
    })
}
