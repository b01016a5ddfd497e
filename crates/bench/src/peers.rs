//! What others fan out with: uWebSockets.js and Socket.IO, on Node.js, as small as their documentation has it.
//!
//! Their packages are installed by npm with a lock file, into a folder beside the program: in a clone, a folder of cargo's
//! target directory.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};

use crate::report::progress;

/// The files, by name.
const FILES: [(&str, &str); 4] = [
    ("package.json", include_str!("../peers/package.json")),
    ("package-lock.json", include_str!("../peers/package-lock.json")),
    ("uws.mjs", include_str!("../peers/uws.mjs")),
    ("socket-io.mjs", include_str!("../peers/socket-io.mjs")),
];

/// A peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Peer {
    /// uWebSockets.js: C++ below Node.js
    Uws,
    /// Socket.IO
    #[value(name = "sio")]
    SocketIo,
}

impl Peer {
    /// What people call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Uws => "uWebSockets.js",
            Self::SocketIo => "Socket.IO",
        }
    }

    fn script(self) -> &'static str {
        match self {
            Self::Uws => "uws.mjs",
            Self::SocketIo => "socket-io.mjs",
        }
    }

    /// What starts it; it prints its address.
    ///
    /// # Errors
    /// When the folder is not known.
    pub(crate) fn command(self) -> Result<Command> {
        let mut command = Command::new("node");
        command.arg(folder()?.join(self.script())).env("NODE_ENV", "production");
        Ok(command)
    }
}

/// Installs what peers need, unless it is there.
///
/// # Errors
/// Says what is missing.
pub(crate) fn install() -> Result<()> {
    for program in ["node", "npm"] {
        version(program).with_context(|| {
            format!("peers need Node.js 20 with npm: `{program}` is not on the PATH or does not run")
        })?;
    }
    let folder = folder()?;
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let mut changed = false;
    for (name, text) in FILES {
        let path = folder.join(name);
        if std::fs::read_to_string(&path).ok().as_deref() != Some(text) {
            std::fs::write(&path, text).with_context(|| path.display().to_string())?;
            changed |= name == "package-lock.json";
        }
    }
    if changed || !folder.join("node_modules/.package-lock.json").is_file() {
        progress(&format!("npm installs the peers' packages in {}", folder.display()));
        npm(&folder)?;
    }
    Ok(())
}

fn npm(folder: &Path) -> Result<()> {
    let output = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-progress"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()?;
    if !output.status.success() {
        bail!(
            "`npm ci` in {} failed: the packages of its package.json are missing\n{}",
            folder.display(),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}

fn version(program: &str) -> Result<()> {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output()?;
    ensure!(output.status.success(), "{}", output.status);
    Ok(())
}

fn folder() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    Ok(program.parent().context("a program without a folder")?.join("bench-peers"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_peer_has_a_script_and_the_lock_file_is_that_of_the_packages() {
        let text = |file: &str| FILES.iter().find(|(name, _)| *name == file).unwrap().1;
        for peer in [Peer::Uws, Peer::SocketIo] {
            assert!(text(peer.script()).contains("127.0.0.1"), "{peer:?}");
        }
        let wanted: serde_json::Value = serde_json::from_str(text("package.json")).unwrap();
        let locked: serde_json::Value = serde_json::from_str(text("package-lock.json")).unwrap();
        assert_eq!(wanted["dependencies"], locked["packages"][""]["dependencies"]);
    }
}
