use store::SecretHash;

use crate::{accounts, call::Cx, errors::Failure, reply::Reply, tokens};

/// What an invitation is for.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    accounts::check_attempt(&cx)?;
    let code = cx.args.required("code", "invite_invalid")?;
    let id = tokens::workspace_of_code(&code).ok_or("invite_invalid")?;
    let invite = cx.store().invite(id, SecretHash::of(&code)).await?.ok_or("invite_invalid")?;
    if invite.uses_left == 0 {
        return Err("invite_invalid".into());
    }
    if invite.expires <= cx.now_us() {
        return Err("invite_expired".into());
    }
    let workspace = cx.store().workspace(id).await?.ok_or("invite_invalid")?;
    let inviter = cx.store().user(id, invite.by).await?;
    let mut reply = Reply::ok();
    reply
        .object("team", |team| {
            team.text("id", workspace.id).put("name", &workspace.name);
        })
        .put("email", &invite.email)
        .object("inviter", |object| {
            object.text_if("real_name", inviter.map(|user| user.real_name));
        });
    Ok(reply)
}
