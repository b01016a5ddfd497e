//! Compares what the server said in the tests with Slack's published types, and with those of `slack-morphism`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::count::Format;
use crate::report::{Verdict, command};
use crate::test::Options;
use crate::{paths, peers, sdk, shell, slack, web};

/// Recordings of the whole test run.
pub(crate) const ALL: &str = "record";
/// Recordings that the page is made of: of tests that say the same each time.
const PAGE: &str = "record-page";

const WITHIN: Duration = Duration::from_secs(600);

/// An empty folder for recordings.
pub(crate) fn fresh(name: &str) -> Result<PathBuf> {
    let folder = paths::target().join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).context("earlier recordings")?;
    }
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Records what the page is made of, compares all recordings, and the page with the committed one (or writes it).
pub(crate) fn check(binary: &Path, options: &Options) -> Result<Verdict> {
    if let Some(missing) = peers::node_missing() {
        return Ok(Verdict::Missing(missing));
    }
    let folder = fresh(PAGE)?;
    let mut tests = Command::new("cargo");
    tests
        .args(["test", "--workspace", "--test", "it", "--quiet", "--"])
        .args(["snapshot::", "realtime::", "people::", "threads::", "later::", "channels::", "content::"])
        .args(["accounts::", "conversations::", "messages::", "rights::", "presence::", "files::"])
        .current_dir(paths::root())
        .env("PARLANCE_BIN", binary)
        .env("PARLANCE_RECORD", &folder)
        .env("PARLANCE_SCRIPT_ONLY", "1");
    shell::must(&mut tests, WITHIN)?;
    if let verdict @ Verdict::Missing(_) = sdk::families(binary, &folder)? {
        return Ok(verdict);
    }
    let methods = Command::new(binary).arg("methods").output().context("parlance methods")?;
    let methods_file = paths::target().join("methods.json");
    std::fs::write(&methods_file, methods.stdout)?;
    let package = paths::root().join("tests/sdk/conformance");
    web::install(package.clone())?;
    let mut selftest = Command::new("node");
    selftest.arg("selftest.mjs").current_dir(&package);
    let trusted = command(&mut selftest, Format::Lines, WITHIN)?;
    let mut check = Command::new("node");
    check.arg("check.mjs").arg(&folder).arg(paths::target().join(ALL)).arg(&methods_file);
    check.arg(paths::root().join("docs/api/compatibility.md")).current_dir(package);
    slack::show(&mut check, options.ci);
    if options.write {
        check.arg("--write");
    }
    let typescript = command(&mut check, Format::Lines, WITHIN);
    let rust = sdk::rust_recordings(&[&folder, &paths::target().join(ALL)]);
    // They are of this program: the next one's must not be compared with them.
    let _ = std::fs::remove_dir_all(paths::target().join(ALL));
    Ok(trusted.and(typescript?).and(rust?))
}
