//! Runs the programs of `tests/sdk`: unmodified SDKs against a started binary, each with a fresh one.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::count::Format;
use crate::report::{Verdict, command};
use crate::{paths, peers, server, shell, web};

/// Extra members: enough for several pages of people.
const MEMBERS: u32 = 12;

const PROGRAM_WITHIN: Duration = Duration::from_secs(180);
const BUILD_WITHIN: Duration = Duration::from_secs(900);

/// `@slack/web-api` or `@slack/rtm-api`.
pub(crate) fn node(binary: &Path, program: &str) -> Result<Verdict> {
    if let Some(missing) = peers::node_missing() {
        return Ok(Verdict::Missing(missing));
    }
    let folder = paths::root().join("tests/sdk/node");
    web::install(folder.clone())?;
    let mut run = Command::new("node");
    run.arg(program).current_dir(folder);
    with_server(binary, program, &mut run)
}

/// The program of each family of methods, with its answers recorded in `folder`.
pub(crate) fn families(binary: &Path, folder: &Path) -> Result<Verdict> {
    let package = paths::root().join("tests/sdk/node");
    web::install(package.clone())?;
    let mut run = Command::new("node");
    run.arg("families.mjs").current_dir(package).env("PARLANCE_RECORD", folder);
    with_server(binary, "families-recorded", &mut run)
}

/// `slack_sdk` of Python.
pub(crate) fn python(binary: &Path, program: &str) -> Result<Verdict> {
    let python = match peers::python() {
        Ok(python) => python,
        Err(missing) => return Ok(Verdict::Missing(format!("{missing:#}"))),
    };
    let mut run = Command::new(python);
    run.args(["-u", program]).current_dir(paths::root().join("tests/sdk/python"));
    with_server(binary, program, &mut run)
}

/// `slack-morphism`, a crate of its own so that its dependencies are no part of the workspace's.
pub(crate) fn rust(binary: &Path) -> Result<Verdict> {
    with_server(binary, "morphism", &mut morphism("sdk-morphism")?)
}

/// What was recorded, read by the types of `slack-morphism`.
pub(crate) fn rust_recordings(folders: &[&Path]) -> Result<Verdict> {
    command(morphism("recordings")?.args(folders), Format::Lines, PROGRAM_WITHIN)
}

/// Builds the programs with `slack-morphism`; one of them.
fn morphism(program: &str) -> Result<Command> {
    let folder = paths::root().join("tests/sdk/rust");
    let target = paths::target().join("sdk-rust");
    let mut build = Command::new("cargo");
    build.args(["build", "--locked"]).current_dir(&folder).env("CARGO_TARGET_DIR", &target);
    shell::must(&mut build, BUILD_WITHIN)?;
    let mut run = Command::new(target.join("debug").join(program));
    run.current_dir(folder);
    Ok(run)
}

fn with_server(binary: &Path, name: &str, program: &mut Command) -> Result<Verdict> {
    let folder = paths::target().join("sdk-run").join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).context("the last run's data")?;
    }
    std::fs::create_dir_all(&folder)?;
    let data = folder.join("data");
    let seed = server::seed(binary, &data, MEMBERS)?;
    let seed_file = folder.join("seed.json");
    std::fs::write(&seed_file, seed.to_string())?;
    let log = folder.join("server.log");
    let server = server::start(binary, &data, "127.0.0.1:0", Some(&log), &["--rate-limits", "off"])?;
    program.env("PARLANCE_URL", &server.url).env("PARLANCE_SEED", &seed_file);
    let verdict = command(program, Format::Lines, PROGRAM_WITHIN);
    drop(server);
    verdict
}
