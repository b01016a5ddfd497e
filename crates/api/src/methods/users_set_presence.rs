use store::WriteKind;
use tracing::debug;

use crate::{call::Cx, errors::Failure, methods::users_set_active::touch, reply::Reply};

/// Says that the caller is away, until they say otherwise.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    set(&cx, "auto").await?;
    Ok(Reply::ok())
}

/// What Slack's own clients call, `presence.set`: the same with another word for being there, which somebody has just
/// said.
pub(super) async fn by_client(cx: Cx) -> Result<Reply, Failure> {
    let away = set(&cx, "active").await?;
    if !away && let Err(error) = touch(&cx).await {
        // What was asked for is done; the session says the rest when something is done on it.
        debug!(%error, "a presence server was not told of activity");
    }
    Ok(Reply::ok())
}

/// `there`: the word for "not away by hand". Returns whether they are away.
async fn set(cx: &Cx, there: &str) -> Result<bool, Failure> {
    let away = match cx.args.given("presence")? {
        Some(word) if word == "away" => true,
        Some(word) if word == there => false,
        Some(_) | None => return Err("invalid_presence".into()),
    };
    cx.write(WriteKind::SetPresence { user: cx.user()?, away }).await?;
    Ok(away)
}
