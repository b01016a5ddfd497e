//! `parlance bench`: its own checks hold, and what it finds is told.

use anyhow::{Context, Result, ensure};
use harness::sandbox::{Options, Output, Sandbox, parlance};
use serde_json::{Value, json};

fn figures(output: &Output) -> Result<Vec<(String, f64)>> {
    let figures: Vec<Value> = serde_json::from_str(&output.stdout).with_context(|| output.stderr.clone())?;
    let pair = |figure: &Value| Some((figure["figure"].as_str()?.to_owned(), figure["value"].as_f64()?));
    figures.iter().map(|figure| pair(figure).with_context(|| figure.to_string())).collect()
}

#[tokio::test]
async fn a_storm_brings_everybody_what_they_missed() -> Result<()> {
    let output = parlance(&["bench", "storm", "--sessions", "100", "--json"]).await?;
    ensure!(output.status.success(), "{}", output.stderr);
    let figures = figures(&output)?;
    let value =
        |name: &str| figures.iter().find(|(figure, _)| figure.contains(name)).map(|(_, value)| *value);
    ensure!(value("missed and delivered") == Some(50.0), "{figures:?}");
    ensure!(value("per session that came back").is_some_and(|cpu| cpu > 0.0), "{figures:?}");
    Ok(())
}

#[tokio::test]
async fn a_fan_out_counts_every_frame() -> Result<()> {
    let arguments =
        ["bench", "fanout", "--members", "20", "--rate", "50", "--seconds", "1", "--rounds", "1", "--json"];
    let output = parlance(&arguments).await?;
    if !output.status.success() {
        // Every frame was counted before the limit was found too unsteady to compare with.
        ensure!(output.stderr.contains("the machine is too busy"), "{}", output.stderr);
        return Ok(());
    }
    let figures = figures(&output)?;
    let speed = figures.iter().find(|(figure, _)| figure.starts_with("frames per server CPU second"));
    ensure!(speed.is_some_and(|(_, speed)| *speed > 0.0), "{figures:?}");
    Ok(())
}

#[tokio::test]
async fn a_workspace_is_busy_and_nobody_misses_anything() -> Result<()> {
    let size = ["--people", "40", "--channels", "30", "--each", "10"];
    let arguments = [&["bench", "mix", "--json", "--seconds", "5", "--rate", "20"], size.as_slice()].concat();
    let output = parlance(&arguments).await?;
    ensure!(output.status.success(), "{}", output.stderr);
    let figures = figures(&output)?;
    ensure!(figures.iter().any(|(name, value)| name == "frames per second" && *value > 20.0), "{figures:?}");
    Ok(())
}

#[tokio::test]
async fn posts_are_compared_with_sqlite_alone() -> Result<()> {
    // Fewer topics than senders, and more.
    for (topics, through) in [("1", "http"), ("3", "http"), ("12", "http"), ("3", "rtm")] {
        let size = ["--senders", "6", "--topics", topics, "--seconds", "1", "--rounds", "1"];
        let size = [size.as_slice(), &["--through", through]].concat();
        let output = parlance(&[&["bench", "posts", "--json"], size.as_slice()].concat()).await?;
        ensure!(output.status.success(), "{}", output.stderr);
        let figures = figures(&output)?;
        for name in ["posts acknowledged per second", "messages per second, SQLite alone"] {
            ensure!(figures.iter().any(|(figure, value)| figure == name && *value > 0.0), "{figures:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_server_that_runs_already_is_measured() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (data, file) = (path("data"), path("people.json"));
    let made = parlance(&["seed", "--data", &data, "--json", "--members", "40"]).await?;
    ensure!(made.status.success(), "{}", made.stderr);
    std::fs::write(&file, &made.stdout)?;
    let arguments = ["--rate-limits", "off"].map(str::to_owned).to_vec();
    let (seed, of) = (Some(serde_json::from_str(&made.stdout)?), Some(data.clone().into()));
    let server = Sandbox::start_with(Options { data: of, seed, arguments, ..Options::default() }).await?;
    let pid = server.pid().context("no process")?.to_string();
    let target = ["--server", server.url(), "--people-file", &file, "--pid", &pid];
    let mix =
        ["bench", "mix", "--json", "--people", "40", "--channels", "20", "--seconds", "5", "--rate", "20"];
    let output = parlance(&[mix.as_slice(), &target].concat()).await?;
    ensure!(output.status.success(), "{}", output.stderr);
    let posts =
        ["bench", "posts", "--json", "--senders", "5", "--topics", "5", "--seconds", "1", "--rounds", "1"];
    let without = parlance(&[posts.as_slice(), &target].concat()).await?;
    ensure!(without.status.success(), "{}", without.stderr);
    let with = parlance(&[posts.as_slice(), &target, &["--data", &data]].concat()).await?;
    ensure!(with.status.success(), "{}", with.stderr);
    // What the disk does alone is measured where the data are known to be.
    let alone = |output: &Output| {
        anyhow::Ok(figures(output)?.iter().any(|(name, _)| name == "messages per second, SQLite alone"))
    };
    ensure!(!alone(&without)? && alone(&with)?, "{}", without.stdout);
    let many = parlance(&[&["bench", "posts", "--senders", "400"], target.as_slice()].concat()).await?;
    ensure!(many.stderr.contains("there are 43 people, not 400"), "{}", many.stderr);
    let arguments = ["--rate-limits", "slack"].map(str::to_owned).to_vec();
    let limited = Sandbox::start_with(Options { arguments, ..Options::default() }).await?;
    let pid = limited.pid().context("no process")?.to_string();
    std::fs::write(&file, seed_of(&limited))?;
    let target = ["--server", limited.url(), "--people-file", &file, "--pid", &pid];
    let limited =
        parlance(&[&["bench", "posts", "--senders", "1", "--topics", "1"], target.as_slice()].concat())
            .await?;
    ensure!(limited.stderr.contains("--rate-limits off"), "{}", limited.stderr);
    Ok(())
}

/// As much of `parlance seed --json` as the load generator reads.
fn seed_of(server: &Sandbox) -> String {
    let person = |person: &harness::sandbox::Person| json!({ "id": person.id, "token": person.token });
    let people: Vec<Value> = server.seed.people.iter().map(person).collect();
    json!({ "people": people, "members": [], "channels": server.seed.channels }).to_string()
}

#[tokio::test]
async fn slow_sessions_are_told_to_pull_and_miss_nothing() -> Result<()> {
    let plots = tempfile::tempdir()?;
    let plots_path = plots.path().to_str().context("a path that is no text")?;
    // Two megabytes for each: more than the queues and buffers of a session hold.
    let size = ["--sessions", "10", "--percent", "20", "--rate", "250", "--bytes", "4000", "--seconds", "2"];
    let arguments =
        [&["bench", "slow", "--json", "--rounds", "1", "--plot", plots_path], size.as_slice()].concat();
    let output = parlance(&arguments).await?;
    ensure!(output.status.success(), "{}", output.stderr);
    let figures = figures(&output)?;
    let value = |name: &str| figures.iter().find(|(figure, _)| figure == name).map(|(_, value)| *value);
    ensure!(value("sessions that were told to pull").is_some_and(|pulled| pulled >= 2.0), "{figures:?}");
    ensure!(value("due → at a quick session, p99").is_some_and(|millis| millis > 0.0), "{figures:?}");
    let picture = std::fs::read_to_string(plots.path().join("latency.svg"))?;
    ensure!(picture.contains("due → at a quick session"), "{picture}");
    Ok(())
}

#[tokio::test]
async fn scheduled_messages_of_one_second_come_once_and_not_early() -> Result<()> {
    let size = ["--channels", "4", "--each", "5", "--people", "3", "--control", "2", "--reads", "20"];
    let output = parlance(&[&["bench", "hour", "--json"], size.as_slice()].concat()).await?;
    ensure!(output.status.success(), "{}", output.stderr);
    let figures = figures(&output)?;
    let value = |name: &str| figures.iter().find(|(figure, _)| figure == name).map(|(_, value)| *value);
    ensure!(value("messages that were due in one second") == Some(20.0), "{figures:?}");
    ensure!(value("post_at → ts of the message, p100").is_some_and(|millis| millis > 0.0), "{figures:?}");
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_run_is_refused() -> Result<()> {
    for arguments in [
        ["bench", "fanout", "--members", "15001"],
        ["bench", "fanout", "--bytes", "3"],
        ["bench", "storm", "--sessions", "0"],
        ["bench", "idle", "--seconds", "0"],
        ["bench", "slow", "--percent", "0"],
        ["bench", "hour", "--each", "30"],
    ] {
        let output = parlance(&arguments).await?;
        ensure!(
            !output.status.success() && output.stderr.contains("is not in"),
            "{arguments:?}: {}",
            output.stderr
        );
    }
    Ok(())
}
