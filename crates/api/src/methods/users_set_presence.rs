use store::WriteKind;

use crate::{call::Cx, errors::Failure, reply::Reply};

/// Says that the caller is away, until they say otherwise.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    set(&cx, "auto").await
}

/// What Slack's own clients call, `presence.set`: the same with another word for being there.
pub(super) async fn by_client(cx: Cx) -> Result<Reply, Failure> {
    set(&cx, "active").await
}

/// `there`: the word for "not away by hand".
async fn set(cx: &Cx, there: &str) -> Result<Reply, Failure> {
    let away = match cx.args.given("presence")? {
        Some(word) if word == "away" => true,
        Some(word) if word == there => false,
        Some(_) | None => return Err("invalid_presence".into()),
    };
    cx.write(WriteKind::SetPresence { user: cx.user()?, away }).await?;
    Ok(Reply::ok())
}
