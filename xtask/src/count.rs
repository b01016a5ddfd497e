//! Reads from what test runners print how many tests passed, failed and were skipped.

use std::ops::AddAssign;

/// Numbers of tests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// Ran and held.
    pub(crate) passed: u64,
    /// Ran and did not hold, or could not be run although they had to.
    pub(crate) failed: u64,
    /// Not run, with a reason that was printed.
    pub(crate) skipped: u64,
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Count) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// Which runner printed the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// The whole command is one test.
    Whole,
    /// Rust's: `test result: ok. 3 passed; 0 failed; 1 ignored; …`
    Libtest,
    /// `Tests  1 failed | 11 passed | 2 skipped (14)`
    Vitest,
    /// `ok NAME`, `not ok NAME: why`, `skip NAME: why`
    Lines,
}

/// Counts. A runner that failed without naming a failed test counts as one failed test, and so does
/// one that names no test at all.
pub(crate) fn count(format: Format, lines: &[String], success: bool) -> Count {
    let mut count = Count::default();
    for line in lines {
        let line = strip_ansi(line);
        count += match format {
            Format::Whole => Count::default(),
            Format::Libtest => libtest(&line),
            Format::Vitest => vitest(&line),
            Format::Lines => plain(&line),
        };
    }
    if format == Format::Whole {
        count.passed = u64::from(success);
    }
    let nothing = count == Count::default();
    if count.failed == 0 && (!success || nothing) {
        count.failed = 1;
    }
    count
}

fn libtest(line: &str) -> Count {
    // A test that finds a peer missing says so past libtest's capture, and returns.
    if line.contains("skipped: ") && !line.starts_with("test ") {
        return Count { skipped: 1, ..Count::default() };
    }
    let Some(numbers) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". ")) else {
        return Count::default();
    };
    let mut count = Count::default();
    for part in numbers.1.split(';') {
        match number_and_word(part.trim()) {
            Some((number, "passed")) => count.passed = number,
            Some((number, "failed")) => count.failed = number,
            Some((number, "ignored")) => count.skipped = number,
            _ => {}
        }
    }
    count
}

/// The tests of which libtest said that they take long, and nothing after that.
pub(crate) fn unfinished(lines: &[String]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for line in lines {
        let Some(rest) = line.strip_prefix("test ") else { continue };
        match rest.split_once(" has been running for over ") {
            Some((name, _)) => names.push(name.to_owned()),
            None => names.retain(|name| !rest.starts_with(&format!("{name} ... "))),
        }
    }
    names
}

/// What failed, and the first line of why, from whichever runner.
pub(crate) fn failures(lines: &[String]) -> Vec<String> {
    let lines: Vec<String> = lines.iter().map(|line| strip_ansi(line)).collect();
    let mut found: Vec<String> = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let next = |at: usize| lines.get(at + 1).map(|line| line.trim()).unwrap_or_default();
        let failure =
            if let Some(name) = line.strip_prefix("test ").and_then(|it| it.strip_suffix(" ... FAILED")) {
                let thread = format!("thread '{name}' ");
                let at =
                    lines.iter().position(|line| line.starts_with(&thread) && line.contains(" panicked at "));
                at.map_or_else(|| name.to_owned(), |at| format!("{name}: {}", next(at)))
            } else if let Some(name) = line.trim_start().strip_prefix("FAIL ") {
                format!("{}: {}", name.trim(), next(number))
            } else if let Some(name) = line.strip_prefix("not ok ") {
                name.to_owned()
            } else {
                continue;
            };
        found.push(failure.chars().take(FAILURE_CHARS).collect());
    }
    found
}

/// As long as what is shown of a failure may be.
const FAILURE_CHARS: usize = 400;

fn vitest(line: &str) -> Count {
    let Some(rest) = line.trim().strip_prefix("Tests ") else { return Count::default() };
    let mut count = Count::default();
    let parts = rest.split('(').next().unwrap_or_default();
    for part in parts.split('|') {
        match number_and_word(part.trim()) {
            Some((number, "passed")) => count.passed += number,
            Some((number, "failed")) => count.failed += number,
            Some((number, "skipped" | "todo")) => count.skipped += number,
            _ => {}
        }
    }
    count
}

fn plain(line: &str) -> Count {
    let passed = u64::from(line.starts_with("ok "));
    let failed = u64::from(line.starts_with("not ok "));
    let skipped = u64::from(line.starts_with("skip "));
    Count { passed, failed, skipped }
}

fn number_and_word(part: &str) -> Option<(u64, &str)> {
    let (number, word) = part.split_once(' ')?;
    Some((number.parse().ok()?, word))
}

fn strip_ansi(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        out.push_str(before);
        let end = after.find(|letter: char| letter.is_ascii_alphabetic()).map_or(after.len(), |at| at + 1);
        rest = after.get(end..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    fn is(passed: u64, failed: u64, skipped: u64) -> Count {
        Count { passed, failed, skipped }
    }

    #[test]
    fn libtest_results_add_up() {
        let text = "test a ... ok\nskipped: full disk: needs root\n\
            test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.02s\n\
            test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.02s";
        assert_eq!(count(Format::Libtest, &lines(text), false), is(4, 2, 2));
    }

    #[test]
    fn vitest_summaries_are_read_through_colour() {
        let vitest = "\u{1b}[2m      Tests \u{1b}[22m \u{1b}[1m\u{1b}[31m1 failed\u{1b}[39m | 11 passed | 2 skipped (14)";
        assert_eq!(count(Format::Vitest, &lines(vitest), false), is(11, 1, 2));
    }

    #[test]
    fn tests_that_did_not_end_are_named() {
        let libtest = "test slow has been running for over 60 seconds\ntest hangs has been running for over 60 seconds\n\
                       test slow ... ok\ntest quick ... ok\nslow\n";
        assert_eq!(unfinished(&lines(libtest)), ["hangs"]);
    }

    #[test]
    fn what_failed_is_named_with_the_reason() {
        let text = "test a::b ... ok\ntest a::c ... FAILED\nthread 'a::c' (7) panicked at src/a.rs:3:5:\nno such thing\n\
                    \u{1b}[41m FAIL \u{1b}[49m e2e/a.test.ts > sends\nAssertionError: expected 1\nnot ok edits: no ts\n\
                    test d ... FAILED";
        let expect =
            ["a::c: no such thing", "e2e/a.test.ts > sends: AssertionError: expected 1", "edits: no ts", "d"];
        assert_eq!(failures(&lines(text)), expect);
    }

    #[test]
    fn plain_lines_are_counted() {
        let text = "ok posts\nnot ok edits: no ts\nskip rtm: no node\nokay\n";
        assert_eq!(count(Format::Lines, &lines(text), false), is(1, 1, 1));
    }

    #[test]
    fn a_runner_that_dies_or_says_nothing_is_a_failure() {
        assert_eq!(count(Format::Libtest, &lines("error: could not compile"), false), is(0, 1, 0));
        assert_eq!(count(Format::Lines, &[], true), is(0, 1, 0));
        assert_eq!(count(Format::Lines, &lines("ok one"), false), is(1, 1, 0));
        assert_eq!(count(Format::Whole, &[], true), is(1, 0, 0));
        assert_eq!(count(Format::Whole, &[], false), is(0, 1, 0));
    }
}
