//! `cargo xtask bench`: every figure of the table in docs/bench, measured, written down, drawn, and held to a floor.

mod plot;
mod rows;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::{paths, server, shell, web};
use plot::Bar;
use rows::{Bound, FEWEST, FRAMES, GATEWAY, Kept, MOST, ROWS, Row, Run, number};

const BUILD_WITHIN: Duration = Duration::from_secs(1800);

/// How the table is measured.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// Shorter, and without the rows that take long.
    pub(crate) quick: bool,
    /// Only rows whose label contains this.
    pub(crate) only: Option<String>,
}

/// What was built.
struct Programs {
    parlance: PathBuf,
    gateway: PathBuf,
}

/// What was measured so far.
#[derive(Default)]
struct Table {
    figures: Vec<Value>,
    bars: Vec<Bar>,
    /// What is below its floor, or could not be measured.
    failures: Vec<String>,
}

/// Measures, prints, and writes `docs/bench/latest.json` and `latest.svg`; the exit code says whether every floor holds.
pub(crate) fn bench(options: &Options) -> Result<ExitCode> {
    web::build()?;
    let programs = Programs { parlance: server::build(server::SHIPPED)?, gateway: gateway()? };
    let commit = shell::output("git", &["rev-parse", "--short", "HEAD"]).context("git rev-parse")?;
    let date = shell::output("date", &["--utc", "+%F"]).context("date")?;
    let mut table = Table::default();
    let kept = options.only.is_none() && !options.quick;
    let chosen = ROWS.iter().filter(|row| {
        options.only.as_ref().is_none_or(|only| row.label.contains(only.as_str()))
            && command(row.run, options.quick, &programs).is_some()
    });
    for row in chosen {
        let Some((shown, command)) = command(row.run, options.quick, &programs) else { continue };
        println!("\n── {} ── {shown}", row.label);
        let started = Instant::now();
        match measure(command) {
            Ok(found) => table.add(row, &found, &shown, &commit, &date)?,
            // What was measured before is worth keeping.
            Err(error) => table.fail(format!("{}: {error:#}", row.label)),
        }
        println!("took {:.0} s", started.elapsed().as_secs_f64());
        ensure!(!shell::interrupted(), "interrupted");
        // A run takes half an hour: one that is broken off has been worth something.
        if kept {
            write(&table, &commit, &date)?;
        }
    }
    ensure!(!table.figures.is_empty() || !table.failures.is_empty(), "no row has such a label");
    if let Some(figure) = cost_per_frame(&table.figures) {
        println!("\n{}", line(&figure));
        table.figures.push(with(figure, json!({ "commit": commit, "date": date }))?);
    }
    if kept {
        println!("\nwritten: {}", write(&table, &commit, &date)?);
    }
    if table.failures.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    println!("\nbelow their floor, or not measured:\n{}", table.failures.join("\n"));
    Ok(ExitCode::FAILURE)
}

/// Builds the gateway with faked ports.
fn gateway() -> Result<PathBuf> {
    let mut command = Command::new("cargo");
    command.args(["build", "--profile", server::SHIPPED, "--package", "gateway", "--example", "fanout"]);
    command.current_dir(paths::root());
    shell::must(&mut command, BUILD_WITHIN)?;
    Ok(paths::target().join(server::SHIPPED).join("examples/fanout"))
}

/// The command of a row, and how it is written down; `None`: not in a quick run.
fn command(run: Run, quick: bool, programs: &Programs) -> Option<(String, Command)> {
    match run {
        Run::Parlance { arguments, quick: shorter } => {
            let arguments = if quick { shorter? } else { arguments };
            let mut command = Command::new(&programs.parlance);
            command.arg("bench");
            for argument in arguments.split(' ') {
                let gateway: &Path = &programs.gateway;
                command.arg(if argument == GATEWAY { gateway } else { argument.as_ref() });
            }
            command.arg("--json");
            Some((format!("parlance bench {arguments}"), command))
        }
        Run::IdleTopics => {
            let mut command = Command::new("cargo");
            let arguments = ["bench", "--quiet", "--package", "channel", "--bench", "idle"];
            command.args(arguments).current_dir(paths::root());
            Some((format!("cargo {}", arguments.join(" ")), command))
        }
    }
}

/// Runs it and reads its figures.
fn measure(mut command: Command) -> Result<Vec<Value>> {
    let output = command.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        bail!("it ended with {}", output.status);
    }
    serde_json::from_slice(&output.stdout).context("figures")
}

impl Table {
    /// Keeps of a row's figures what the table has.
    fn add(&mut self, row: &Row, found: &[Value], command: &str, commit: &str, date: &str) -> Result<()> {
        for (number, kept) in row.figures.iter().enumerate() {
            let Some(figure) = find(found, kept) else {
                self.fail(format!("{}: no figure {}", row.label, kept.figure));
                continue;
            };
            let holds = kept.floor.holds(figure);
            println!("{}{}", line(figure), if holds { "" } else { "   BELOW ITS FLOOR" });
            let name = format!("{}: {}", row.label, text(figure, "figure"));
            if !holds {
                self.failures.push(name.clone());
            }
            let (of_goal, of_floor) = (kept.goal.reached(figure), kept.floor.reached(figure));
            // Every row is in the picture, by its first figure if it has no bound at all.
            if of_goal.is_some() || of_floor.is_some() || number == 0 {
                self.bars.push(Bar { name: name.clone(), value: value(figure), of_goal, of_floor });
            }
            let about = json!({
                "figure": name, "floor": kept.floor.json(), "goal": kept.goal.json(),
                "command": command, "commit": commit, "date": date,
            });
            self.figures.push(with(figure.clone(), about)?);
        }
        Ok(())
    }

    fn fail(&mut self, failure: String) {
        println!("NOT MEASURED: {failure}");
        self.failures.push(failure);
    }
}

/// The figure of a name, or else the first whose name begins so.
fn find<'a>(found: &'a [Value], kept: &Kept) -> Option<&'a Value> {
    let exactly = found.iter().find(|figure| text(figure, "figure") == kept.figure);
    exactly.or_else(|| found.iter().find(|figure| text(figure, "figure").starts_with(kept.figure)))
}

/// What a frame costs with the most members, as a part of what it costs with the fewest.
fn cost_per_frame(figures: &[Value]) -> Option<Value> {
    let speed = |label: &str| {
        let name = format!("{label}: {FRAMES}");
        figures.iter().find(|figure| text(figure, "figure") == name).map(|figure| number(figure, "value"))
    };
    let cost = speed(FEWEST)? / speed(MOST)?;
    Some(json!({
        "figure": "cost per frame, full path: 15,000 members to 10", "value": cost, "unit": "×",
        "spread": [cost, cost], "rounds": 1, "floor": Value::Null, "goal": Bound::AtMost(2.0).json(),
    }))
}

/// A figure with further members.
fn with(mut figure: Value, members: Value) -> Result<Value> {
    let (Value::Object(figure_members), Value::Object(more)) = (&mut figure, members) else {
        bail!("a figure that is no object");
    };
    figure_members.extend(more);
    Ok(figure)
}

/// Writes the table and its picture; returns where.
fn write(table: &Table, commit: &str, date: &str) -> Result<String> {
    let folder = paths::root().join("docs/bench");
    let json = folder.join("latest.json");
    std::fs::write(&json, serde_json::to_string_pretty(&table.figures)? + "\n")?;
    let picture = folder.join("latest.svg");
    std::fs::write(&picture, plot::picture(&table.bars, &format!("commit {commit}, {date}"))?)?;
    Ok(format!("{} and {}", json.display(), picture.display()))
}

fn text<'a>(figure: &'a Value, key: &str) -> &'a str {
    figure.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn value(figure: &Value) -> String {
    let ratio =
        figure.get("ratio").and_then(Value::as_f64).map_or(String::new(), |ratio| format!("   ×{ratio:.2}"));
    let value = number(figure, "value");
    let digits = if value.abs() >= 1_000.0 { 0 } else { 2 };
    format!("{value:.digits$} {}{ratio}", text(figure, "unit"))
}

fn line(figure: &Value) -> String {
    format!("{:<60} {}", text(figure, "figure"), value(figure))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figure_of_a_name_comes_before_one_that_begins_so() {
        let found =
            [json!({ "figure": "posts per second, to the log" }), json!({ "figure": "posts per second" })];
        let kept = |figure| Kept { figure, floor: rows::Bound::None, goal: rows::Bound::None };
        assert_eq!(find(&found, &kept("posts per second")), found.get(1));
        assert_eq!(find(&found, &kept("posts per")), found.first());
        assert_eq!(find(&found, &kept("storm")), None);
    }

    #[test]
    fn a_frame_costs_less_where_more_get_it() {
        let speed =
            |label: &str, value: f64| json!({ "figure": format!("{label}: {FRAMES}"), "value": value });
        let figures = [speed(FEWEST, 50.0), speed(MOST, 200.0)];
        assert_eq!(number(&cost_per_frame(&figures).unwrap(), "value"), 0.25);
        assert_eq!(cost_per_frame(figures.get(..1).unwrap()), None, "one of them was not measured");
    }

    #[test]
    fn a_quick_run_has_a_command_for_short_rows_only_and_the_gateways_program_is_named() {
        let programs = Programs { parlance: "/p/parlance".into(), gateway: "/p/fanout".into() };
        let run = Run::Parlance { arguments: "fanout --gateway GATEWAY", quick: None };
        assert!(command(run, true, &programs).is_none());
        let (shown, command) = command(run, false, &programs).unwrap();
        assert_eq!(shown, "parlance bench fanout --gateway GATEWAY");
        let arguments: Vec<_> = command.get_args().collect();
        assert_eq!(arguments, ["bench", "fanout", "--gateway", "/p/fanout", "--json"]);
    }
}
