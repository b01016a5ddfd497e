//! Durable before acknowledged, seen from outside: the system calls of the running server.

use anyhow::{Context, Result, ensure};
use harness::sandbox::Sandbox;
use harness::strace::Strace;

/// Posts whose calls are looked at.
const POSTS: usize = 20;

/// What a call means for the order of things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// SQLite's log was written.
    Written,
    /// SQLite's log was synchronised.
    Synced,
    /// A client was told that its message is there.
    Acknowledged,
}

#[tokio::test]
async fn the_log_is_synchronised_before_each_acknowledgement() -> Result<()> {
    let server = Sandbox::start().await?;
    let general = server.channel("general")?.to_owned();
    let pid = server.pid().context("pid")?;
    let trace = server.scratch().join("calls");
    let calls = "trace=pwrite64,write,writev,sendto,sendmsg,fdatasync,fsync";
    // -y names files. Completed calls are written in the order in which they ended.
    let arguments = ["-y", "-s", "4000", "-e", calls];
    let attached = Strace::attach("synchronised before acknowledged", pid, &arguments, &trace).await?;
    let Some(strace) = attached else { return Ok(()) };
    let bot = server.bot();
    for post in 0..POSTS {
        bot.post(&general, &format!("durable {post}")).await?;
    }
    strace.detach().await?;

    let text = std::fs::read_to_string(&trace)?;
    let steps: Vec<Step> = text.lines().filter_map(step).collect();
    let acknowledged = steps.iter().filter(|step| **step == Step::Acknowledged).count();
    ensure!(acknowledged == POSTS, "{acknowledged} acknowledgements seen, {POSTS} expected:\n{text:.4000}");
    let mut dirty = false;
    let mut synced = 0;
    for step in steps {
        match step {
            Step::Written => dirty = true,
            Step::Synced => {
                synced += usize::from(dirty);
                dirty = false;
            }
            Step::Acknowledged => {
                ensure!(!dirty, "acknowledged before the log was synchronised:\n{text:.4000}")
            }
        }
    }
    // One post at a time, so each had a commit of its own.
    ensure!(synced >= POSTS, "{synced} commits were synchronised, {POSTS} acknowledged");
    Ok(())
}

/// Reads a line of strace: `1234 fdatasync(9</data/parlance.db-wal>) = 0`. A call that another thread
/// interrupted has a second line `… resumed>`, which tells when it ended but not its file: the writer is the
/// only thread that synchronises.
fn step(line: &str) -> Option<Step> {
    let on_log = line.contains("parlance.db-wal");
    let begun = line.contains("<unfinished ...>");
    if line.contains("pwrite64(") && on_log {
        return Some(Step::Written);
    }
    let resumed = line.contains("<... fdatasync resumed>") || line.contains("<... fsync resumed>");
    if (resumed || (line.contains("sync(") && on_log && !begun)) && line.trim_end().ends_with("= 0") {
        return Some(Step::Synced);
    }
    // The answer of chat.postMessage, as it leaves; the start of a call counts, not its end.
    let told = line.contains("socket:[") || line.contains("TCP");
    let answer = line.contains(r#"\"ok\":true"#) && line.contains("durable ");
    (told && answer && line.contains("HTTP/1.1 200")).then_some(Step::Acknowledged)
}
