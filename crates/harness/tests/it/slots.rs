//! Channel Servers are killed and replaced under load: nobody misses, doubles or swaps an event (I6, I8, I13).

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use harness::http::Api;
use harness::socket::{Frame, Positions, Socket, boot_positions};
use serde_json::Value;
use server::config::{Config, RateLimits};
use server::node::Node;
use tokio::sync::watch;

/// Channel Servers that are killed.
const KILLS: usize = 24;
/// Time between two kills: shorter than a replacement has to get going everywhere.
const KILL_EVERY: Duration = Duration::from_millis(120);
/// I8: a committed event reaches every subscriber within this time.
const REACHES_WITHIN: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread")]
async fn channel_servers_die_under_load_and_nobody_notices() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = Config {
        data: folder.path().display().to_string(),
        listen: "127.0.0.1:0".to_owned(),
        rate_limits: RateLimits::Off,
        ..Config::default()
    };
    let seed = server::seed::seed(&config, 12).await?;
    let node = Node::start(&config).await?;
    let channels: Vec<String> = ["general", "random", "tide-clock"]
        .iter()
        .filter_map(|name| seed.channels.get(*name).cloned())
        .collect();
    let people: Vec<Api> =
        seed.people.iter().map(|person| Api::new(&node.url, Some(&person.token))).collect();

    let (stop, stopped) = watch::channel(false);
    let mut listeners = Vec::new();
    for api in &people {
        for _ in 0..2 {
            let positions = boot_positions(api).await?;
            let mut socket = Socket::realtime(api).await?;
            socket.resume(&positions).await?;
            listeners.push(tokio::spawn(follow(socket, positions, stopped.clone())));
        }
    }
    let senders: Vec<_> = people
        .iter()
        .enumerate()
        .map(|(who, api)| tokio::spawn(send(api.clone(), who, channels.clone(), stopped.clone())))
        .collect();

    let epoch_before = node.control.ring().borrow().epoch().0;
    let slots: Vec<_> = node.control.ring().borrow().slots().iter().map(|slot| slot.name.clone()).collect();
    for (kill, slot) in (0..KILLS).zip(slots.iter().cycle()) {
        tokio::time::sleep(KILL_EVERY).await;
        // Now and then two at once.
        node.slots.kill(slot);
        if kill % 5 == 0 {
            node.slots.kill(slots.get((kill * 3 + 1) % slots.len()).context("slot")?);
        }
    }
    stop.send(true)?;
    let mut sent: BTreeMap<String, Instant> = BTreeMap::new();
    for sender in senders {
        sent.extend(sender.await??);
    }
    ensure!(sent.len() > KILLS, "too little was sent to mean anything: {}", sent.len());
    let mut slowest = Duration::ZERO;
    for listener in listeners {
        let seen = listener.await??;
        for (ts, acknowledged) in &sent {
            let at = seen.get(ts).with_context(|| format!("{ts} never came"))?;
            slowest = slowest.max(at.saturating_duration_since(*acknowledged));
        }
    }
    let epochs = node.control.ring().borrow().epoch().0 - epoch_before;
    println!(
        "{} messages to 6 devices while {epochs} Channel Servers were replaced; slowest {} ms after its answer",
        sent.len(),
        slowest.as_millis()
    );
    ensure!(epochs >= u64::try_from(KILLS)?, "only {epochs} replacements");
    ensure!(slowest < REACHES_WITHIN, "an event took {slowest:?}");
    node.drain().await;
    Ok(())
}

/// Posts until told to stop; returns each message (channel and ts) and when it was acknowledged.
async fn send(
    api: Api,
    who: usize,
    channels: Vec<String>,
    stopped: watch::Receiver<bool>,
) -> Result<BTreeMap<String, Instant>> {
    let mut sent = BTreeMap::new();
    let mut number = 0;
    while !*stopped.borrow() {
        let channel = channels.get(number % channels.len()).context("channel")?;
        let ts = api.post(channel, &format!("{who}/{number}")).await?;
        sent.insert(format!("{channel} {ts}"), Instant::now());
        number += 1;
        tokio::time::sleep(Duration::from_millis(4)).await;
    }
    Ok(sent)
}

/// Reads until it was told to stop and nothing came for a while. Every event must be its topic's next.
async fn follow(
    mut socket: Socket,
    mut positions: Positions,
    stopped: watch::Receiver<bool>,
) -> Result<BTreeMap<String, Instant>> {
    let mut seen = BTreeMap::new();
    let mut twice = BTreeSet::new();
    loop {
        let frame = match socket.next(REACHES_WITHIN).await {
            Ok(Frame::Json(frame)) => frame,
            Ok(other) => anyhow::bail!("{other:?}"),
            Err(_) if *stopped.borrow() => return Ok(seen),
            Err(error) => return Err(error),
        };
        let events = match frame["type"].as_str() {
            Some("_page") => frame["events"].as_array().cloned().unwrap_or_default(),
            _ => vec![frame],
        };
        for event in events {
            apply(&event, &mut positions, &mut seen, &mut twice)?;
        }
    }
}

fn apply(
    event: &Value,
    positions: &mut Positions,
    seen: &mut BTreeMap<String, Instant>,
    twice: &mut BTreeSet<String>,
) -> Result<()> {
    let Some(topic) = event["_p"]["t"].as_str() else { return Ok(()) };
    let seq = event["_p"]["s"].as_u64().context("seq")?;
    let position = positions.get_mut(topic).with_context(|| format!("topic {topic}"))?;
    ensure!(seq == position.1 + 1, "{topic}: {seq} came after {}", position.1);
    position.1 = seq;
    if event["type"] == "message" && event["subtype"].is_null() {
        // A ts is unique in its channel only.
        let ts = format!("{topic} {}", event["ts"].as_str().context("ts")?);
        ensure!(twice.insert(ts.clone()), "{ts} came twice");
        seen.insert(ts, Instant::now());
    }
    Ok(())
}
