//! `cargo xtask bench`: every figure of the table in docs/bench, measured, written down, and held to a floor.
//!
//! A floor is what a busy machine still reaches, not the goal: below it something is broken.

use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::{paths, server, shell, web};

/// What is run, and what of its figures is kept.
struct Row {
    /// What stands before each figure's name.
    label: &'static str,
    /// Arguments of `parlance bench`.
    arguments: &'static str,
    /// Left out of `--quick`.
    long: bool,
    figures: &'static [Kept],
}

/// A figure, and where it must not go.
struct Kept {
    /// Its name begins with this.
    figure: &'static str,
    floor: Floor,
}

#[derive(Clone, Copy)]
enum Floor {
    /// It is shown only.
    None,
    /// The ratio to the baseline of the same run must reach this.
    Ratio(f64),
    /// The ratio must not exceed this: cost, not speed.
    RatioAtMost(f64),
    /// The value must not exceed this.
    AtMost(f64),
}

const FRAMES: &str = "frames per server CPU second, full path";
const LIMIT: Kept = Kept { figure: "frames per CPU second, limit", floor: Floor::None };
const MESSAGES: Kept = Kept { figure: "messages per second", floor: Floor::None };

const ROWS: &[Row] = &[
    Row {
        label: "10 members, single",
        arguments: "fanout --members 10 --window 2",
        long: true,
        figures: &[Kept { figure: FRAMES, floor: Floor::None }, LIMIT, MESSAGES],
    },
    Row {
        label: "100 members, single",
        arguments: "fanout --members 100 --window 2",
        long: true,
        figures: &[Kept { figure: FRAMES, floor: Floor::None }, LIMIT, MESSAGES],
    },
    Row {
        label: "1,000 members, single",
        arguments: "fanout --members 1000 --window 2",
        long: false,
        figures: &[Kept { figure: FRAMES, floor: Floor::Ratio(0.45) }, LIMIT, MESSAGES],
    },
    Row {
        label: "1,000 members, bursts",
        arguments: "fanout --members 1000 --window 32",
        long: false,
        figures: &[Kept { figure: FRAMES, floor: Floor::None }, LIMIT, MESSAGES],
    },
    Row {
        label: "10,000 members, single",
        arguments: "fanout --members 10000 --window 2",
        long: true,
        figures: &[Kept { figure: FRAMES, floor: Floor::Ratio(0.45) }, LIMIT, MESSAGES],
    },
    Row {
        label: "10,000 members, bursts",
        arguments: "fanout --members 10000 --window 32",
        long: true,
        figures: &[Kept { figure: FRAMES, floor: Floor::None }, LIMIT, MESSAGES],
    },
    Row {
        label: "15,000 members, single",
        arguments: "fanout --members 15000 --window 2",
        long: true,
        figures: &[Kept { figure: FRAMES, floor: Floor::Ratio(0.4) }, LIMIT, MESSAGES],
    },
    Row {
        label: "10 members, 500 messages/s",
        arguments: "fanout --members 10 --rate 500",
        long: false,
        figures: &[
            Kept { figure: "due → at a session, p50", floor: Floor::AtMost(20.0) },
            Kept { figure: "due → at a session, p99", floor: Floor::None },
            Kept { figure: "due → acknowledged, p50", floor: Floor::None },
            Kept { figure: "one fdatasync", floor: Floor::None },
        ],
    },
    Row {
        label: "1,000 members, 20 messages/s",
        arguments: "fanout --members 1000 --rate 20",
        long: false,
        figures: &[
            Kept { figure: "due → at a session, p50", floor: Floor::None },
            Kept { figure: "due → at a session, p99", floor: Floor::None },
            Kept { figure: "due → at a session, limit, p99", floor: Floor::None },
        ],
    },
    Row { label: "1,000 senders, 1 topic", arguments: "posts --topics 1", long: false, figures: POSTS },
    Row {
        label: "1,000 senders, 1,000 topics",
        arguments: "posts --topics 1000",
        long: false,
        figures: POSTS,
    },
    Row {
        label: "1,000 senders, 10,000 topics",
        arguments: "posts --topics 10000",
        long: true,
        figures: POSTS,
    },
    Row {
        label: "idle",
        arguments: "idle --sessions 10000",
        long: false,
        figures: &[
            Kept { figure: "resident memory per session", floor: Floor::AtMost(8.0) },
            Kept { figure: "CPU while nothing happens", floor: Floor::None },
        ],
    },
    Row {
        label: "storm of 10,000",
        arguments: "storm --sessions 10000",
        long: false,
        figures: &[
            Kept { figure: "from the first connection", floor: Floor::AtMost(60.0) },
            Kept { figure: "server CPU per session", floor: Floor::RatioAtMost(40.0) },
        ],
    },
];

const POSTS: &[Kept] = &[
    Kept { figure: "posts acknowledged per second", floor: Floor::Ratio(0.05) },
    Kept { figure: "messages per second, SQLite alone", floor: Floor::None },
    Kept { figure: "server CPU per post", floor: Floor::None },
    Kept { figure: "sent → acknowledged, p99", floor: Floor::None },
];

/// How the table is measured.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// Without the rows that take long.
    pub(crate) quick: bool,
    /// Only rows whose label contains this.
    pub(crate) only: Option<String>,
}

/// Measures, prints and writes `docs/bench/latest.json`; the exit code says whether every floor holds.
pub(crate) fn bench(options: &Options) -> Result<ExitCode> {
    web::build()?;
    let binary = server::build()?;
    let commit = shell::output("git", &["rev-parse", "--short", "HEAD"]).context("git rev-parse")?;
    let date = shell::output("date", &["--utc", "+%F"]).context("date")?;
    let chosen = ROWS.iter().filter(|row| {
        let named = options.only.as_ref().is_none_or(|only| row.label.contains(only.as_str()));
        named && !(options.quick && row.long)
    });
    let (mut all, mut below) = (Vec::new(), Vec::new());
    for row in chosen {
        println!("\n── {} ── parlance bench {}", row.label, row.arguments);
        let started = Instant::now();
        let output = Command::new(&binary)
            .arg("bench")
            .args(row.arguments.split(' '))
            .arg("--json")
            .stderr(Stdio::inherit())
            .output()?;
        ensure!(output.status.success(), "parlance bench {}: {}", row.arguments, output.status);
        let figures: Vec<Value> = serde_json::from_slice(&output.stdout).context("figures")?;
        for kept in row.figures {
            let found = figures.iter().find(|figure| text(figure, "figure").starts_with(kept.figure));
            let mut figure =
                found.with_context(|| format!("{}: no figure {}", row.label, kept.figure))?.clone();
            let holds = holds(kept.floor, &figure);
            println!("{}{}", shown(&figure), if holds { "" } else { "   BELOW ITS FLOOR" });
            if !holds {
                below.push(format!("{}: {}", row.label, kept.figure));
            }
            let name = format!("{}: {}", row.label, text(&figure, "figure"));
            let members = figure.as_object_mut().context("a figure that is no object")?;
            members.insert("figure".to_owned(), json!(name));
            members.insert("floor".to_owned(), floor(kept.floor));
            members.insert("command".to_owned(), json!(format!("parlance bench {}", row.arguments)));
            members.insert("commit".to_owned(), json!(commit));
            members.insert("date".to_owned(), json!(date));
            all.push(figure);
        }
        println!("took {:.0} s", started.elapsed().as_secs_f64());
    }
    ensure!(!all.is_empty(), "no row has such a label");
    if options.only.is_none() && !options.quick {
        let path = paths::root().join("docs/bench/latest.json");
        std::fs::write(&path, serde_json::to_string_pretty(&all)? + "\n")?;
        println!("\nwritten: {}", path.display());
    }
    if below.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    println!("\nbelow their floor:\n{}", below.join("\n"));
    Ok(ExitCode::FAILURE)
}

fn text<'a>(figure: &'a Value, key: &str) -> &'a str {
    figure.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn number(figure: &Value, key: &str) -> f64 {
    figure.get(key).and_then(Value::as_f64).unwrap_or(f64::NAN)
}

/// Whether a figure is on the right side. One that is no number is not.
fn holds(floor: Floor, figure: &Value) -> bool {
    match floor {
        Floor::None => true,
        Floor::Ratio(least) => number(figure, "ratio") >= least,
        Floor::RatioAtMost(most) => number(figure, "ratio") <= most,
        Floor::AtMost(most) => number(figure, "value") <= most,
    }
}

fn floor(floor: Floor) -> Value {
    match floor {
        Floor::None => Value::Null,
        Floor::Ratio(least) => json!({ "ratio_at_least": least }),
        Floor::RatioAtMost(most) => json!({ "ratio_at_most": most }),
        Floor::AtMost(most) => json!({ "value_at_most": most }),
    }
}

fn shown(figure: &Value) -> String {
    let ratio =
        figure.get("ratio").and_then(Value::as_f64).map_or(String::new(), |ratio| format!("   ×{ratio:.2}"));
    format!(
        "{:<56} {:>12.2} {}{ratio}",
        text(figure, "figure"),
        number(figure, "value"),
        text(figure, "unit")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_below_its_floor_fails() {
        let figure = json!({ "value": 3.0, "ratio": 0.5 });
        assert!(holds(Floor::Ratio(0.5), &figure) && !holds(Floor::Ratio(0.51), &figure));
        assert!(holds(Floor::AtMost(3.0), &figure) && !holds(Floor::AtMost(2.9), &figure));
        assert!(!holds(Floor::RatioAtMost(0.4), &figure));
        assert!(!holds(Floor::Ratio(0.0), &json!({ "value": 1.0 })), "no ratio is no speed");
    }

    #[test]
    fn each_row_is_called_by_one_name() {
        let labels: std::collections::BTreeSet<_> = ROWS.iter().map(|row| row.label).collect();
        assert_eq!(labels.len(), ROWS.len());
    }
}
