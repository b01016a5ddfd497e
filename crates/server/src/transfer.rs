//! The commands that copy a whole store: `migrate`, `restore`, and `backup` of a PostgreSQL store.

use std::{
    ops::ControlFlow,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use model::WorkspaceId;
use runtime::Clock;
use store::transfer::{self, Migrated, Stage, Step, TransferError, Verified};

use crate::{
    cli::{say, say_error},
    config::Config,
    stores::is_postgres,
};

/// How long a copy may be silent between two tenths.
const TELL_EVERY: Duration = Duration::from_secs(30);

/// `parlance migrate`. `data` is the directory that servers on the database will have.
///
/// # Errors
/// A sentence for the operator.
pub async fn migrate(config: &Config, from: &Path, data: &Path) -> anyhow::Result<()> {
    ensure!(is_postgres(&config.store), "--store says where to: postgres://user@host/database");
    let mut shown = Shown::start();
    let migrated = transfer::migrate(from, &config.store, &mut |step| shown.step(&step)).await;
    let (from, data) = (from.display(), data.display());
    match migrated.map_err(goes_on).with_context(|| format!("{from} was not moved"))? {
        Migrated::Moved(verified) => say(&in_words(&verified)),
        Migrated::Before => say("It was copied and compared before."),
    }
    say(&format!(
        "The database has taken over. Start servers on it, with the same --store:\n\n  \
         parlance serve --data {data} --store …\n\n\
         The store in {from} takes no more writes and is otherwise as it was. To go back to it, without what is \
         written to the database from now on: stop those servers, then\n\n  \
         parlance restore --in-place --take-back --data {from}"
    ));
    Ok(())
}

/// `parlance backup` of a PostgreSQL store.
///
/// # Errors
/// A sentence for the operator.
pub async fn backup(store: &str, to: &Path) -> anyhow::Result<()> {
    let mut shown = Shown::start();
    let verified = transfer::backup(store, to, &mut |step| shown.step(&step)).await?;
    say_error(&in_words(&verified));
    say_error(&format!("{} is complete", to.display()));
    Ok(())
}

/// `parlance restore --from`.
///
/// # Errors
/// A sentence for the operator.
pub async fn restore(config: &Config, from: &Path, take_back: bool) -> anyhow::Result<()> {
    let url = is_postgres(&config.store).then_some(config.store.as_str());
    let mut shown = Shown::start();
    let now = Clock::system().now_us();
    let data = Path::new(&config.data);
    let restored = transfer::restore(from, data, url, take_back, now, &mut |step| shown.step(&step)).await;
    let restored = match url {
        Some(_) => restored.map_err(goes_on),
        None => restored.map_err(explained),
    };
    let restored = restored.with_context(|| format!("{} was not restored", from.display()))?;
    match restored.verified {
        Some(verified) => say(&in_words(&verified)),
        None => say("It was copied and compared before."),
    }
    say("Every topic has a new generation: clients start from a snapshot.");
    say_elsewhere(&restored.elsewhere);
    Ok(())
}

/// `parlance restore --in-place`.
///
/// # Errors
/// A sentence for the operator.
pub async fn raise_generations(config: &Config, take_back: bool) -> anyhow::Result<()> {
    let url = is_postgres(&config.store).then_some(config.store.as_str());
    let now = Clock::system().now_us();
    let raised = transfer::raise_generations(Path::new(&config.data), url, take_back, now).await;
    let raised = raised.map_err(explained)?;
    if raised.topics == 0 {
        bail!("the store is empty: there was nothing to restore");
    }
    say(&format!("{} topics have a new generation: clients start from a snapshot.", raised.topics));
    say_elsewhere(&raised.elsewhere);
    Ok(())
}

fn say_elsewhere(workspaces: &[WorkspaceId]) {
    if workspaces.is_empty() {
        return;
    }
    let names: Vec<String> = workspaces.iter().map(ToString::to_string).collect();
    say(&format!(
        "These workspaces had moved to another database and take no writes here: {}. If that one is given up, add \
         --take-back.",
        names.join(", ")
    ));
}

/// Adds what to do.
fn explained(error: TransferError) -> anyhow::Error {
    let in_use = matches!(error, TransferError::Open(store::OpenError::Locked { .. }));
    let error = anyhow::Error::new(error);
    if in_use {
        error.context("stop the server first: this needs the data directory to itself")
    } else {
        error
    }
}

/// As [`explained`], where the same command goes on.
fn goes_on(error: TransferError) -> anyhow::Error {
    match error {
        TransferError::Stopped => {
            anyhow::anyhow!("stopped before the end; the same command goes on where it was")
        }
        TransferError::Differs { .. } => anyhow::Error::new(error).context(
            "nothing was switched over; empty the database and copy again, and if it differs again, report it",
        ),
        _ => explained(error),
    }
}

fn in_words(verified: &Verified) -> String {
    let Verified { topics, messages, rows } = verified;
    format!("Compared by hash and the same on both sides: {topics} topics, {messages} messages, {rows} rows.")
}

/// What the operator sees of a copy, and Ctrl-C.
struct Shown {
    stop: Arc<AtomicBool>,
    lines: Lines,
}

impl Shown {
    fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&stop);
        // Ends with the command. Without it Ctrl-C kills the process, which harms nothing either.
        tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                asked.store(true, Ordering::Relaxed);
            }
        });
        Self { stop, lines: Lines::default() }
    }

    fn step(&mut self, step: &Step) -> ControlFlow<()> {
        if let Some(line) = self.lines.next(step, Instant::now()) {
            say_error(&line);
        }
        if self.stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Decides when there is something to say: at each tenth, or after a while.
#[derive(Default)]
struct Lines {
    open: Option<Open>,
}

/// The stage at hand.
struct Open {
    stage: Stage,
    began: Instant,
    /// What was done before it began.
    before: u64,
    tenth: u64,
    said: Instant,
}

impl Lines {
    fn next(&mut self, step: &Step, now: Instant) -> Option<String> {
        let tenth = step.done.saturating_mul(10).checked_div(step.all).unwrap_or(10);
        let Some(open) = self.open.as_mut().filter(|open| open.stage == step.stage) else {
            // What an earlier run did is in the first step: it is neither news nor this run's speed.
            self.open = Some(Open { stage: step.stage, began: now, before: step.done, tenth, said: now });
            return None;
        };
        if tenth <= open.tenth && now.duration_since(open.said) < TELL_EVERY {
            return None;
        }
        (open.tenth, open.said) = (tenth, now);
        let (stage, what) = match step.stage {
            Stage::CopyingPages => ("copied", "pages"),
            Stage::Copying => ("copied", "rows"),
            Stage::Verifying => ("compared", "rows"),
        };
        let percent = step.done.saturating_mul(100).checked_div(step.all).unwrap_or(100);
        let rows = u128::from(step.done.saturating_sub(open.before));
        let ms = now.duration_since(open.began).as_millis().max(1);
        let rate = rows * 1_000 / ms;
        let left = u128::from(step.all.saturating_sub(step.done)).checked_div(rate);
        let left = match left {
            Some(0) | None => String::new(),
            Some(seconds) => format!(", about {seconds} s left"),
        };
        let table = if step.table.is_empty() { String::new() } else { format!(" ({})", step.table) };
        Some(format!(
            "{percent} % {stage}: {} of {} {what}, {rate} a second{left}{table}",
            step.done, step.all
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_at_each_tenth_or_after_a_while() {
        let began = Instant::now();
        let mut lines = Lines::default();
        let mut at = |stage, done, ms| {
            let step = Step { stage, table: "events".to_owned(), done, all: 1_000 };
            lines.next(&step, began + Duration::from_millis(ms))
        };
        assert_eq!(at(Stage::Copying, 0, 0), None);
        assert_eq!(at(Stage::Copying, 99, 900), None);
        let line = "10 % copied: 100 of 1000 rows, 100 a second, about 9 s left (events)";
        assert_eq!(at(Stage::Copying, 100, 1_000).as_deref(), Some(line));
        assert_eq!(at(Stage::Copying, 150, 1_100), None);
        assert!(at(Stage::Copying, 150, 31_000).is_some(), "half a minute");
        let end = at(Stage::Copying, 1_000, 32_000);
        assert_eq!(end.as_deref(), Some("100 % copied: 1000 of 1000 rows, 31 a second (events)"));
        assert_eq!(at(Stage::Verifying, 0, 32_000), None);
        assert!(at(Stage::Verifying, 100, 33_000).is_some_and(|line| line.starts_with("10 % compared")));
    }
}
