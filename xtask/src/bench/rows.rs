//! The table: what is run, what of it is kept, and where figures must be.

use serde_json::{Value, json};

/// What is run, and what of its figures is kept.
pub(super) struct Row {
    /// What stands before each figure's name.
    pub(super) label: &'static str,
    pub(super) run: Run,
    pub(super) figures: &'static [Kept],
}

/// What is run.
#[derive(Clone, Copy)]
pub(super) enum Run {
    /// `parlance bench`
    Parlance {
        /// Its arguments. [`GATEWAY`] stands for the gateway's program.
        arguments: &'static str,
        /// The same for `--quick`; none: it takes too long.
        quick: Option<&'static str>,
    },
    /// `cargo bench -p channel --bench idle`
    IdleTopics,
}

/// Stands for the program of the gateway alone.
pub(super) const GATEWAY: &str = "GATEWAY";

/// A figure, where it must not go, and where it is meant to go.
pub(super) struct Kept {
    /// Its name begins with this.
    pub(super) figure: &'static str,
    /// What a busy machine still reaches: beyond it something is broken.
    pub(super) floor: Bound,
    pub(super) goal: Bound,
}

/// A side of a number.
#[derive(Clone, Copy)]
pub(super) enum Bound {
    /// It is shown only.
    None,
    /// The ratio to the baseline of the same run must reach this.
    Ratio(f64),
    /// The ratio must not exceed this: cost, not speed.
    RatioAtMost(f64),
    /// The value must not exceed this.
    AtMost(f64),
}

impl Bound {
    /// Whether a figure is on the right side. One that is no number is not.
    pub(super) fn holds(self, figure: &Value) -> bool {
        match self {
            Self::None => true,
            Self::Ratio(least) => number(figure, "ratio") >= least,
            Self::RatioAtMost(most) => number(figure, "ratio") <= most,
            Self::AtMost(most) => number(figure, "value") <= most,
        }
    }

    /// How much of the bound a figure reaches: 1 is on it, more is better. `None`: there is no bound.
    pub(super) fn reached(self, figure: &Value) -> Option<f64> {
        match self {
            Self::None => None,
            Self::Ratio(least) => Some(number(figure, "ratio") / least),
            Self::RatioAtMost(most) => Some(most / number(figure, "ratio")),
            Self::AtMost(most) => Some(most / number(figure, "value")),
        }
    }

    pub(super) fn json(self) -> Value {
        match self {
            Self::None => Value::Null,
            Self::Ratio(least) => json!({ "ratio_at_least": least }),
            Self::RatioAtMost(most) => json!({ "ratio_at_most": most }),
            Self::AtMost(most) => json!({ "value_at_most": most }),
        }
    }
}

/// A member of a figure that is a number.
pub(super) fn number(figure: &Value, key: &str) -> f64 {
    figure.get(key).and_then(Value::as_f64).unwrap_or(f64::NAN)
}

const fn kept(figure: &'static str, floor: Bound, goal: Bound) -> Kept {
    Kept { figure, floor, goal }
}

const fn shown(figure: &'static str) -> Kept {
    kept(figure, Bound::None, Bound::None)
}

const fn parlance(arguments: &'static str, quick: Option<&'static str>) -> Run {
    Run::Parlance { arguments, quick }
}

/// Frames per CPU second of the whole server: the figure of the rows of fan-out.
pub(super) const FRAMES: &str = "frames per server CPU second, full path";
const LIMIT: Kept = shown("frames per CPU second, limit");
const MESSAGES: Kept = shown("messages per second");
const ALONE: &str = "frames per CPU second, gateway alone";

const FULL_PATH: &[Kept] = &[shown(FRAMES), LIMIT, MESSAGES];
const SINGLE: &[Kept] = &[
    kept(FRAMES, Bound::Ratio(0.45), Bound::Ratio(0.6)),
    kept(ALONE, Bound::Ratio(0.5), Bound::Ratio(0.9)),
    shown("frames per CPU second, uWebSockets.js"),
    LIMIT,
    MESSAGES,
];
const BURSTS: &[Kept] = &[
    shown(FRAMES),
    kept(ALONE, Bound::Ratio(0.4), Bound::Ratio(0.8)),
    shown("frames per CPU second, uWebSockets.js"),
    kept("gateway alone beside uWebSockets.js", Bound::Ratio(0.5), Bound::Ratio(1.0)),
    shown("full path beside uWebSockets.js"),
    LIMIT,
    MESSAGES,
];
/// SQLite alone is an order of magnitude faster with one topic, HTTP is not.
const POSTS_ONE: &[Kept] = &posts(0.02);
const POSTS_MANY: &[Kept] = &posts(0.2);
const fn posts(floor: f64) -> [Kept; 8] {
    [
        kept("posts acknowledged per second", Bound::Ratio(floor), Bound::Ratio(0.5)),
        shown("messages per second, SQLite alone"),
        shown("requests per second, HTTP alone"),
        shown("posts acknowledged per second, to HTTP and SQLite on one core"),
        shown("posts acknowledged per second, to the log"),
        shown("records per second, append-only log alone"),
        shown("server CPU per post"),
        shown("sent → acknowledged, p99"),
    ]
}

/// Members of the rows whose costs per frame are compared.
pub(super) const FEWEST: &str = "10 members, single";
/// The most of them.
pub(super) const MOST: &str = "15,000 members, single";

/// The table.
pub(super) const ROWS: &[Row] = &[
    Row { label: FEWEST, run: parlance("fanout --members 10 --window 2", None), figures: FULL_PATH },
    Row {
        label: "100 members, single",
        run: parlance("fanout --members 100 --window 2", None),
        figures: FULL_PATH,
    },
    Row {
        label: "1,000 members, single",
        run: parlance(
            "fanout --members 1000 --window 2 --gateway GATEWAY --peer uws --rounds 5",
            Some("fanout --members 1000 --window 2 --gateway GATEWAY --peer uws --seconds 2 --rounds 2"),
        ),
        figures: SINGLE,
    },
    Row {
        label: "1,000 members, bursts",
        run: parlance(
            "fanout --members 1000 --window 32 --gateway GATEWAY --peer uws --peer sio",
            Some("fanout --members 1000 --window 32 --gateway GATEWAY --peer uws --seconds 2 --rounds 2"),
        ),
        figures: BURSTS,
    },
    Row {
        label: "10,000 members, single",
        run: parlance("fanout --members 10000 --window 2 --gateway GATEWAY --peer uws", None),
        figures: SINGLE,
    },
    Row {
        label: "10,000 members, bursts",
        run: parlance("fanout --members 10000 --window 32 --gateway GATEWAY --peer uws", None),
        figures: BURSTS,
    },
    Row {
        label: MOST,
        run: parlance("fanout --members 15000 --window 2", None),
        figures: &[kept(FRAMES, Bound::Ratio(0.4), Bound::None), LIMIT, MESSAGES],
    },
    Row {
        label: "10 members, 500 messages/s",
        run: parlance(
            "fanout --members 10 --rate 500",
            Some("fanout --members 10 --rate 500 --seconds 3 --rounds 1"),
        ),
        figures: &[
            kept("due → at a session, p50, beyond two fdatasync", Bound::AtMost(20.0), Bound::AtMost(0.5)),
            kept("due → at a session, p99", Bound::None, Bound::AtMost(5.0)),
            shown("due → at a session, p50"),
            shown("due → acknowledged, p50"),
            shown("one fdatasync"),
        ],
    },
    Row {
        label: "1,000 members, 20 messages/s",
        run: parlance(
            "fanout --members 1000 --rate 20 --rounds 7",
            Some("fanout --members 1000 --rate 20 --seconds 3 --rounds 1"),
        ),
        figures: &[
            kept("due → at a session, p99, to the limit", Bound::None, Bound::RatioAtMost(1.5)),
            shown("due → at a session, p50"),
            shown("due → at a session, limit, p99"),
        ],
    },
    Row {
        label: "1,000 senders, 1 topic",
        run: parlance("posts --topics 1", Some("posts --topics 1 --seconds 2 --rounds 2")),
        figures: POSTS_ONE,
    },
    Row {
        label: "1,000 senders, 1,000 topics",
        run: parlance("posts --topics 1000", Some("posts --topics 1000 --seconds 2 --rounds 2")),
        figures: POSTS_MANY,
    },
    Row {
        label: "1,000 senders, 10,000 topics",
        run: parlance("posts --topics 10000", None),
        figures: POSTS_MANY,
    },
    Row {
        label: "idle",
        run: parlance("idle --sessions 10000", Some("idle --sessions 2000 --seconds 3")),
        figures: &[
            kept("resident memory per session", Bound::AtMost(8.0), Bound::AtMost(2.5)),
            kept("memory per session, both", Bound::AtMost(16.0), Bound::AtMost(8.0)),
            shown("CPU while nothing happens"),
        ],
    },
    Row {
        label: "idle topics",
        run: Run::IdleTopics,
        figures: &[
            kept("resident memory per idle topic, one gateway", Bound::AtMost(320.0), Bound::AtMost(200.0)),
            shown("resident memory per idle topic, each further gateway"),
        ],
    },
    Row {
        label: "storm of 10,000",
        run: parlance("storm --sessions 10000", Some("storm --sessions 1000")),
        figures: &[
            kept("from the first connection", Bound::AtMost(60.0), Bound::AtMost(10.0)),
            kept("server CPU per session", Bound::RatioAtMost(60.0), Bound::RatioAtMost(4.0)),
        ],
    },
    Row {
        label: "one in ten is slow",
        run: parlance("slow", Some("slow --seconds 3 --rounds 1 --bytes 2000")),
        figures: &[
            kept("due → at a quick session, p99, to nobody slow", Bound::RatioAtMost(5.0), Bound::None),
            kept("resident memory per slow session", Bound::AtMost(2_048.0), Bound::None),
            shown("until slow sessions have everything"),
        ],
    },
    Row {
        label: "top of the hour",
        run: parlance("hour", Some("hour --channels 100 --control 3")),
        figures: &[
            shown("post_at → at a session, p50"),
            kept("post_at → at a session, p99", Bound::AtMost(10_000.0), Bound::None),
            shown("scheduled messages posted per second"),
            shown("due → read, at the top of the hour, p99"),
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_below_its_floor_fails() {
        let figure = json!({ "value": 3.0, "ratio": 0.5 });
        assert!(Bound::Ratio(0.5).holds(&figure) && !Bound::Ratio(0.51).holds(&figure));
        assert!(Bound::AtMost(3.0).holds(&figure) && !Bound::AtMost(2.9).holds(&figure));
        assert!(!Bound::RatioAtMost(0.4).holds(&figure));
        assert!(!Bound::Ratio(0.0).holds(&json!({ "value": 1.0 })), "no ratio is no speed");
    }

    #[test]
    fn what_is_better_reaches_more_on_either_side() {
        let figure = json!({ "value": 100.0, "ratio": 0.5 });
        assert_eq!(Bound::Ratio(0.25).reached(&figure), Some(2.0));
        assert_eq!(Bound::RatioAtMost(0.25).reached(&figure), Some(0.5));
        assert_eq!(Bound::AtMost(200.0).reached(&figure), Some(2.0));
        assert_eq!(Bound::None.reached(&figure), None);
    }

    #[test]
    fn each_row_is_called_by_one_name_and_the_compared_ones_are_there() {
        let labels: std::collections::BTreeSet<_> = ROWS.iter().map(|row| row.label).collect();
        assert_eq!(labels.len(), ROWS.len());
        for label in [FEWEST, MOST] {
            let row = ROWS.iter().find(|row| row.label == label).unwrap();
            assert!(row.figures.iter().any(|kept| kept.figure == FRAMES), "{label}");
        }
    }
}
