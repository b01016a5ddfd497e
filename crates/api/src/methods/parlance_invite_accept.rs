use model::Role;
use store::{Done, Refusal, SecretHash, WriteKind};

use crate::{accounts, call::Cx, errors::Failure, reply::Reply, tokens};

/// Joins a workspace by invitation, and signs in.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    accounts::check_attempt(&cx)?;
    let code = cx.args.required("code", "invite_invalid")?;
    let id = tokens::workspace_of_code(&code).ok_or("invite_invalid")?;
    // Nothing is hashed for a code that never was.
    cx.store().invite(id, SecretHash::of(&code)).await?.ok_or("invite_invalid")?;
    let person = Box::new(accounts::person(&cx, Role::Member).await?);
    let write = WriteKind::AcceptInvite { code: SecretHash::of(&code), person };
    let done = cx.app.write(id, write, cx.context).await.map_err(|failure| {
        failure.called(Refusal::NotAllowed, "invite_invalid").called(Refusal::NotHere, "invite_invalid")
    })?;
    match done {
        Done::Person { workspace, user } => accounts::sign_in(&cx, workspace, user).await,
        _ => Err("internal_error".into()),
    }
}
