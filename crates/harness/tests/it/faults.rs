//! Harm to one process on the embedded store, under load, with the same judge as kill -9: the operating system fails
//! or takes long, the file is damaged, the clock jumps, the process stands still, clients are slow, rude or malicious.
//!
//! Each test says what it hit, and fails when it hit nothing.

mod calls;
mod cancel;
mod clock;
mod malformed;
mod pause;
mod power;
mod rot;
mod slow;
mod storm;

use std::time::Duration;

use anyhow::{Result, ensure};
use harness::sandbox::{Options, Sandbox};

use crate::campaign::{Campaign, SENDERS};

/// I8: how long it may take after some harm until work goes on as before.
const RECOVERED_WITHIN: Duration = Duration::from_secs(30);

/// More of everything (`cargo xtask test --long`).
fn long() -> bool {
    std::env::var_os("PARLANCE_LONG").is_some()
}

/// A server with people at work.
async fn at_work(options: Options) -> Result<(Sandbox, Campaign)> {
    let server = Sandbox::start_with(Options { members: SENDERS, ..options }).await?;
    let mut campaign = Campaign::start(&[&server], getrandom::u64()?).await?;
    campaign.progress(20, RECOVERED_WITHIN).await?;
    Ok((server, campaign))
}

/// Nothing in the server has panicked.
fn no_panic(server: &Sandbox) -> Result<()> {
    let log = server.log();
    let panic = log.lines().find(|line| line.contains("panicked"));
    ensure!(panic.is_none(), "a panic: {panic:?}");
    Ok(())
}

/// Resident memory of the server, KiB.
fn resident_kib(server: &Sandbox) -> Result<u64> {
    let pid = server.pid().unwrap_or_default();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
