//! Everybody comes back at once after kill -9 (fault 26 of the matrix).

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use harness::sandbox::command;
use serde_json::Value;

use super::long;

/// A debug build on a machine with other work to do needs most of it.
const DONE_WITHIN: Duration = Duration::from_secs(240);

#[tokio::test]
async fn a_thousand_sessions_come_back_after_kill_9_and_miss_nothing() -> Result<()> {
    let sessions = if long() { "10000" } else { "1000" };
    let began = Instant::now();
    let mut storm = command()?;
    storm.args(["bench", "storm", "--sessions", sessions, "--json"]).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(DONE_WITHIN, storm.output()).await;
    let output = output.with_context(|| format!("not back within {DONE_WITHIN:?}"))??;
    // It fails by itself when any of them misses a message or gets one twice.
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let figures: Value = serde_json::from_slice(&output.stdout)?;
    let value = |name: &str| {
        let figures = figures.as_array().into_iter().flatten();
        let mut named =
            figures.filter(|figure| figure["figure"].as_str().is_some_and(|text| text.contains(name)));
        named.next().and_then(|figure| figure["value"].as_f64()).with_context(|| name.to_owned())
    };
    ensure!(value("missed and delivered")? > 0.0, "nobody missed anything: {figures}");
    println!("{sessions} sessions were live and caught up after {:.1} s", value("until all are live")?);
    println!("the whole took {:.1} s", began.elapsed().as_secs_f64());
    Ok(())
}
