//! Runs commands: what they print is shown as it comes and kept for counting, and none runs for ever.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// The process groups that run now: they end when we are interrupted.
static GROUPS: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// Ends what runs, then ourselves, on Ctrl-C and SIGTERM.
pub(crate) fn forward_signals() {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let Ok(mut signals) = signal_hook::iterator::Signals::new([SIGINT, SIGTERM]) else { return };
    std::thread::spawn(move || {
        let mut asked = false;
        for _ in signals.forever() {
            let groups = GROUPS.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if groups.is_empty() || asked {
                groups.iter().for_each(|group| kill_group("KILL", *group));
                std::process::exit(130);
            }
            // Whoever waits for them sees them end. A second Ctrl-C does not wait.
            groups.iter().for_each(|group| kill_group("TERM", *group));
            asked = true;
            INTERRUPTED.store(true, std::sync::atomic::Ordering::SeqCst);
        }
    });
}

static INTERRUPTED: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

/// Whether Ctrl-C was pressed.
pub(crate) fn interrupted() -> bool {
    INTERRUPTED.load(std::sync::atomic::Ordering::SeqCst)
}

/// A process in a group of its own, which ends when we do.
pub(crate) struct Group {
    /// The process.
    pub(crate) child: Child,
}

impl Group {
    /// Starts it.
    pub(crate) fn spawn(command: &mut Command) -> Result<Group> {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command.process_group(0).spawn().with_context(|| format!("cannot start {name}"))?;
        GROUPS.lock().unwrap_or_else(PoisonError::into_inner).push(child.id());
        Ok(Group { child })
    }

    /// Sends a signal by name to all of the group.
    pub(crate) fn signal(&self, name: &str) {
        kill_group(name, self.child.id());
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        kill_group("KILL", self.child.id());
        // Its exit code does not matter any more; waiting only frees the process table.
        self.child.wait().ok();
        let own = self.child.id();
        GROUPS.lock().unwrap_or_else(PoisonError::into_inner).retain(|group| *group != own);
    }
}

fn kill_group(signal: &str, group: u32) {
    let group = format!("-{group}");
    // It may have ended already.
    Command::new("kill").args(["-s", signal, "--", &group]).stderr(Stdio::null()).status().ok();
}

/// How a command ended.
pub(crate) struct Outcome {
    /// Whether its exit code was 0.
    pub(crate) success: bool,
    /// For people: `exit code 1`, `took longer than 900 s`.
    pub(crate) how: String,
    /// What it printed, both streams, line by line.
    pub(crate) lines: Vec<String>,
}

/// How long nothing may be printed before we look whether the command still runs.
const LOOKED_AFTER_EVERY: Duration = Duration::from_secs(5);

/// Runs a command, shows what it prints, and ends it when it takes too long.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Result<Outcome> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut group = Group::spawn(command)?;
    let (sender, receiver) = mpsc::channel();
    if let Some(stdout) = group.child.stdout.take() {
        follow(stdout, sender.clone());
    }
    if let Some(stderr) = group.child.stderr.take() {
        follow(stderr, sender);
    }
    let ends = std::time::Instant::now() + limit;
    let mut lines = Vec::new();
    let mut late = false;
    loop {
        let left = ends.saturating_duration_since(std::time::Instant::now());
        match receiver.recv_timeout(left.min(LOOKED_AFTER_EVERY)) {
            Ok(line) => {
                println!("    {line}");
                lines.push(line);
            }
            Err(mpsc::RecvTimeoutError::Timeout) if left.is_zero() => {
                late = true;
                break;
            }
            // What it left behind may hold its output open for ever.
            Err(mpsc::RecvTimeoutError::Timeout) if group.child.try_wait()?.is_some() => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
    }
    if late {
        group.signal("KILL");
    }
    let status = group.child.wait()?;
    drop(group);
    let how = match (late, status.code()) {
        (true, _) => format!("took longer than {} s", limit.as_secs()),
        (false, Some(code)) => format!("exit code {code}"),
        (false, None) => format!("{status}"),
    };
    Ok(Outcome { success: status.success() && !late, how, lines })
}

/// Sends line by line what comes, in a thread of its own: until the end, or until nobody wants more.
fn follow(stream: impl Read + Send + 'static, lines: mpsc::Sender<String>) {
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut bytes = Vec::new();
        while reader.read_until(b'\n', &mut bytes).is_ok_and(|count| count > 0) {
            let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
            bytes.clear();
            if lines.send(line).is_err() {
                break;
            }
        }
    });
}

/// Runs a command that must succeed.
pub(crate) fn must(command: &mut Command, limit: Duration) -> Result<()> {
    let name = display(command);
    let outcome = run(command, limit)?;
    if !outcome.success {
        bail!("{name}: {}", outcome.how);
    }
    Ok(())
}

/// The output of a command, or none when it cannot be run or fails.
pub(crate) fn output(program: impl AsRef<OsStr>, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The full path of a program, if there is one.
pub(crate) fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// The command as a person would type it.
pub(crate) fn display(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// The exit code of a child for ours.
pub(crate) fn exit_code(success: bool) -> ExitCode {
    if success { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
