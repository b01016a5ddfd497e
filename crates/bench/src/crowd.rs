//! Many people: what they do before anything is measured.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::{fleet::Fleet, http::Api, report::progress, sends::Sends};

/// How long sessions may take until they follow everything.
const LIVE_WITHIN: Duration = Duration::from_secs(120);
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
        let ticket = api.call("/realtime/v1/connect", &json!({}))?;
        let url = ticket.get("url").and_then(Value::as_str).context("url")?;
        fleet.open(url, Some(at))?;
        if (number + 1) % 1_000 == 0 {
            progress(&format!("{} sessions are open", number + 1));
        }
        // What came so far must not pile up.
        fleet.turn(Duration::ZERO, &Sends::default())?;
    }
    let until = Instant::now() + LIVE_WITHIN;
    while fleet.live() < fleet.len() {
        ensure!(Instant::now() < until, "{} of {} sessions follow the channel", fleet.live(), fleet.len());
        fleet.turn(Duration::from_millis(100), &Sends::default())?;
    }
    at.context("nobody")
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
    let mut ids = Vec::new();
    for (number, token) in tokens.iter().enumerate() {
        let mut api = Api::connect(address, token)?;
        let boot = api.call("/api/client.userBoot", &json!({}))?;
        let positions = boot.get("_p").context("no positions")?;
        ids.push(boot.pointer("/self/id").and_then(Value::as_str).context("self")?.to_owned());
        let ticket = api.call("/realtime/v1/connect", &json!({}))?;
        fleet.open_all(ticket.get("url").and_then(Value::as_str).context("url")?, positions)?;
        if (number + 1) % 500 == 0 {
            progress(&format!("{} sessions are open", number + 1));
        }
        fleet.turn(Duration::ZERO, &Sends::default())?;
    }
    let until = Instant::now() + LIVE_WITHIN;
    while fleet.live() < fleet.len() {
        ensure!(Instant::now() < until, "{} of {} sessions are live", fleet.live(), fleet.len());
        fleet.turn(Duration::from_millis(100), &Sends::default())?;
    }
    Ok(ids)
}
