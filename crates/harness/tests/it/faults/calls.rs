//! I10: system calls of the store that fail or take long (faults 9 and 10 of the matrix).
//!
//! strace makes the n-th call of a kind fail. Only the writer synchronises, so its calls are counted exactly.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use harness::sandbox::{Options, Sandbox};
use harness::strace::Strace;

use super::{RECOVERED_WITHIN, at_work, long};
use crate::campaign::DELIVER_WITHIN;
use crate::load::Random;

/// How long the process may live on after its log failed.
const EXITS_WITHIN: Duration = Duration::from_secs(20);

/// Calls of one kind that are made to fail one after the other, before a test says that there is no end of them.
const CALLS_MAX: usize = 400;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_failed_fsync_the_process_exits_and_nothing_acknowledged_is_lost() -> Result<()> {
    let (mut server, mut campaign) = at_work(Options::default()).await?;
    let mut random = Random(getrandom::u64()? | 1);
    let rounds = if long() { 30 } else { 4 };
    for round in 1..=rounds {
        let nth = 1 + random.below(40);
        let calls = server.scratch().join("calls");
        let inject = format!("inject=fdatasync,fsync:error=EIO:when={nth}");
        let arguments = ["-e", "trace=fdatasync,fsync", "-e", &inject];
        let pid = server.pid().context("pid")?;
        let attached = Strace::attach("a failing fsync", pid, &arguments, &calls).await?;
        let Some(strace) = attached else { return Ok(()) };
        let began = Instant::now();
        let status = campaign.during(server.fails()).await??;
        strace.detach().await?;
        let text = std::fs::read_to_string(&calls)?;
        ensure!(text.contains("(INJECTED)"), "nothing was hit:\n{text}");
        ensure!(!status.success(), "it ended with {status} as if nothing had happened");
        // What failed is not tried again: no call after the one that failed comes from this log.
        let after = text.lines().skip_while(|line| !line.contains("(INJECTED)")).skip(1);
        let retried: Vec<&str> = after.filter(|line| line.contains("sync(")).collect();
        ensure!(retried.is_empty(), "synchronised again after the failure: {retried:?}");
        ensure!(server.log().contains("nothing more is acknowledged"), "the log does not say why");
        println!("round {round}: fsync {nth} failed, exit with {status} after {:?}", began.elapsed());
        server.restart().await?;
        campaign.resolved().await?;
    }
    campaign.judge(&server, DELIVER_WITHIN).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_disk_makes_work_slow_and_nothing_else() -> Result<()> {
    let (server, mut campaign) = at_work(Options::default()).await?;
    let before = campaign.rate(Duration::from_secs(3)).await?;
    let pid = server.pid().context("pid")?;
    for (delay_ms, time) in [(50, 3), (500, 4), (2_000, 7)] {
        let calls = server.scratch().join("calls");
        let inject = format!("inject=fdatasync,fsync:delay_enter={delay_ms}ms");
        let arguments = ["-e", "trace=fdatasync,fsync", "-e", &inject];
        let Some(strace) = Strace::attach("a slow fsync", pid, &arguments, &calls).await? else {
            return Ok(());
        };
        let rate = campaign.rate(Duration::from_secs(time)).await?;
        strace.detach().await?;
        let hit = std::fs::read_to_string(&calls)?.matches("(DELAYED)").count();
        println!("{delay_ms} ms for each of {hit} calls: {rate:.1} operations/s, {before:.1} before");
        ensure!(hit > 0 && rate > 0.0, "{hit} calls were slow, {rate} operations/s");
    }
    campaign.recovers(before, RECOVERED_WITHIN).await?;
    let answers = campaign.load.answers();
    ensure!(answers.is_empty(), "slow is no reason to refuse: {answers:?}");
    campaign.judge(&server, DELIVER_WITHIN).await?;
    Ok(())
}

/// The disk is full at the n-th write of a commit, for every n: refused, nothing of it is there, and the next commit
/// goes through.
#[tokio::test]
async fn a_disk_that_is_full_at_any_write_refuses_and_recovers() -> Result<()> {
    let server = Sandbox::start().await?;
    let mut script = Script::new(&server)?;
    for nth in 1..=CALLS_MAX {
        let outcome = script.one(&server, "pwrite64", "ENOSPC", nth).await?;
        let Some(outcome) = outcome else { return Ok(()) };
        match outcome {
            Step::NotReached => {
                ensure!(nth > 5, "a commit of {nth} writes is none");
                println!("a commit has {} writes; each found the disk full once", nth - 1);
                return script.finish(server).await;
            }
            Step::Refused(error) => ensure!(error == "service_unavailable", "write {nth}: {error}"),
            Step::NoAnswer | Step::Unknown => ensure!(false, "write {nth}: a full disk has a clear answer"),
            // The write was not the commit's.
            Step::Done => {}
        }
    }
    anyhow::bail!("no end of writes")
}

/// The disk fails at the n-th write of a commit, for every n: the process exits, and after the restart everything
/// acknowledged is there, the rest once or not at all.
#[tokio::test]
async fn a_disk_that_fails_at_any_write_ends_the_process() -> Result<()> {
    let mut server = Sandbox::start().await?;
    let mut script = Script::new(&server)?;
    let mut nth = 1;
    let mut exits = 0;
    while nth <= CALLS_MAX {
        let outcome = script.one(&server, "pwrite64", "EIO", nth).await?;
        let Some(outcome) = outcome else { return Ok(()) };
        match outcome {
            Step::NotReached => {
                ensure!(exits > 2, "{exits} writes failed");
                println!("{exits} of {} writes were made to fail, each ended the process", nth - 1);
                return script.finish(server).await;
            }
            Step::Refused(error) => ensure!(false, "write {nth}: an I/O error was answered with {error}"),
            Step::NoAnswer | Step::Unknown => {
                let status = tokio::time::timeout(EXITS_WITHIN, server.wait()).await;
                let status = status.with_context(|| format!("it lives on after write {nth} failed"))??;
                ensure!(!status.success(), "it ended with {status} as if nothing had happened");
                exits += 1;
                server.restart().await?;
                script.settle(&server).await?;
            }
            Step::Done => ensure!(false, "write {nth} failed, and it was acknowledged"),
        }
        // Every write in a long run, else some of them.
        nth += if long() { 1 } else { 4 };
    }
    anyhow::bail!("no end of writes")
}

/// What a post found whose n-th write was made to fail.
enum Step {
    /// It has fewer writes.
    NotReached,
    /// Refused with this error.
    Refused(String),
    /// `request_timeout` or `internal_error`: nobody knows.
    Unknown,
    /// The connection broke.
    NoAnswer,
    /// Acknowledged.
    Done,
}

/// Posts one by one, and knows what must be there.
struct Script {
    channel: String,
    count: usize,
    acknowledged: Vec<String>,
    refused: Vec<String>,
    unknown: Option<String>,
}

impl Script {
    fn new(server: &Sandbox) -> Result<Script> {
        let channel = server.channel("general")?.to_owned();
        Ok(Script { channel, count: 0, acknowledged: Vec::new(), refused: Vec::new(), unknown: None })
    }

    /// A post during which the n-th call of a kind fails. None: no strace here.
    async fn one(&mut self, server: &Sandbox, call: &str, error: &str, nth: usize) -> Result<Option<Step>> {
        // What the last commit left to do is done, so that the calls are those of the next.
        self.post(server, "quiet").await.context("between two failures")?;
        let calls = server.scratch().join("calls");
        let (trace, inject) = (format!("trace={call}"), format!("inject={call}:error={error}:when={nth}"));
        let log = server.data().join("parlance.db-wal");
        let log = log.to_str().context("path")?;
        let arguments = ["-P", log, "-e", &trace, "-e", &inject];
        let pid = server.pid().context("pid")?;
        let Some(strace) = Strace::attach("failing writes", pid, &arguments, &calls).await? else {
            return Ok(None);
        };
        let step = self.post(server, &format!("{error} at {nth}")).await;
        let ends = matches!(step, Err(_) | Ok(Step::Unknown));
        if ends {
            strace.ended(EXITS_WITHIN).await?;
        } else {
            strace.detach().await?;
        }
        let hit = std::fs::read_to_string(&calls)?.contains("(INJECTED)");
        let step = match step {
            Ok(_) if !hit => Step::NotReached,
            Ok(step) => step,
            Err(_) => Step::NoAnswer,
        };
        ensure!(hit || matches!(step, Step::NotReached), "it failed although nothing was hit");
        Ok(Some(step))
    }

    async fn post(&mut self, server: &Sandbox, what: &str) -> Result<Step> {
        self.count += 1;
        let key = uuid::Uuid::new_v4().to_string();
        let text = format!("{} {what}", self.count);
        self.unknown = Some(key.clone());
        let arguments = [("channel", self.channel.as_str()), ("text", &text), ("client_msg_id", &key)];
        let answer = server.bot().call("chat.postMessage", &arguments).await?;
        let step = match answer["error"].as_str() {
            None => Step::Done,
            Some("request_timeout" | "internal_error") => return Ok(Step::Unknown),
            Some(error) => Step::Refused(error.to_owned()),
        };
        self.unknown = None;
        match &step {
            Step::Done => self.acknowledged.push(key),
            _ => self.refused.push(key),
        }
        Ok(step)
    }

    /// After a restart: what was unknown is repeated, and is there once.
    async fn settle(&mut self, server: &Sandbox) -> Result<()> {
        let key = self.unknown.take().context("everything had an answer")?;
        let arguments = [("channel", self.channel.as_str()), ("text", "again"), ("client_msg_id", &key)];
        server.bot().ok("chat.postMessage", &arguments).await?;
        self.acknowledged.push(key);
        Ok(())
    }

    /// Everything acknowledged is there once, nothing refused is, also after a kill.
    async fn finish(self, mut server: Sandbox) -> Result<()> {
        server.kill().await?;
        server.restart().await?;
        let messages = server.bot().snapshot(&self.channel).await?.messages;
        let count = |key: &String| {
            messages.iter().filter(|message| message.client_msg_id.as_ref() == Some(key)).count()
        };
        let lost: Vec<&String> = self.acknowledged.iter().filter(|key| count(key) != 1).collect();
        ensure!(lost.is_empty(), "{} of {} are not there once", lost.len(), self.acknowledged.len());
        let back: Vec<&String> = self.refused.iter().filter(|key| count(key) > 0).collect();
        ensure!(back.is_empty(), "{} of {} refused ones are there", back.len(), self.refused.len());
        println!("{} acknowledged, {} refused", self.acknowledged.len(), self.refused.len());
        Ok(())
    }
}
