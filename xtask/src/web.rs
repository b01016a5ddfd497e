//! Builds the web client, when its sources changed.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::{paths, shell};

/// The oldest Node.js that the client's tools run on.
const NODE_MAJOR_MIN: u32 = 20;

const INSTALL_WITHIN: Duration = Duration::from_secs(600);
const BUILD_WITHIN: Duration = Duration::from_secs(300);

/// The client's folder.
pub(crate) fn folder() -> PathBuf {
    paths::root().join("web")
}

/// Says what is missing for building the client, if anything is.
pub(crate) fn node_missing() -> Option<String> {
    let Some(version) = shell::output("node", &["--version"]) else {
        return Some(format!("Node.js {NODE_MAJOR_MIN} or newer (`node` is not on the PATH)"));
    };
    let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_none_or(|major| major < NODE_MAJOR_MIN) {
        return Some(format!("Node.js {NODE_MAJOR_MIN} or newer (found {version})"));
    }
    if shell::which("npm").is_none() {
        return Some("npm (`npm` is not on the PATH; Debian: apt-get install npm)".to_owned());
    }
    None
}

/// An npm command in a folder, quiet and without side effects on the machine.
pub(crate) fn npm(folder: PathBuf, arguments: &[&str]) -> Command {
    let mut command = Command::new("npm");
    command.args(arguments).current_dir(folder);
    command.envs([("npm_config_fund", "false"), ("npm_config_audit", "false")]);
    command.envs([("npm_config_update_notifier", "false"), ("NO_COLOR", "1")]);
    command
}

/// Installs the packages of a folder with a lock file, when the lock file is newer than what npm noted
/// at the last installation.
pub(crate) fn install(folder: PathBuf) -> Result<()> {
    let changed = |file: &str| folder.join(file).metadata().and_then(|data| data.modified()).ok();
    let (installed, locked) = (changed("node_modules/.package-lock.json"), changed("package-lock.json"));
    if installed.is_some() && installed >= locked {
        return Ok(());
    }
    shell::must(&mut npm(folder, &["ci", "--ignore-scripts", "--no-progress"]), INSTALL_WITHIN)
}

/// Installs and builds, when something changed. True when it was built.
pub(crate) fn build() -> Result<bool> {
    if let Some(missing) = node_missing() {
        bail!("the web client needs {missing}");
    }
    install(folder())?;
    let sources = paths::fingerprint(&sources()?)?;
    // Beside what it is about: several clones may share a target directory.
    let stamp = folder().join("node_modules/.web-client.stamp");
    if folder().join("dist/index.html").is_file() && paths::is_stamped(&stamp, &sources) {
        return Ok(false);
    }
    shell::must(&mut npm(folder(), &["run", "build"]), BUILD_WITHIN)?;
    paths::write_stamp(&stamp, &sources)?;
    Ok(true)
}

/// Everything in the client's folder that is not made by tools.
fn sources() -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder()).context("web")?;
    let mut sources = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !matches!(name.as_str(), "dist" | "node_modules" | "test-results" | "e2e" | "playwright-report") {
            sources.push(path);
        }
    }
    sources.sort();
    Ok(sources)
}
