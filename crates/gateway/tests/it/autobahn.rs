//! Autobahn's cases against the codec. They run when `KOSOKU_BIN` names the command of the PyPI package
//! `kosoku`; without it the test says so. `cargo xtask test` has a
//! step for it.
//!
//! Cases 12 and 13 are about compression, which is not offered. All others pass: `docs/adr/0012`.

use std::{
    env,
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
};

/// The cases of chapters 1 to 10, as the version of `kosoku` in `tests/sdk/python/requirements.txt` has them.
const CASES: u32 = 301;

#[test]
fn every_case_passes() {
    let Ok(kosoku) = env::var("KOSOKU_BIN") else {
        // Past the capture of the test runner, in the form that is counted.
        writeln!(std::io::stderr(), "skipped: autobahn::every_case_passes: KOSOKU_BIN is not set").ok();
        return;
    };
    // `cargo test --test it` builds no examples.
    let build =
        Command::new(env!("CARGO")).args(["build", "--package", "gateway", "--example", "echo"]).status();
    assert!(build.unwrap().success());
    let mut server = Command::new(example("echo")).arg("127.0.0.1:0").stdout(Stdio::piped()).spawn().unwrap();
    let mut address = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut address).unwrap();
    let reports = tempfile::tempdir().unwrap();
    let output = Command::new(kosoku)
        .args(["--exclude", "12.*", "--exclude", "13.*", "--outdir"])
        .arg(reports.path())
        .arg(address.trim())
        .output()
        .unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let passed = text.lines().find_map(|line| line.strip_suffix(" cases passed")?.trim().parse::<u32>().ok());
    assert_eq!(passed, Some(CASES), "{text}");
}

/// Examples lie beside the test's own directory.
fn example(name: &str) -> String {
    let mut path = env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.join("examples").join(name).to_string_lossy().into_owned()
}
