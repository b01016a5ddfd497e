//! Clients that go away in the middle (fault 32 of the matrix): a request's future is dropped wherever it waits. Nothing
//! may stay behind: no permit, no lock, no transaction, no half of a message.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures_util::future::try_join_all;
use harness::history::{Action, Operation, Outcome};
use harness::sandbox::{Options, Sandbox};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::{at_work, long, no_panic, resident_kib};
use crate::campaign::DELIVER_WITHIN;
use crate::load::{Load, Random};

/// Requests under way at once.
const AT_ONCE: usize = 200;

/// A body that is large enough to need one of the few permits for large bodies.
const LARGE_BYTES: usize = 200 << 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_are_dropped_anywhere_leave_nothing_behind() -> Result<()> {
    let (server, mut campaign) = at_work(Options::default()).await?;
    let before = burst(&server).await?;
    let mut random = Random(getrandom::u64()? | 1);
    let rounds = if long() { 40 } else { 5 };
    for _ in 0..rounds {
        let (load, channels) = (campaign.load.clone(), campaign.channels().to_vec());
        let rude = (0..AT_ONCE).map(|n| {
            let rude = Rude::new(&server, &load, &channels, n, &mut random);
            async move { rude?.run().await }
        });
        let rude: Vec<_> = rude.collect();
        campaign.during(try_join_all(rude)).await??;
    }
    // The same number of requests gets through, with nobody else at work.
    let settled = resident_kib(&server)?;
    let after = burst(&server).await?;
    println!("{AT_ONCE} at once took {before:?} before and {after:?} after; {settled} KiB resident");
    ensure!(after < before * 4 + Duration::from_secs(2), "{after:?} after, {before:?} before");
    no_panic(&server)?;
    let history = campaign.judge(&server, DELIVER_WITHIN).await?;
    let dropped = history.operations.iter().filter(|one| is_rude(one)).count();
    let there = history.finals.values().flat_map(|end| &end.messages);
    let there = there.filter(|message| message.text.starts_with("dropped")).count();
    println!("{dropped} posts were dropped on the way, {there} of them are there");
    ensure!(there > 0 && there < dropped, "they were all dropped at the same place");
    Ok(())
}

fn is_rude(operation: &Operation) -> bool {
    matches!(&operation.action, Action::Post { text, .. } if text.starts_with("dropped"))
}

/// Reads, posts and large bodies, as many of each as there are places for any of them many times over.
async fn burst(server: &Sandbox) -> Result<Duration> {
    let began = Instant::now();
    let general = server.channel("random")?;
    let large = "x".repeat(LARGE_BYTES);
    let requests = (0..AT_ONCE).map(|n| {
        let (bot, large) = (server.bot(), &large);
        async move {
            match n % 4 {
                0 => bot.ok("chat.postMessage", &[("channel", general), ("text", "in a burst")]).await,
                1 => bot.ok("api.test", &[("x", large)]).await,
                _ => bot.ok("conversations.history", &[("channel", general), ("limit", "5")]).await,
            }
        }
    });
    try_join_all(requests).await.context("in a burst")?;
    Ok(began.elapsed())
}

/// A client that sends some of a request, waits a little, and is gone.
struct Rude {
    address: String,
    request: Vec<u8>,
    /// How much of it is sent.
    bytes: usize,
    wait: Duration,
    /// With a reset instead of an end.
    reset: bool,
    post: Option<Operation>,
    load: Load,
}

impl Rude {
    fn new(
        server: &Sandbox,
        load: &Load,
        channels: &[String],
        n: usize,
        random: &mut Random,
    ) -> Result<Rude> {
        let member = server.seed.members.get(n % server.seed.members.len()).context("member")?;
        let channel = channels.get(random.below(channels.len())).context("channel")?;
        let key = uuid::Uuid::new_v4().to_string();
        let text = format!("dropped {key}");
        let (path, body, is_post) = match random.below(10) {
            0..6 => {
                let body = format!("channel={channel}&text={}&client_msg_id={key}", text.replace(' ', "+"));
                ("chat.postMessage", body, true)
            }
            6..8 => ("conversations.history", format!("channel={channel}&limit=200"), false),
            8 => ("client.userBoot", String::new(), false),
            _ => ("api.test", format!("x={}", "x".repeat(LARGE_BYTES)), false),
        };
        let request = format!(
            "POST /api/{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            member.token,
            body.len()
        );
        // Half of them send everything and do not wait for the answer.
        let bytes = if random.below(2) == 0 { request.len() } else { random.below(request.len()) };
        let longest = [1_000, 20_000, 300_000][random.below(3)];
        let post = is_post.then(|| Operation {
            channel: channel.clone(),
            author: member.id.clone(),
            action: Action::Post { key, text, thread_ts: None },
            started: 0,
            ended: 0,
            outcome: Outcome::Unknown,
        });
        Ok(Rude {
            address: server.address().to_owned(),
            request: request.into_bytes(),
            bytes,
            wait: Duration::from_micros(u64::try_from(random.below(longest))?),
            reset: random.below(2) == 0,
            post,
            load: load.clone(),
        })
    }

    async fn run(self) -> Result<()> {
        let started = self.load.clock.now();
        let mut stream = TcpStream::connect(&self.address).await?;
        if self.reset {
            stream.set_zero_linger()?;
        }
        // The server may have refused before it read everything.
        stream.write_all(self.request.get(..self.bytes).unwrap_or_default()).await.ok();
        tokio::time::sleep(self.wait).await;
        drop(stream);
        if let Some(post) = self.post {
            let ended = self.load.clock.now();
            self.load.operations.lock().unwrap().push(Operation { started, ended, ..post });
        }
        Ok(())
    }
}
