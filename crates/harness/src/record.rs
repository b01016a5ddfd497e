//! What the server says in tests, kept for whoever compares it with Slack's types.
//!
//! `PARLANCE_RECORD` names a folder; each process writes a file of its own there, a JSON object a line:
//! `kind` (`response`, `rtm`, `realtime`), `name` (method or event type), `body`.

use std::{
    fs::File,
    io::Write,
    path::Path,
    sync::{Mutex, OnceLock, PoisonError},
};

use serde_json::{Value, json};

/// Keeps an answer or a frame. Nothing happens unless a folder is named.
pub fn record(kind: &str, name: &str, body: &Value) {
    static FILE: OnceLock<Option<Mutex<File>>> = OnceLock::new();
    let open = || {
        let folder = std::env::var_os("PARLANCE_RECORD")?;
        let path = Path::new(&folder).join(format!("{}.jsonl", std::process::id()));
        let file = File::options().create(true).append(true).open(&path);
        // A test that says nothing is better than one that fails for its recording.
        file.map_err(|error| complain(&path.display().to_string(), &error)).ok().map(Mutex::new)
    };
    let Some(file) = FILE.get_or_init(open) else { return };
    let line = format!("{}\n", json!({ "kind": kind, "name": name, "body": body }));
    let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
    if let Err(error) = file.write_all(line.as_bytes()) {
        complain("recording", &error);
    }
}

/// Past the capture of the test runner. Nobody hears of it when there is no standard error.
fn complain(what: &str, error: &std::io::Error) {
    let _ = writeln!(std::io::stderr(), "{what}: {error}");
}
