//! Many people: what they do before anything is measured.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::{fleet::Fleet, http::Api, report::progress, sends::Sends};

/// How long sessions may take until they follow everything.
const LIVE_WITHIN: Duration = Duration::from_secs(120);
/// Sessions that are open and not live yet, at most: a server with too many of them refuses more, as it should.
const OPENING_MAX: usize = 200;
/// How long clients wait that the server refused.
const REFUSED_WAIT: Duration = Duration::from_millis(200);
/// Threads that call methods.
const THREADS: usize = 16;

/// Opens a session for each token and waits until all of them follow the channel. Returns generation and seq from
/// which they do.
///
/// # Errors
/// When one is refused, or does not come to it in time.
pub(crate) fn follow(fleet: &mut Fleet, address: &str, channel: &str, tokens: &[&str]) -> Result<(u64, u64)> {
    let mut at = None;
    for (number, token) in tokens.iter().enumerate() {
        let mut api = Api::connect(address, token)?;
        let at = match at {
            Some(at) => at,
            None => {
                let boot = api.call("/api/client.userBoot", &json!({}))?;
                let position = boot.get("_p").and_then(|all| all.get(channel)).context("no position")?;
                let part = |index: usize| position.get(index).and_then(Value::as_u64);
                *at.insert((part(0).context("generation")?, part(1).context("seq")?))
            }
        };
        fleet.open(&ticket(&mut api)?, Some(at))?;
        if (number + 1) % 1_000 == 0 {
            progress(&format!("{} sessions are open", number + 1));
        }
        // What came so far must not pile up.
        fleet.turn(Duration::ZERO, &Sends::default())?;
        if (number + 1) % 100 == 0 {
            until_live(fleet, OPENING_MAX, &Sends::default(), again(address, tokens, channel, at))?;
        }
    }
    let at = at.context("nobody")?;
    until_live(fleet, 0, &Sends::default(), again(address, tokens, channel, at))?;
    Ok(at)
}

/// Does something for each, by several threads; what came of it, in order.
///
/// # Errors
/// The first of `each`.
pub(crate) fn in_parallel<T: Send>(
    all: &[usize],
    each: impl Fn(&usize) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let each = &each;
    std::thread::scope(|scope| {
        let parts: Vec<_> = all
            .chunks(all.len().div_ceil(THREADS).max(1))
            .map(|part| scope.spawn(move || part.iter().map(each).collect::<Result<Vec<T>>>()))
            .collect();
        let mut done = Vec::with_capacity(all.len());
        for part in parts {
            done.extend(part.join().map_err(|_| anyhow::anyhow!("a thread panicked"))??);
        }
        Ok(done)
    })
}

/// Opens everybody's session from a snapshot of all their topics, and waits until all are live; their ids.
///
/// # Errors
/// When one is refused, or does not come to it in time.
pub(crate) fn connect(fleet: &mut Fleet, address: &str, tokens: &[String]) -> Result<Vec<String>> {
    let (mut ids, mut all) = (Vec::new(), Vec::new());
    for (number, token) in tokens.iter().enumerate() {
        let mut api = Api::connect(address, token)?;
        let boot = api.call("/api/client.userBoot", &json!({}))?;
        let positions = boot.get("_p").context("no positions")?;
        ids.push(boot.pointer("/self/id").and_then(Value::as_str).context("self")?.to_owned());
        fleet.open_all(&ticket(&mut api)?, positions)?;
        all.push(positions.clone());
        if (number + 1) % 500 == 0 {
            progress(&format!("{} sessions are open", number + 1));
        }
        fleet.turn(Duration::ZERO, &Sends::default())?;
        if (number + 1) % 100 == 0 {
            until_live(fleet, OPENING_MAX, &Sends::default(), |number| {
                open_again(address, tokens, &all, number)
            })?;
        }
    }
    until_live(fleet, 0, &Sends::default(), |number| open_again(address, tokens, &all, number))?;
    Ok(ids)
}

/// How a refused session of [`follow`] is opened again.
pub(crate) fn again<'a, T: AsRef<str>>(
    address: &'a str,
    tokens: &'a [T],
    channel: &'a str,
    at: (u64, u64),
) -> impl Fn(usize) -> Result<(String, Value)> + 'a {
    move |number| {
        let token = tokens.get(number).context("nobody")?.as_ref();
        Ok((ticket(&mut Api::connect(address, token)?)?, json!({ channel: [at.0, at.1] })))
    }
}

fn open_again(address: &str, tokens: &[String], all: &[Value], number: usize) -> Result<(String, Value)> {
    let token = tokens.get(number).context("nobody")?;
    let positions = all.get(number).context("no positions")?.clone();
    Ok((ticket(&mut Api::connect(address, token)?)?, positions))
}

/// Where a session is opened.
pub(crate) fn ticket(api: &mut Api) -> Result<String> {
    let ticket = api.call("/realtime/v1/connect", &json!({}))?;
    Ok(ticket.get("url").and_then(Value::as_str).context("url")?.to_owned())
}

/// Waits until all sessions but so many are live. Those that the server refuses wait a moment and are opened again, as clients
/// do it, at what `again` says for their number: it admits so many sessions a second.
///
/// # Errors
/// When they do not come to it in time.
pub(crate) fn until_live(
    fleet: &mut Fleet,
    others: usize,
    sends: &Sends,
    again: impl Fn(usize) -> Result<(String, Value)>,
) -> Result<()> {
    let until = Instant::now() + LIVE_WITHIN;
    while fleet.live() + others < fleet.len() {
        ensure!(Instant::now() < until, "{} of {} sessions are live", fleet.live(), fleet.len());
        fleet.turn(Duration::from_millis(20), sends)?;
        let refused = fleet.take_refused();
        if !refused.is_empty() {
            std::thread::sleep(REFUSED_WAIT);
        }
        for number in refused {
            let (url, positions) = again(number)?;
            fleet.reopen(number, &url, &positions)?;
        }
    }
    Ok(())
}
