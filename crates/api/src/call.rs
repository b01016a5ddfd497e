//! One call of a method: the checks in Slack's order, then the method, then the answer.

mod form;

use std::{net::IpAddr, panic::AssertUnwindSafe, sync::Arc};

use axum::body::Body;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use model::{Credential, Principal, TraceId, UserId, WorkspaceId};
use runtime::Peer;
use store::By;
use tokio::time::Instant;
use tracing::{error, info};
use wire::json::Object;

use crate::{
    app::App,
    appender::WriteContext,
    args::{self, Args},
    auth::{self, Caller, Shown},
    errors::Failure,
    methods::{Access, FormFile, Method},
    random,
    reply::Reply,
};

/// What a method gets.
pub struct Cx {
    /// What all methods share.
    pub app: Arc<App>,
    /// Its arguments.
    pub args: Args,
    /// Travels with its writes.
    pub context: WriteContext,
    /// The client's network address.
    pub address: Option<IpAddr>,
    /// It is a POST, and if a browser sent it then from a page that may use a cookie.
    pub own_post: bool,
    /// The session cookie, whether it counts or not.
    pub cookie: Option<String>,
    caller: Option<Caller>,
}

impl Cx {
    /// The caller. Methods that anybody may call have none.
    ///
    /// # Errors
    /// `not_authed`.
    pub fn caller(&self) -> Result<&Caller, Failure> {
        self.caller.as_ref().ok_or_else(|| "not_authed".into())
    }

    /// The caller's rights.
    ///
    /// # Errors
    /// `not_authed`.
    pub fn principal(&self) -> Result<&Principal, Failure> {
        Ok(&self.caller()?.principal)
    }

    /// The person or bot user that calls.
    ///
    /// # Errors
    /// `not_allowed_token_type`: the token acts as nobody.
    pub fn user(&self) -> Result<UserId, Failure> {
        self.principal()?.user.ok_or_else(|| "not_allowed_token_type".into())
    }

    /// The workspace that is called in.
    ///
    /// # Errors
    /// `not_authed`.
    pub fn workspace(&self) -> Result<WorkspaceId, Failure> {
        Ok(self.principal()?.workspace)
    }

    /// The caller, for the checks of a write.
    ///
    /// # Errors
    /// As [`Cx::user`].
    pub fn by(&self) -> Result<By, Failure> {
        Ok(By { user: self.user()?, role: self.principal()?.role })
    }

    /// Checks the `team_id` argument: a token is for one workspace, and no other can be named.
    ///
    /// # Errors
    /// `team_not_found`.
    pub fn check_team(&self) -> Result<(), Failure> {
        let own = self.workspace()?.to_string();
        if self.args.given("team_id")?.is_some_and(|team| team != own) {
            return Err("team_not_found".into());
        }
        Ok(())
    }

    /// Writes in the caller's workspace.
    ///
    /// # Errors
    /// As [`App::write`].
    pub async fn write(&self, kind: store::WriteKind) -> Result<store::Done, Failure> {
        self.app.write(self.workspace()?, kind, self.context).await
    }

    /// The reads.
    #[must_use]
    pub fn store(&self) -> &dyn store::Store {
        self.app.deps.store.as_ref()
    }

    /// Where the server is reached, without a slash at its end: what addresses in answers start with.
    #[must_use]
    pub fn site(&self) -> &str {
        self.app.site()
    }

    /// Now, microseconds since 1970.
    #[must_use]
    pub fn now_us(&self) -> i64 {
        self.app.deps.clock.now_us()
    }
}

/// Answers a call of the method `name`.
pub async fn call(app: Arc<App>, name: &str, request: Request<Body>) -> Response<Body> {
    let started = Instant::now();
    let trace = trace_id(request.headers());
    let method = app.method(name);
    let mut answer = Answered::default();
    let result = match method {
        None => {
            // Its sender gets to see the answer only when it was read.
            args::discard(request.into_body()).await;
            Err(Failure::new("unknown_method"))
        }
        Some(_) if !matches!(*request.method(), http::Method::GET | http::Method::POST) => {
            let verb = request.method().to_string();
            args::discard(request.into_body()).await;
            Err(Failure::with_message("method_not_allowed", format!("call it with GET or POST, not {verb}")))
        }
        Some(method) => {
            let run = checked(Arc::clone(&app), method, request, trace, &mut answer);
            AssertUnwindSafe(run).catch_unwind().await.unwrap_or_else(|_| {
                error!(method = method.name, %trace, "a method panicked");
                Err("internal_error".into())
            })
        }
    };
    let took = started.elapsed();
    let code = match &result {
        Ok(_) => "",
        Err(failure) => match &failure.code {
            std::borrow::Cow::Borrowed(code) => code,
            // Chosen by the caller (`api.test`): no label and no log line for it.
            std::borrow::Cow::Owned(_) => "(given)",
        },
    };
    let label = method.map_or("", |method| method.name);
    app.metrics.answered(label, code, took);
    info!(
        target: "api::request",
        method = label,
        error = code,
        us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        team = answer.workspace.map(tracing::field::display),
        user = answer.user.map(tracing::field::display),
        %trace,
        "call"
    );
    respond(result, method, &answer, trace)
}

/// What the answer and the log line say of the caller.
#[derive(Default)]
pub(crate) struct Answered {
    workspace: Option<WorkspaceId>,
    user: Option<UserId>,
    scopes: Option<String>,
}

async fn checked(
    app: Arc<App>,
    method: &'static Method,
    request: Request<Body>,
    trace: TraceId,
    answer: &mut Answered,
) -> Result<Reply, Failure> {
    let (parts, body) = request.into_parts();
    let now = app.deps.clock.now_us();
    let query = parts.uri.query();
    if method.form != FormFile::None && args::is_multipart(&parts.headers) {
        let (args, caller) = form::read(&app, method, &parts, body, now, answer).await?;
        return run(app, method, &parts, args, Some(caller), (now, trace)).await;
    }
    let (args, caller) = match method.access {
        Access::Anyone => (Args::read(query, &parts.headers, body, &app.strangers_bodies).await, None),
        Access::Token { .. } => match Shown::in_headers(&parts.method, &parts.headers, &app.origins) {
            // The token may be in the body.
            Shown::Nothing => {
                let args = Args::read(query, &parts.headers, body, &app.strangers_bodies).await;
                let token = args.as_ref().ok().and_then(|args| args.token.as_deref());
                let caller = admit(&app, method, &Shown::in_argument(token), now, answer).await?;
                (args, Some(caller))
            }
            shown => match admit(&app, method, &shown, now, answer).await {
                Ok(caller) => {
                    (Args::read(query, &parts.headers, body, &app.large_bodies).await, Some(caller))
                }
                Err(refused) => {
                    args::discard(body).await;
                    return Err(refused);
                }
            },
        },
    };
    run(app, method, &parts, args?, caller, (now, trace)).await
}

/// Does what was called.
async fn run(
    app: Arc<App>,
    method: &'static Method,
    parts: &http::request::Parts,
    args: Args,
    caller: Option<Caller>,
    (now, trace): (model::Micros, TraceId),
) -> Result<Reply, Failure> {
    let peer = parts.extensions.get::<Peer>().map(|peer| peer.0.ip());
    let cx = Cx {
        args,
        context: WriteContext { trace, accepted: now, origin: None },
        address: client_address(&parts.headers, peer, app.config.forwarded_hops),
        own_post: parts.method == http::Method::POST && app.origins.allow_request(&parts.headers),
        cookie: auth::cookie(&parts.headers).map(str::to_owned),
        caller,
        app,
    };
    (method.run)(cx).await
}

/// Who calls, and whether they may call this, now.
pub(crate) async fn admit(
    app: &App,
    method: &'static Method,
    shown: &Shown,
    now: model::Micros,
    answer: &mut Answered,
) -> Result<Caller, Failure> {
    let caller = auth::authenticate(app.deps.store.as_ref(), shown, now).await?;
    let principal = &caller.principal;
    answer.workspace = Some(principal.workspace);
    answer.user = principal.user;
    answer.scopes = (principal.credential != Credential::Session).then(|| principal.scopes.to_text());
    check_access(method, principal)?;
    app.check_rate(method, principal)?;
    Ok(caller)
}

/// Kind of token first, then scopes.
fn check_access(method: &Method, principal: &Principal) -> Result<(), Failure> {
    let wanted = method.access.scopes_for(principal.credential).ok_or("not_allowed_token_type")?;
    if principal.scopes.any_of(wanted) {
        Ok(())
    } else {
        Err(Failure::missing_scope(wanted, principal.scopes.to_text()))
    }
}

fn respond(
    result: Result<Reply, Failure>,
    method: Option<&Method>,
    answer: &Answered,
    trace: TraceId,
) -> Response<Body> {
    let mut cookie = None;
    let mut retry_after_s = None;
    let body = match result {
        Ok(mut reply) => {
            cookie = reply.cookie.take();
            reply.finish()
        }
        Err(failure) => {
            retry_after_s = failure.retry_after_s;
            refusal_body(&failure)
        }
    };
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache, no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    put_header(headers, "x-slack-req-id", Some(trace.to_string()));
    put_header(headers, "x-oauth-scopes", answer.scopes.clone());
    if answer.scopes.is_some() {
        put_header(headers, "x-accepted-oauth-scopes", method.map(|method| method.access.accepted()));
    }
    put_header(headers, "set-cookie", cookie);
    if let Some(seconds) = retry_after_s {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    }
    response
}

fn put_header(headers: &mut HeaderMap, name: &'static str, value: Option<String>) {
    if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
        headers.insert(name, value);
    }
}

fn refusal_body(failure: &Failure) -> Vec<u8> {
    let mut body = Object::new();
    body.put("ok", &false).put("error", &failure.code);
    let Some(detail) = &failure.detail else { return body.finish() };
    if let Some((needed, provided)) = &detail.scopes {
        body.put("needed", needed).put("provided", provided);
    }
    if !detail.messages.is_empty() {
        body.object("response_metadata", |metadata| {
            metadata.put("messages", &detail.messages);
        });
    }
    body.append_members(&detail.members);
    body.finish()
}

/// The trace that the caller is in (`traceparent`, W3C), or a new one.
fn trace_id(headers: &HeaderMap) -> TraceId {
    let given = headers.get("traceparent").and_then(|value| value.to_str().ok()).and_then(|value| {
        let id = value.split('-').nth(1).filter(|id| id.len() == 32)?;
        u128::from_str_radix(id, 16).ok().filter(|&id| id != 0)
    });
    let drawn = || random::bytes().map(u128::from_le_bytes).unwrap_or_default();
    TraceId(given.unwrap_or_else(drawn))
}

/// The client's address: the peer's, or what the outermost of our own proxies saw.
fn client_address(headers: &HeaderMap, peer: Option<IpAddr>, hops: usize) -> Option<IpAddr> {
    let Some(back) = hops.checked_sub(1) else { return peer };
    let forwarded: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    forwarded.iter().rev().nth(back).and_then(|address| address.parse().ok()).or(peer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwarded_addresses_count_only_as_far_as_our_own_proxies_go() {
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", HeaderValue::from_static("6.6.6.6, 1.2.3.4"));
        headers.append("x-forwarded-for", HeaderValue::from_static("10.0.0.1"));
        let peer: Option<IpAddr> = "127.0.0.1".parse().ok();
        for (hops, expect) in [(0, "127.0.0.1"), (1, "10.0.0.1"), (2, "1.2.3.4"), (9, "127.0.0.1")] {
            assert_eq!(client_address(&headers, peer, hops), expect.parse().ok(), "{hops}");
        }
    }

    #[test]
    fn a_trace_goes_on_or_starts() {
        let mut headers = HeaderMap::new();
        let given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        headers.insert("traceparent", HeaderValue::from_static(given));
        assert_eq!(trace_id(&headers).to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        for nonsense in ["", "00-0-0-0", "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "x-é"] {
            headers.insert("traceparent", HeaderValue::from_bytes(nonsense.as_bytes()).unwrap());
            assert_ne!(trace_id(&headers), TraceId(0), "{nonsense}");
            assert_ne!(trace_id(&headers), trace_id(&headers), "{nonsense}");
        }
    }
}
