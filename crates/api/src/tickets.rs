//! Tickets: what a client shows when it opens a WebSocket. Used once, within 30 s.

use model::Micros;
use rpc::Protocol;
use store::{SecretHash, Ticket, WriteKind};

use crate::{call::Cx, errors::Failure, tokens};

/// How long a ticket is good, seconds.
pub const LIFE_S: i64 = store::TICKET_LIFE_S;

/// Path of our own protocol's WebSockets.
pub const OWN_PATH: &str = "/realtime/v1/socket";
/// Path of RTM's WebSockets.
pub const RTM_PATH: &str = "/rtm/socket";

/// Sells the caller a ticket; the WebSocket's address. `batch_presence`: the session takes changes of several
/// people's presence in one event.
///
/// # Errors
/// What the write failed with.
pub async fn sell(cx: &Cx, protocol: Protocol, batch_presence: bool) -> Result<String, Failure> {
    let caller = cx.caller()?;
    let secret = tokens::generate_code(caller.principal.workspace)?;
    let expires: Micros = cx.now_us() + LIFE_S * 1_000_000;
    let ticket = Ticket {
        secret: SecretHash::of(&secret),
        user: cx.user()?,
        credential: caller.principal.credential_id,
        rtm: protocol == Protocol::Rtm,
        needs_origin: caller.by_cookie,
        batch_presence,
        expires,
    };
    cx.write(WriteKind::AddTicket(ticket)).await?;
    Ok(address(&cx.app.config.public_url, protocol, &secret))
}

fn address(public_url: &str, protocol: Protocol, ticket: &str) -> String {
    let base = public_url.trim_end_matches('/');
    let base = match base.split_once("://") {
        Some(("https", rest)) => format!("wss://{rest}"),
        Some((_, rest)) => format!("ws://{rest}"),
        None => format!("ws://{base}"),
    };
    let path = match protocol {
        Protocol::Own => OWN_PATH,
        Protocol::Rtm => RTM_PATH,
    };
    format!("{base}{path}?ticket={ticket}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_follows_the_public_url() {
        for (public, expect) in
            [("http://h:1", "ws://h:1/rtm/socket?ticket=t"), ("https://h/", "wss://h/rtm/socket?ticket=t")]
        {
            assert_eq!(address(public, Protocol::Rtm, "t"), expect);
        }
        assert!(address("http://h", Protocol::Own, "t").starts_with("ws://h/realtime/v1/socket?"));
    }
}
