//! `cargo xtask test`: every test, in the order in which failures are cheapest to find.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Result, bail};

use crate::count::{Count, Format};
use crate::postgres::{Bouncer, Postgres};
use crate::report::{Outcome, Report, Verdict, command};
use crate::{conformance, licences, paths, peers, sdk, server, shell, slack, web};

/// What is run.
#[derive(Default)]
pub(crate) struct Options {
    /// A missing peer is a failure.
    pub(crate) ci: bool,
    /// Long runs too.
    pub(crate) long: bool,
    /// Only these steps.
    pub(crate) only: Vec<String>,
    /// Name the steps instead.
    pub(crate) list: bool,
    /// Write what is generated instead of comparing it.
    pub(crate) write: bool,
}

const STEPS: &[(&str, &str)] = &[
    ("fmt", "cargo fmt --check"),
    ("licences", "what is shipped may be shipped under Apache-2.0"),
    ("web-build", "the web client builds"),
    ("web-types", "its types hold"),
    ("web-unit", "its unit tests (vitest)"),
    ("clippy", "no warnings in the workspace"),
    ("binary", "the release binary builds; later steps test it"),
    ("cargo-test", "unit, conformance and sandbox tests of all crates"),
    ("store-postgres", "the store's conformance suite on Debian's PostgreSQL"),
    ("store-postgres-18", "the same on PostgreSQL 18"),
    ("store-pgbouncer", "the same through PgBouncer in transaction mode"),
    ("sdk-web-api", "@slack/web-api"),
    ("sdk-rtm-api", "@slack/rtm-api 7.0.1"),
    ("sdk-python", "slack_sdk: WebClient, AsyncWebClient"),
    ("sdk-python-families", "each family of methods, with slack_sdk"),
    ("sdk-python-rtm", "slack_sdk: rtm_v2"),
    ("sdk-morphism", "slack-morphism"),
    ("sdk-families", "each family of methods, with @slack/web-api"),
    ("conformance", "what the server said in tests is what Slack's types say, and docs/api/compatibility.md"),
    ("e2e", "the web client in Chromium, by Playwright"),
    ("autobahn", "RFC 6455, Autobahn's cases"),
    ("sim", "every role in one thread, with faults that a seed decides"),
    ("crash", "kill -9 under load, and the history checker"),
    ("faults", "failing calls, damage, clocks, pauses, rude and slow clients"),
    ("crash-postgres", "the same on PostgreSQL"),
    ("crash-postgres-18", "the same on PostgreSQL 18"),
    ("clients-postgres", "what clients see and are refused, on PostgreSQL"),
    ("postgres-faults", "faults of PostgreSQL under load"),
];

/// Time for each target of the fuzz tests in a long run; otherwise it is a second.
const FUZZ_SECONDS_LONG: &str = "60";
/// What gives property tests their seed: a short run finds the same everywhere.
const PROPTEST_SEED: (&str, &str) = ("PROPTEST_RNG_SEED", "1");

const CHECK_WITHIN: Duration = Duration::from_secs(1800);
const TESTS_WITHIN: Duration = Duration::from_secs(2400);
/// Ten minutes of a flood, and all of a long history scrolled twice.
const E2E_WITHIN_LONG: Duration = Duration::from_secs(5_400);
const SANDBOX_WITHIN: Duration = Duration::from_secs(900);
const WEB_WITHIN: Duration = Duration::from_secs(600);

/// Runs the steps; the exit code says whether nothing failed.
pub(crate) fn test(options: &Options) -> Result<ExitCode> {
    if options.list {
        for (step, what) in STEPS {
            println!("{step:<21}{what}");
        }
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(unknown) = options.only.iter().find(|only| STEPS.iter().all(|(step, _)| step != only)) {
        bail!("no step {unknown}; see --list");
    }
    let mut report = Report::new(options.ci, &options.only);
    report.step("fmt", || {
        let sdk = paths::root().join("tests/sdk/rust");
        let ours = command(cargo().args(["fmt", "--all", "--check"]), Format::Whole, CHECK_WITHIN)?;
        Ok(ours.and(command(cargo().args(["fmt", "--check"]).current_dir(sdk), Format::Whole, CHECK_WITHIN)?))
    });
    report.step("licences", licences::check);
    web_steps(&mut report);
    report.step("clippy", || {
        let arguments = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
        command(cargo().args(arguments), Format::Whole, CHECK_WITHIN)
    });
    binary_steps(&mut report, options);
    Ok(shell::exit_code(report.finish()))
}

fn web_steps(report: &mut Report) {
    let missing =
        || peers::node_missing().map(|missing| Verdict::Missing(format!("{missing}, for the web client")));
    report.step("web-build", || match missing() {
        Some(missing) => Ok(missing),
        None => {
            let built = web::build()?;
            let note = if built { String::new() } else { "unchanged".to_owned() };
            Ok(Verdict::Ran(Count { passed: 1, ..Count::default() }, Outcome::note(note)))
        }
    });
    for (step, script, format) in
        [("web-types", "typecheck", Format::Whole), ("web-unit", "test", Format::Vitest)]
    {
        report.step(step, || match missing() {
            Some(missing) => Ok(missing),
            None => {
                web::install(web::folder())?;
                command(&mut web::npm(web::folder(), &["run", script]), format, WEB_WITHIN)
            }
        });
    }
}

fn binary_steps(report: &mut Report, options: &Options) {
    // The steps below test what is shipped; a filtered run builds it too, so that it is not stale.
    let needs_binary =
        STEPS.iter().skip_while(|(step, _)| *step != "binary").any(|(step, _)| report.wants(step));
    if !needs_binary || shell::interrupted() {
        return;
    }
    let mut built = None;
    // The client is a part of the binary.
    let without_client = !report.wants("web-build") && peers::node_missing().is_none();
    let build = || -> Result<Verdict> {
        if without_client {
            web::build()?;
        }
        built = Some(server::build(server::TESTED)?);
        Ok(Verdict::Ran(Count { passed: 1, ..Count::default() }, Outcome::default()))
    };
    if report.wants("binary") {
        report.step("binary", build);
    } else if let Err(error) = { build }() {
        println!("{error:#}");
    }
    let Some(binary) = built else {
        for (step, _) in STEPS.iter().skip_while(|(step, _)| *step != "binary").skip(1) {
            report.step(step, || bail!("there is no binary to test"));
        }
        return;
    };
    report.step("cargo-test", || {
        // Tests that need them say so when they are still missing.
        peers::strace();
        let _ = peers::postgres();
        let mut test = cargo();
        test.args(["test", "--workspace", "--no-fail-fast", "--", "--skip", "crash::"])
            .args([
                "--skip",
                "faults::",
                "--skip",
                "postgresql::",
                "--skip",
                "autobahn::",
                "--skip",
                "simulation::",
            ])
            .env("PARLANCE_BIN", &binary);
        if let Ok(folder) = conformance::fresh(conformance::ALL) {
            test.env("PARLANCE_RECORD", folder);
        }
        if options.ci {
            test.env("CI", "1");
        }
        if options.long {
            test.env("PARLANCE_FUZZ_SECONDS", FUZZ_SECONDS_LONG);
            // A long run looks for what is new.
            test.env_remove(PROPTEST_SEED.0);
        }
        slack::show_libtest(&mut test, options.ci);
        command(&mut test, Format::Libtest, TESTS_WITHIN)
    });
    store_steps(report);
    report.step("sdk-web-api", || sdk::node(&binary, "web_api.mjs"));
    report.step("sdk-rtm-api", || sdk::node(&binary, "rtm_api.mjs"));
    report.step("sdk-python", || sdk::python(&binary, "web_client.py"));
    report.step("sdk-python-families", || sdk::python(&binary, "families.py"));
    report.step("sdk-python-rtm", || sdk::python(&binary, "rtm_client.py"));
    report.step("sdk-morphism", || sdk::rust(&binary));
    report.step("sdk-families", || sdk::node(&binary, "families.mjs"));
    report.step("conformance", || conformance::check(&binary, options));
    report.step("e2e", || {
        if let Some(missing) = peers::node_missing() {
            return Ok(Verdict::Missing(missing));
        }
        let Some(chromium) = peers::chromium() else {
            return Ok(Verdict::Missing("a Chromium (Debian: apt-get install chromium)".to_owned()));
        };
        web::install(web::folder())?;
        let mut e2e = web::npm(web::folder(), &["run", "e2e"]);
        e2e.env("PARLANCE_BIN", &binary).env("CHROMIUM", chromium);
        if options.long {
            e2e.env("LONG", "1");
        }
        command(&mut e2e, Format::Vitest, if options.long { E2E_WITHIN_LONG } else { TESTS_WITHIN })
    });
    report.step("autobahn", || {
        let kosoku = match peers::python() {
            Ok(python) => python.with_file_name("kosoku"),
            Err(missing) => return Ok(Verdict::Missing(format!("{missing:#}"))),
        };
        // The suite talks to this example.
        shell::must(cargo().args(["build", "--workspace", "--example", "echo"]), CHECK_WITHIN)?;
        let mut test = cargo();
        test.args(["test", "--workspace", "--test", "it", "--", "autobahn::"]).env("KOSOKU_BIN", kosoku);
        command(&mut test, Format::Libtest, TESTS_WITHIN)
    });
    report.step("sim", || simulations(options));
    report.step("crash", || sandbox_tests(&binary, "crash::on_the_embedded_store", options));
    report.step("faults", || {
        // The tests that need them say so when they are still missing.
        peers::strace();
        peers::faketime();
        sandbox_tests(&binary, "faults::", options)
    });
    report.step("crash-postgres", || match peers::postgres() {
        Ok(_) => sandbox_tests(&binary, "crash::on_postgresql", options),
        Err(missing) => Ok(Verdict::Missing(missing)),
    });
    report.step("crash-postgres-18", || match peers::postgres_18() {
        Ok(programs) => {
            let mut test = sandbox_command(&binary, &["crash::on_postgresql"], options);
            run_sandbox(test.env("PARLANCE_POSTGRES_BIN", programs), options)
        }
        Err(missing) => Ok(Verdict::Missing(missing)),
    });
    report.step("clients-postgres", || match peers::postgres() {
        Ok(programs) => {
            let server = Postgres::start(programs)?;
            let mut test = sandbox_command(&binary, CLIENT_TESTS, options);
            run_sandbox(test.env("PARLANCE_SANDBOX_STORE", &server.url), options)
        }
        Err(missing) => Ok(Verdict::Missing(missing)),
    });
    report.step("postgres-faults", || match (peers::postgres(), peers::pgbouncer()) {
        (Ok(_), Ok(_)) => sandbox_tests(&binary, "postgresql::", options),
        (Err(missing), _) | (_, Err(missing)) => Ok(Verdict::Missing(missing)),
    });
}

/// The store's conformance suite, on everything that it is to run on.
fn store_steps(report: &mut Report) {
    report.step("store-postgres", || match peers::postgres() {
        Ok(programs) => store_suite(&Postgres::start(programs)?.url, false),
        Err(missing) => Ok(Verdict::Missing(missing)),
    });
    report.step("store-postgres-18", || match peers::postgres_18() {
        Ok(programs) => store_suite(&Postgres::start(programs)?.url, false),
        Err(missing) => Ok(Verdict::Missing(missing)),
    });
    report.step("store-pgbouncer", || match (peers::postgres(), peers::pgbouncer()) {
        (Ok(programs), Ok(pgbouncer)) => {
            let server = Postgres::start(programs)?;
            store_suite(&Bouncer::start(&pgbouncer, &server)?.url, true)
        }
        (Err(missing), _) | (_, Err(missing)) => Ok(Verdict::Missing(missing)),
    });
}

/// The store's conformance suite on a PostgreSQL server. Each test has a schema of its own, or a database.
fn store_suite(url: &str, databases: bool) -> Result<Verdict> {
    let mut test = cargo();
    test.args(["test", "--package", "store", "--test", "it"]).env("PARLANCE_TEST_STORE", url);
    if databases {
        test.env("PARLANCE_TEST_STORE_ISOLATION", "database");
    }
    command(&mut test, Format::Libtest, TESTS_WITHIN)
}

/// Sandbox tests of what clients see, whatever the store is.
const CLIENT_TESTS: &[&str] = &["refusals::", "arguments::", "realtime::", "isolation::", "operation::"];

/// Some sandbox tests, with all that they print.
fn sandbox_tests(binary: &Path, filter: &str, options: &Options) -> Result<Verdict> {
    run_sandbox(&mut sandbox_command(binary, &[filter], options), options)
}

fn sandbox_command(binary: &Path, filters: &[&str], options: &Options) -> Command {
    let mut test = cargo();
    test.args(["test", "--workspace", "--test", "it", "--"]).args(filters).arg("--nocapture");
    test.env("PARLANCE_BIN", binary);
    if options.ci {
        test.env("CI", "1");
    }
    if options.long {
        test.env("PARLANCE_LONG", "1");
    }
    test
}

/// The simulator's seeds and bugs, with all that they print. A long run has so many seeds that it pays to build it
/// for speed; a short one takes what `cargo-test` has built.
fn simulations(options: &Options) -> Result<Verdict> {
    let mut test = cargo();
    if options.long {
        test.args(["test", "--release", "--package", "simulator"]).env("PARLANCE_LONG", "1");
    } else {
        test.args(["test", "--workspace"]);
    }
    run_sandbox(test.args(["--test", "it", "--", "simulation::", "--nocapture"]), options)
}

/// A filter that matches nothing is a mistake, not a success.
fn run_sandbox(test: &mut Command, options: &Options) -> Result<Verdict> {
    let limit = if options.long { TESTS_WITHIN } else { SANDBOX_WITHIN };
    match command(test, Format::Libtest, limit)? {
        Verdict::Ran(count, _) if count == Count::default() => bail!("no test has such a name"),
        verdict => Ok(verdict),
    }
}

fn cargo() -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(paths::root()).env("CARGO_TERM_COLOR", "never").env(PROPTEST_SEED.0, PROPTEST_SEED.1);
    // A test's error is a sentence; where it came from is in the test.
    command.env("RUST_LIB_BACKTRACE", "0");
    command
}
