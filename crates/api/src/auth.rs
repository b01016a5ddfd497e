//! Who is calling: a bearer token, the `token` argument, or the session cookie under its rules.

use http::{HeaderMap, Method, header};
use model::{CredentialId, Principal, WorkspaceId};
use store::{Authenticated, SecretHash, Store};

use crate::{errors::Failure, origins::Origins, tokens};

/// Name of the session cookie.
pub const COOKIE: &str = "parlance_session";
/// The header without which a cookie authenticates nothing: other sites' forms cannot send it.
pub const CLIENT_HEADER: &str = "x-parlance-client";

/// What a request shows. Secrets, so it cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub enum Shown {
    /// A token in the `Authorization` header or the `token` argument.
    Token(String),
    /// A session cookie that counts.
    Cookie(String),
    /// Nothing.
    Nothing,
}

impl Shown {
    /// Looks at the headers: a bearer token, or a cookie that counts.
    #[must_use]
    pub fn in_headers(method: &Method, headers: &HeaderMap, origins: &Origins) -> Self {
        if let Some(token) = bearer(headers) {
            return Self::Token(token.to_owned());
        }
        let counts = method == Method::POST
            && headers.get(CLIENT_HEADER).is_some_and(|value| value.as_bytes() == b"1")
            && origins.allow_request(headers);
        match cookie(headers) {
            Some(secret) if counts => Self::Cookie(secret.to_owned()),
            _ => Self::Nothing,
        }
    }

    /// The `token` argument.
    #[must_use]
    pub fn in_argument(token: Option<&str>) -> Self {
        token.filter(|token| !token.is_empty()).map_or(Self::Nothing, |token| Self::Token(token.to_owned()))
    }
}

/// An authenticated caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Who.
    pub principal: Principal,
    /// They showed a cookie, not a token.
    pub by_cookie: bool,
}

/// Checks what was shown.
///
/// # Errors
/// `not_authed`, `invalid_auth`, `token_revoked`, `token_expired`, `account_inactive`.
pub async fn authenticate(store: &dyn Store, shown: &Shown, now: model::Micros) -> Result<Caller, Failure> {
    let (secret, by_cookie) = match shown {
        Shown::Token(token) => (token, false),
        Shown::Cookie(secret) => (secret, true),
        Shown::Nothing => return Err("not_authed".into()),
    };
    let workspace = tokens::workspace_of(secret).ok_or("invalid_auth")?;
    let state = store.authenticate(workspace, SecretHash::of(secret), now).await?;
    let principal = good(state)?;
    // A cookie's secret stolen from a browser must not do as a bearer token, nor the other way round.
    if by_cookie != (principal.credential == model::Credential::Session) {
        return Err("invalid_auth".into());
    }
    Ok(Caller { principal, by_cookie })
}

/// Checks that a credential is still good.
///
/// # Errors
/// As [`authenticate`].
pub async fn recheck(
    store: &dyn Store,
    workspace: WorkspaceId,
    id: CredentialId,
    now: model::Micros,
) -> Result<Principal, Failure> {
    good(store.credential_state(workspace, id, now).await?)
}

/// The session cookie's value.
#[must_use]
pub fn cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

fn good(state: Authenticated) -> Result<Principal, Failure> {
    match state {
        Authenticated::Yes(principal) => Ok(*principal),
        Authenticated::Unknown => Err("invalid_auth".into()),
        Authenticated::Revoked => Err("token_revoked".into()),
        Authenticated::Expired => Err("token_expired".into()),
        Authenticated::Inactive => Err("account_inactive".into()),
    }
}

/// The bearer token. Other schemes show no token: `Basic` carries a client id.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}
