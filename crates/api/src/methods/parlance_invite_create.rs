use store::{NewInvite, SecretHash, WriteKind};

use crate::{accounts, call::Cx, errors::Failure, reply::Reply, tokens};

const DAY_S: i64 = 24 * 3_600;
/// How long an invitation is good unless `expires_in` says otherwise, seconds.
const LIFE_S_DEFAULT: i64 = 7 * DAY_S;
/// The longest, seconds.
const LIFE_S_MAX: i64 = 30 * DAY_S;
/// Most uses.
const USES_MAX: i64 = 1_000;

/// Makes an invitation link. Admins and owners may, or everybody if the workspace wants it (`who_can_invite`).
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let by = cx.by()?;
    let email = match cx.args.given("email")? {
        Some(_) => Some(accounts::email(&cx)?),
        None => None,
    };
    let life_s = within(&cx, "expires_in", LIFE_S_DEFAULT, LIFE_S_MAX)?;
    let uses_max = within(&cx, "uses_max", 1, USES_MAX)?;
    let code = tokens::generate_code(cx.workspace()?)?;
    let expires = cx.now_us() + life_s * 1_000_000;
    let invite = NewInvite {
        code: SecretHash::of(&code),
        email,
        expires,
        uses_max: u32::try_from(uses_max).unwrap_or(1),
    };
    cx.write(WriteKind::CreateInvite { by, invite })
        .await
        .map_err(|failure| failure.called(store::Refusal::NotAllowed, "not_allowed"))?;
    let url = format!("{}/invite/{code}", cx.app.config.public_url.trim_end_matches('/'));
    let mut reply = Reply::ok();
    reply.put("url", &url).put("code", &code).put("expires", &expires.div_euclid(1_000_000));
    Ok(reply)
}

fn within(cx: &Cx, name: &str, default: i64, max: i64) -> Result<i64, Failure> {
    let value = cx.args.integer(name, "invalid_arguments")?.unwrap_or(default);
    if (1..=max).contains(&value) {
        Ok(value)
    } else {
        Err(Failure::invalid_arguments(format!("{name} must be from 1 to {max}")))
    }
}
