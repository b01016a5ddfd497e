//! What others publish about Slack and is not ours to ship: samples of its answers, tables of its methods and events.
//! Tests use it where it lies beside the clone; whoever has none loses the checks that need it and nothing else.

use std::path::PathBuf;
use std::process::Command;

use crate::paths;

/// A folder of it.
struct Folder {
    /// The variable that tells tests where it is.
    variable: &'static str,
    /// Where it may lie, from the project's root.
    beside: &'static str,
    /// A part of the names of the tests that need it.
    tests: &'static str,
}

const FOLDERS: [Folder; 2] = [
    Folder {
        variable: "PARLANCE_SLACK_SAMPLES",
        beside: "../shared/reference/slack-api/samples",
        tests: "has_slacks_type",
    },
    Folder {
        variable: "PARLANCE_SLACK_TABLES",
        beside: "../shared/reference/slack-api",
        tests: "every_code_of_slack",
    },
];

impl Folder {
    /// Where it is; nothing if there is none.
    fn found(&self) -> Option<PathBuf> {
        let named = std::env::var_os(self.variable).map(PathBuf::from);
        named.or_else(|| Some(paths::root().join(self.beside)).filter(|folder| folder.is_dir()))
    }
}

/// Shows a run of libtest what there is. What needs the rest says that it is skipped, and in CI is left out by name.
pub(crate) fn show_libtest(test: &mut Command, ci: bool) {
    for folder in &FOLDERS {
        match folder.found() {
            Some(found) => drop(test.env(folder.variable, found)),
            None if ci => {
                println!("    left out: *{}: no {} beside the clone", folder.tests, folder.beside);
                test.args(["--skip", folder.tests]);
            }
            None => {}
        }
    }
}

/// Shows a program of `tests/sdk` what there is. It says that it skips the rest, in CI as a note.
pub(crate) fn show(program: &mut Command, ci: bool) {
    for folder in &FOLDERS {
        match folder.found() {
            Some(found) => drop(program.env(folder.variable, found)),
            None if ci => drop(program.env(folder.variable, "")),
            None => {}
        }
    }
}
