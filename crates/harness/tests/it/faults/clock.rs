//! I11: the clock is set while the server runs (fault 18 of the matrix), by libfaketime. Only the time of day: no machine
//! sets its monotonic clock.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use harness::history::{Listener, Seen};
use harness::sandbox::{Options, Sandbox};
use harness::socket::{Refusal, Socket, ticket};
use serde_json::json;

use super::{RECOVERED_WITHIN, at_work, no_panic};
use crate::campaign::DELIVER_WITHIN;

/// How long it may take until what is due is done.
const DONE_WITHIN: Duration = Duration::from_secs(20);

/// A clock that a test sets.
struct FakeClock {
    file: PathBuf,
    _folder: tempfile::TempDir,
}

impl FakeClock {
    /// The clock, and what the server needs to go by it. None: said that there is no libfaketime.
    fn new(test: &str) -> Result<Option<(FakeClock, Options)>> {
        let Some(library) = library() else {
            harness::skip(test, "libfaketime (Debian: apt-get install faketime)");
            return Ok(None);
        };
        let folder = tempfile::tempdir()?;
        let clock = FakeClock { file: folder.path().join("offset"), _folder: folder };
        clock.set(0)?;
        let variable = |name: &str, value: &Path| (name.to_owned(), value.display().to_string());
        let environment = vec![
            variable("LD_PRELOAD", &library),
            variable("FAKETIME_TIMESTAMP_FILE", &clock.file),
            variable("FAKETIME_NO_CACHE", Path::new("1")),
            variable("FAKETIME_DONT_FAKE_MONOTONIC", Path::new("1")),
            variable("DONT_FAKE_MONOTONIC", Path::new("1")),
        ];
        Ok(Some((clock, Options { environment, ..Options::default() })))
    }

    /// Sets it to so many hours from the real time.
    fn set(&self, hours: i64) -> Result<()> {
        // Whoever reads meanwhile gets the old or the new one.
        let new = self.file.with_extension("new");
        std::fs::write(&new, format!("{:+}\n", hours * 3_600))?;
        std::fs::rename(new, &self.file).map_err(Into::into)
    }
}

fn library() -> Option<PathBuf> {
    let folders = ["/usr/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64"];
    let paths = folders.iter().map(|folder| Path::new(folder).join("faketime/libfaketimeMT.so.1"));
    paths.into_iter().find(|path| path.exists())
}

fn now_s() -> Result<i64> {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs()).map_err(Into::into)
}

/// What the server's clock says, from a message that it stamps.
async fn server_s(server: &Sandbox) -> Result<i64> {
    // A channel of its own: elsewhere a message may not go back behind those that are there.
    let name = uuid::Uuid::new_v4().to_string();
    let made = server.person(0)?.ok("conversations.create", &[("name", &name[..18])]).await?;
    made["channel"]["created"].as_i64().with_context(|| made.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn steps_of_three_hours_break_no_order() -> Result<()> {
    let Some((clock, options)) = FakeClock::new("a clock that is set")? else { return Ok(()) };
    let (server, mut campaign) = at_work(options).await?;
    let before = campaign.rate(Duration::from_secs(2)).await?;
    for hours in [3, 0, -3, 0, -3, 3, 0] {
        clock.set(hours)?;
        let off = server_s(&server).await? - now_s()? - hours * 3_600;
        ensure!(off.abs() < 5, "the clock was not set: it is off by {off} s");
        campaign.run_for(Duration::from_secs(1)).await?;
        // Who connects now gets a ticket that is good, and keeps the connection.
        let mut socket = Socket::realtime(&server.person(1)?).await?;
        socket.resume(&harness::socket::boot_positions(&server.person(1)?).await?).await?;
        socket.drain(1).await?;
    }
    campaign.recovers(before, RECOVERED_WITHIN).await?;
    let answers = campaign.load.answers();
    ensure!(answers.is_empty(), "the time of day is no reason to refuse: {answers:?}");
    no_panic(&server)?;
    let history = campaign.judge(&server, DELIVER_WITHIN).await?;
    let lost = |listener: &Listener| listener.seen.iter().any(|one| one.seen == Seen::Lost);
    let lost: Vec<&Listener> = history.listeners.iter().filter(|listener| lost(listener)).collect();
    let lost: Vec<&String> = lost.iter().map(|listener| &listener.name).collect();
    ensure!(lost.is_empty(), "the clock was set and {lost:?} lost their connections");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ends_at_a_time_ends_then_and_once() -> Result<()> {
    let Some((clock, options)) = FakeClock::new("ends and a clock that is set")? else { return Ok(()) };
    let server = Sandbox::start_with(options).await?;
    let ann = server.person(0)?;
    let general = server.channel("general")?.to_owned();

    // A ticket of 30 s does not outlive a step forward, nor one backward.
    for (sold_at, used_at) in [(0, 3), (3, 0), (0, -3)] {
        clock.set(sold_at)?;
        let url = ticket(&ann).await?;
        clock.set(used_at)?;
        let refusal = Socket::refused(&url, None).await.with_context(|| format!("{sold_at} to {used_at}"))?;
        ensure!(matches!(refusal, Refusal::Closed(Some(4006)) | Refusal::Http(401 | 403)), "{refusal:?}");
        Socket::realtime(&ann).await.context("the next ticket")?;
    }

    clock.set(0)?;
    let in_an_hour = now_s()? + 3_600;
    let profile = json!({"status_text": "away", "status_emoji": ":wave:", "status_expiration": in_an_hour});
    ann.ok("users.profile.set", &[("profile", &profile.to_string())]).await?;
    let at = in_an_hour.to_string();
    let text = "due in an hour";
    ann.ok("chat.scheduleMessage", &[("channel", &general), ("text", text), ("post_at", &at)]).await?;
    ensure!(status(&ann).await? == "away", "the status ended an hour early");

    // Backward: nothing is due.
    clock.set(-3)?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    ensure!(status(&ann).await? == "away" && posted(&server, text).await? == 0, "due three hours too early");
    // Forward: both are due, soon.
    clock.set(3)?;
    let began = Instant::now();
    while !status(&ann).await?.is_empty() || posted(&server, text).await? != 1 {
        let (status, posted) = (status(&ann).await?, posted(&server, text).await?);
        ensure!(
            began.elapsed() < DONE_WITHIN,
            "the status is {status:?}, the message is there {posted} times"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    println!("both were done {:?} after the step", began.elapsed());
    // Once is once, whatever the clock does.
    for hours in [0, 3, 0] {
        clock.set(hours)?;
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        ensure!(
            status(&ann).await?.is_empty() && posted(&server, text).await? == 1,
            "done again at {hours} h"
        );
    }
    no_panic(&server)
}

async fn status(api: &harness::http::Api) -> Result<String> {
    let answer = api.ok("users.profile.get", &[]).await?;
    Ok(answer["profile"]["status_text"].as_str().context("status_text")?.to_owned())
}

async fn posted(server: &Sandbox, text: &str) -> Result<usize> {
    let page =
        server.person(0)?.ok("conversations.history", &[("channel", server.channel("general")?)]).await?;
    let messages = page["messages"].as_array().context("messages")?;
    Ok(messages.iter().filter(|message| message["text"] == text).count())
}
