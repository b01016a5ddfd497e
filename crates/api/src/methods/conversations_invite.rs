use model::UserId;
use store::{Done, Refusal, WriteKind};
use wire::json::Object;

use crate::{call::Cx, channels, errors::Failure, reply::Reply, scopes::Family};

/// Most people of one invitation.
const USERS_MAX: usize = 1_000;

/// Brings people into a channel. With `force` those that can be; else all or none.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let channel = channels::find(&cx, Family::Invite).await?.channel.id;
    let names = cx.args.list("users")?;
    if names.is_empty() {
        return Err("no_user".into());
    }
    if names.len() > USERS_MAX {
        return Err(Failure::invalid_arguments(format!("users: at most {USERS_MAX}")));
    }
    let mut users: Vec<UserId> = Vec::with_capacity(names.len());
    for name in &names {
        let user = name.parse().map_err(|_| "user_not_found")?;
        if !users.contains(&user) {
            users.push(user);
        }
    }
    let force = cx.args.flag("force")?.unwrap_or(false);
    let write = WriteKind::Invite { channel, by: cx.by()?, users, force };
    let Done::Invited(results) = cx.write(write).await.map_err(in_words)? else {
        return Err("internal_error".into());
    };
    let refused: Vec<(UserId, Failure)> = results
        .iter()
        .filter_map(|(user, result)| result.err().map(|refusal| (*user, in_words(refusal.into()))))
        .collect();
    let some_in = refused.len() < results.len() && force;
    match refused.first() {
        Some((_, first)) if !some_in => {
            let mut members = Object::new();
            put_errors(&mut members, &refused);
            Err(first.clone().with_members(members))
        }
        _ => {
            let mut reply = channels::answer(&cx, channel).await?;
            if !refused.is_empty() {
                put_errors(&mut reply, &refused);
            }
            Ok(reply)
        }
    }
}

fn put_errors(object: &mut Object, refused: &[(UserId, Failure)]) {
    object.objects("errors", refused, |object, (user, failure)| {
        object.text("user", user).put("ok", &false).put("error", &failure.code);
    });
}

fn in_words(failure: Failure) -> Failure {
    failure.called(Refusal::NotAllowed, "cant_invite_self").called(Refusal::UserDisabled, "cant_invite")
}
