//! Accounts: what sign-up, sign-in and invitations share.

use model::{Credential, CredentialId, UserId, WorkspaceId};
use store::{NewCredential, NewPerson, SecretHash, WriteKind};
use tokio::time::Instant;
use tracing::error;

use crate::{
    auth::COOKIE,
    call::Cx,
    errors::Failure,
    limits::retry_after_s,
    passwords, random,
    rates::{Attempt, SIGNIN_ACCOUNT, SIGNIN_ADDRESS},
    reply::Reply,
    tokens,
};

/// How long a browser stays signed in, seconds.
const SESSION_S: i64 = 90 * 24 * 3_600;
/// Most characters of a person's or workspace's name.
const NAME_CHARS_MAX: usize = 80;
/// Most bytes of an address (RFC 5321).
const EMAIL_BYTES_MAX: usize = 254;
/// Most characters of a handle; Slack's.
const HANDLE_CHARS_MAX: usize = 21;

/// Refuses what could sign somebody in behind their back: anything but a POST, and pages of other sites.
/// Counts the attempt against the client's network address.
///
/// # Errors
/// `not_allowed`, `ratelimited`.
pub fn check_attempt(cx: &Cx) -> Result<(), Failure> {
    if !cx.own_post {
        return Err(Failure::with_message("not_allowed", "POST it from a page of this server"));
    }
    let Some(address) = cx.address else { return Ok(()) };
    count(cx, Attempt::Address(address), SIGNIN_ADDRESS)
}

/// Counts an attempt against an account, known or not.
///
/// # Errors
/// `ratelimited`.
pub fn check_account(cx: &Cx, workspace: WorkspaceId, email: &str) -> Result<(), Failure> {
    count(cx, Attempt::Account(workspace, email.to_owned()), SIGNIN_ACCOUNT)
}

/// Takes back what was counted for an attempt that succeeded: only failures are throttled.
pub fn forgive(cx: &Cx, workspace: WorkspaceId, email: &str) {
    cx.app.attempts.refund(&Attempt::Account(workspace, email.to_owned()), SIGNIN_ACCOUNT);
    if let Some(address) = cx.address {
        cx.app.attempts.refund(&Attempt::Address(address), SIGNIN_ADDRESS);
    }
}

fn count(cx: &Cx, attempt: Attempt, rate: crate::limits::Rate) -> Result<(), Failure> {
    let counted = cx.app.attempts.check(attempt, rate, Instant::now());
    counted.map_err(|wait| Failure::rate_limited(retry_after_s(wait)))
}

/// A name for people: 1–80 characters without control characters.
///
/// # Errors
/// `invalid_name`.
pub fn name(cx: &Cx, argument: &str) -> Result<String, Failure> {
    let text = cx.args.text(argument)?.unwrap_or_default();
    let name = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let fits = (1..=NAME_CHARS_MAX).contains(&name.chars().count());
    if fits && !name.chars().any(char::is_control) { Ok(name) } else { Err("invalid_name".into()) }
}

/// An address, in lower case.
///
/// # Errors
/// `invalid_email`.
pub fn email(cx: &Cx) -> Result<String, Failure> {
    let text = cx.args.text("email")?.unwrap_or_default();
    parse_email(&text).ok_or_else(|| "invalid_email".into())
}

/// An address, in lower case; `None`: it is none.
#[must_use]
pub fn parse_email(text: &str) -> Option<String> {
    let email = text.trim().to_lowercase();
    let (local, domain) = email.rsplit_once('@')?;
    let plain = |part: &str| {
        !part.is_empty()
            && !part.contains('@')
            && !part
                .chars()
                .any(|c| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '"' | ','))
    };
    (email.len() <= EMAIL_BYTES_MAX && plain(local) && plain(domain)).then_some(email)
}

/// A new password.
///
/// # Errors
/// `weak_password`.
pub fn new_password(cx: &Cx) -> Result<String, Failure> {
    let password = cx.args.text("password")?.unwrap_or_default();
    if passwords::acceptable(&password) {
        Ok(password)
    } else {
        let message = format!("a password has {} characters or more", passwords::CHARS_MIN);
        Err(Failure::with_message("weak_password", message))
    }
}

/// The person that a form describes.
///
/// # Errors
/// `invalid_name`, `invalid_email`, `weak_password`, `ratelimited`.
pub async fn person(cx: &Cx, role: model::Role) -> Result<NewPerson, Failure> {
    let real_name = name(cx, "real_name")?;
    let email = email(cx)?;
    let password = new_password(cx)?;
    Ok(NewPerson {
        id: random::user_id()?,
        name: handle(&email),
        real_name,
        password_hash: Some(cx.app.passwords.hash(password).await?),
        email,
        role,
        tz: time_zone(cx)?,
        quiet: false,
    })
}

/// A handle made of an address.
#[must_use]
pub fn handle(email: &str) -> String {
    let local = email.split('@').next().unwrap_or_default();
    let allowed = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | '_');
    let handle: String = local.chars().filter(allowed).take(HANDLE_CHARS_MAX).collect();
    let handle = handle.trim_matches('.');
    if handle.is_empty() { "user".to_owned() } else { handle.to_owned() }
}

/// A workspace's name in addresses, made of its display name.
#[must_use]
pub fn domain(team_name: &str) -> String {
    let mut domain = String::new();
    for c in team_name.to_lowercase().chars() {
        if c.is_ascii_alphanumeric() {
            domain.push(c);
        } else if !domain.is_empty() && !domain.ends_with('-') {
            domain.push('-');
        }
    }
    let domain: String = domain.chars().take(HANDLE_CHARS_MAX).collect();
    let domain = domain.trim_matches('-');
    if domain.is_empty() { "workspace".to_owned() } else { domain.to_owned() }
}

/// The browser's time zone (`tz`, optional); a name that cannot be one is none.
fn time_zone(cx: &Cx) -> Result<String, Failure> {
    let plain = |tz: &String| {
        tz.len() <= 64 && tz.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '+'))
    };
    Ok(cx.args.given("tz")?.filter(plain).unwrap_or_else(|| "Etc/UTC".to_owned()))
}

/// Starts a browser session: stores it, and answers with its cookie.
///
/// # Errors
/// What the write failed with.
pub async fn sign_in(cx: &Cx, workspace: WorkspaceId, user: UserId) -> Result<Reply, Failure> {
    let token = tokens::generate(Credential::Session, workspace, None)?;
    let credential = NewCredential {
        secret: SecretHash::of(&token),
        kind: Credential::Session,
        user: Some(user),
        bot: None,
        app: None,
        scopes: String::new(),
        expires: Some(cx.now_us() + SESSION_S * 1_000_000),
    };
    cx.app.write(workspace, WriteKind::AddCredential(credential), cx.context).await?;
    let mut reply = Reply::ok();
    reply.text("team_id", workspace).text("user_id", user);
    reply.cookie = Some(cookie(cx, &token, SESSION_S));
    Ok(reply)
}

/// How often the gateways are asked to close the sockets of what was revoked.
const REVOKE_TRIES: u32 = 3;

/// Revokes a credential, unless it is among `ended`, and ends the sockets of all of them.
///
/// # Errors
/// The write failed, or sockets may still be open (`service_unavailable`).
pub async fn revoke(cx: &Cx, own: CredentialId, mut ended: Vec<CredentialId>) -> Result<(), Failure> {
    if !ended.contains(&own) {
        cx.write(WriteKind::RevokeCredential { id: own }).await?;
        ended.push(own);
    }
    let call = cx.app.call(cx.context.trace);
    let mut outcome = Ok(());
    for _ in 0..REVOKE_TRIES {
        outcome = cx.app.deps.admin.revoke(&call, ended.clone()).await.map(|_| ());
        if outcome.is_ok() {
            break;
        }
    }
    if let Err(failed) = outcome {
        error!(error = %failed, "sockets of a revoked session may still be open");
        return Err(failed.into());
    }
    Ok(())
}

/// A `Set-Cookie` value; with no seconds to live it removes the cookie.
#[must_use]
pub fn cookie(cx: &Cx, token: &str, life_s: i64) -> String {
    let secure = if cx.app.config.public_url.starts_with("https://") { "; Secure" } else { "" };
    format!("{COOKIE}={token}; HttpOnly; SameSite=Lax; Path=/; Max-Age={life_s}{secure}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_addresses() {
        assert_eq!(parse_email(" Ada@Example.ORG "), Some("ada@example.org".to_owned()));
        for text in ["", "ada", "@x", "a@", "a b@x", "a@b@c", "a\n@x", "<a@x>", "a,b@x"] {
            assert_eq!(parse_email(text), None, "{text}");
        }
        assert_eq!(parse_email(&format!("{}@x", "a".repeat(300))), None);
    }

    #[test]
    fn handles_and_domains_are_plain() {
        assert_eq!(handle("ada.lovelace+x@example.org"), "ada.lovelacex");
        assert_eq!(handle("日本@example.org"), "user");
        assert_eq!(domain("Analytical Engines, Ltd."), "analytical-engines-lt");
        assert_eq!(domain("日本"), "workspace");
    }
}
