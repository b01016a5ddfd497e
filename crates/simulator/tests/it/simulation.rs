use std::{ops::Range, time::Instant};

use crate::run::{first_bad, run};

/// Seeds of every run of the tests.
const SEEDS: Range<u64> = 1..61;
/// Seeds of a long run.
const SEEDS_LONG: Range<u64> = 1..4_001;
/// Seeds that a bug may hide from.
const SEEDS_PER_MUTANT: Range<u64> = 1..101;
/// Seeds that once found something, and what.
const ONCE_FAILED: [(u64, &str); 5] = [
    (69, "what a Channel Server held went before what was read, with the text of a deleted message"),
    (714, "a head was forgotten although nobody had taken it"),
    (3_708, "the publisher waited for an answer that a broken network had lost, and all for the publisher"),
    (
        3_901,
        "a slow session that left a channel and came back was told to pull, but not beyond where it stood",
    ),
    (11_495, "a page that had been read for another session showed a message that was deleted since"),
];
/// Bugs put in on purpose; `mutants.rs` says what each is.
const MUTANTS: [&str; 13] = [
    "publish-before-commit",
    "commit-not-synced",
    "checkpoint-not-synced",
    "publish-from-request",
    "no-sweep",
    "resume-off-by-one",
    "dedupe-by-cache",
    "subscribe-at-head",
    "batch-set-wise",
    "deleted-replayed",
    "removed-still-hears",
    "join-forgotten",
    "unknown-as-refused",
];

fn is_long() -> bool {
    std::env::var_os("PARLANCE_LONG").is_some()
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in [2, 7, 10, 18] {
        let (once, again) = (run(seed, &["--trace"]), run(seed, &["--trace"]));
        assert!(once.output.lines().count() > 1_000, "seed {seed} did next to nothing:\n{}", once.output);
        let differs = once.output.lines().zip(again.output.lines()).find(|(one, two)| one != two);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(once.output.len(), again.output.len(), "seed {seed}");
    }
    let digest = |seed| run(seed, &[]).output.split_whitespace().nth(2).map(str::to_owned);
    assert_ne!(digest(2), digest(3), "two seeds are one run");
}

#[test]
fn no_seed_breaks_a_promise() {
    let seeds = if is_long() { SEEDS_LONG } else { SEEDS };
    let count = seeds.end - seeds.start;
    let began = Instant::now();
    if let Some(bad) = first_bad(seeds, &[]).first() {
        println!("{}", bad.output);
        panic!("once more: sim --seed {} --trace", bad.seed);
    }
    println!("{count} seeds without a violation in {} s", began.elapsed().as_secs());
}

#[test]
fn no_seed_that_once_failed_fails_again() {
    for (seed, what) in ONCE_FAILED {
        let run = run(seed, &[]);
        assert!(run.good, "{what}:\n{}", run.output);
    }
}

#[test]
fn each_bug_put_in_on_purpose_is_found() {
    let mut missed = Vec::new();
    for mutant in MUTANTS {
        let found = first_bad(SEEDS_PER_MUTANT, &["--mutant", mutant]);
        let Some(found) = found.first() else {
            missed.push(mutant);
            continue;
        };
        let what = found.output.lines().find(|line| line.starts_with("violation: "));
        // A run that could not be made found nothing.
        let what = what.unwrap_or_else(|| panic!("{mutant}: {}", found.output));
        println!("{mutant:<22} seed {:>3}: {what}", found.seed);
    }
    assert!(missed.is_empty(), "nobody finds {missed:?}");
}
