//! I9: clients that read slowly or not at all (fault 25 of the matrix) cost the others nothing and lose nothing.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use harness::http::Api;
use harness::sandbox::{Options, Sandbox};
use harness::socket::{FRAME_WITHIN, Frame, Positions, Socket, boot_positions};
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{long, no_panic, resident_kib};

/// Sessions that stop reading for good, and those of them that read a byte a second.
const SLOW: usize = 200;
const DRIPPING: usize = 40;

/// Sessions that read nothing for the whole time, and then everything.
const LATE: usize = 12;

/// People whose sessions they are.
const MEMBERS: usize = 20;

/// Twice what a session may have waiting, with what the kernel holds.
const POSTS: usize = 120;
const POST_BYTES: usize = 10_000;

/// More than all budgets together: 256 KiB for each session, and the kernel's buffers are not the process's.
const MEMORY_KIB_MAX: u64 = 160 << 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_readers_cost_others_nothing_and_lose_nothing() -> Result<()> {
    let sessions = if long() { 5 * SLOW } else { SLOW };
    let server = Sandbox::start_with(Options { members: MEMBERS, ..Options::default() }).await?;
    let general = server.channel("general")?.to_owned();
    let member = |n: usize| server.api(&server.seed.members[n % MEMBERS].token);
    let quick = [server.person(1)?, server.person(2)?];

    // All of them read: what an event costs when nobody is slow.
    let (slow_now, is_slow) = watch::channel(false);
    let mut readers = JoinSet::new();
    for n in 0..sessions {
        let mut socket = Socket::narrow(&member(n)).await?;
        socket.resume(&boot_positions(&member(n)).await?).await?;
        readers.spawn(reader(socket, is_slow.clone(), n < DRIPPING));
    }
    let control = latencies(&server, &quick, &general).await?;

    // Nobody reads.
    slow_now.send_replace(true);
    let mut late = Vec::new();
    for n in 0..LATE {
        late.push(Late::connect(member(n), &general).await?);
    }
    let mut rtm = Socket::rtm_narrow(&member(0)).await?;
    let before_kib = resident_kib(&server)?;
    let slow = latencies(&server, &quick, &general).await?;
    let after_kib = resident_kib(&server)?;
    println!(
        "{sessions} sessions; control {control}; none reads: {slow}; {before_kib} KiB, then {after_kib}"
    );
    ensure!(slow.p99 < control.p99 * 2 + Duration::from_millis(250), "{slow}, control {control}");
    ensure!(after_kib < before_kib + MEMORY_KIB_MAX, "{after_kib} KiB after {before_kib}");

    // An RTM client cannot pull: it is closed, and told to come back.
    ensure!(rtm.closed(FRAME_WITHIN).await? == Some(4001), "RTM was not closed as too slow");
    // The others have everything as soon as they read.
    let head = server.bot().snapshot(&general).await?.seq;
    let mut told_to_pull = 0;
    for late in &mut late {
        let reading = tokio::time::timeout(Duration::from_secs(60), late.read_to(&general, head));
        told_to_pull += reading.await.context("still not caught up")??;
    }
    ensure!(told_to_pull > 0, "nobody was slow enough to be told to pull");
    println!("{LATE} late readers have all of it; told to pull {told_to_pull} times");
    ensure!(readers.try_join_next().is_none(), "a slow session was cut");
    no_panic(&server)
}

/// Reads and throws away; once it is slow, nothing, or a byte a second.
async fn reader(mut socket: Socket, mut is_slow: watch::Receiver<bool>, drips: bool) -> Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = tokio::select! {
            read = socket.raw().read(&mut buffer) => read?,
            slow = is_slow.wait_for(|slow| *slow) => {
                slow?;
                break;
            }
        };
        ensure!(read > 0, "closed while it was read");
    }
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if drips {
            ensure!(socket.raw().read(&mut [0]).await? > 0, "closed while a byte a second was read");
        }
    }
}

struct Latencies {
    p50: Duration,
    p99: Duration,
}

impl std::fmt::Display for Latencies {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "p50 {:.1?}, p99 {:.1?}", self.p50, self.p99)
    }
}

/// From the begin of a post until the last of those who read quickly has it.
async fn latencies(server: &Sandbox, quick: &[Api], channel: &str) -> Result<Latencies> {
    let mut sockets = Vec::new();
    for api in quick {
        let positions = boot_positions(api).await?;
        let mut socket = Socket::realtime(api).await?;
        socket.resume(&positions).await?;
        socket.all_live(&positions).await?;
        sockets.push(socket);
    }
    let bot = server.bot();
    let mut all = Vec::new();
    let text = "x".repeat(POST_BYTES);
    for n in 0..POSTS {
        let began = Instant::now();
        let ts = bot.post(channel, &format!("{n} {text}")).await?;
        for socket in &mut sockets {
            socket.until("the post", |frame| frame["ts"] == ts.as_str()).await?;
        }
        all.push(began.elapsed());
    }
    all.sort_unstable();
    Ok(Latencies { p50: all[all.len() / 2], p99: all[all.len() * 99 / 100] })
}

/// A session that reads nothing until it reads everything.
struct Late {
    socket: Socket,
    positions: Positions,
}

impl Late {
    async fn connect(api: Api, channel: &str) -> Result<Late> {
        let positions = boot_positions(&api).await?;
        ensure!(positions.contains_key(channel), "not a member");
        let mut socket = Socket::narrow(&api).await?;
        socket.resume(&positions).await?;
        socket.all_live(&positions).await?;
        Ok(Late { socket, positions })
    }

    /// Reads, and pulls when it is told to, until it has the channel up to `head`, each event once. How often it was told.
    async fn read_to(&mut self, channel: &str, head: u64) -> Result<usize> {
        let (generation, mut position) = self.positions[channel];
        let mut told = 0;
        while position < head {
            let Frame::Json(frame) = self.socket.next(FRAME_WITHIN).await? else {
                bail!("closed at {position}")
            };
            if frame["_p"]["t"] == channel {
                ensure!(frame["_p"]["s"] == position + 1, "at {position} came {}", frame["_p"]);
                position += 1;
            } else if frame["t"] == channel && frame["type"] == "_page" {
                ensure!(frame["from"] == position, "at {position} came a page from {}", frame["from"]);
                position = frame["to"].as_u64().context("to")?;
            } else if frame["t"] == channel && frame["type"] == "_head" {
                told += 1;
                let pull = json!({"type": "pull", "t": channel, "g": generation, "s": position});
                self.socket.send(&pull).await?;
            }
        }
        Ok(told)
    }
}
