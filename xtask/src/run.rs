//! `cargo xtask run`: everything built, a demo workspace, the address and the sign-ins.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use serde_json::Value;

use crate::{paths, server, shell, web};

/// What it is started with.
pub(crate) struct Options {
    /// The data directory; `data/demo` if none.
    pub(crate) data: Option<PathBuf>,
    /// The address to listen on.
    pub(crate) listen: String,
}

impl Default for Options {
    fn default() -> Options {
        Options { data: None, listen: "127.0.0.1:8080".to_owned() }
    }
}

/// Builds and serves until Ctrl-C.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    println!("1/4 web client");
    match web::node_missing() {
        Some(missing) => println!(
            "    not built: it needs {missing}. The server runs without it; the page then says how to build it."
        ),
        None => {
            let built = web::build()?;
            println!("    {}", if built { "built" } else { "unchanged" });
        }
    }
    println!("2/4 server (release; the first build takes a few minutes)");
    let binary = server::build(server::TESTED)?;
    let data = options.data.clone().unwrap_or_else(|| paths::root().join("data/demo"));
    println!("3/4 demo workspace in {}", data.display());
    std::fs::create_dir_all(&data)?;
    let seed = server::seed(&binary, &data, 0)?;
    println!("4/4 start");
    let mut server = server::start(&binary, &data, &options.listen, None, &[])?;
    println!("{}", welcome(&server.url, &seed));
    let status = server.group.child.wait()?;
    // 130 is how a shell tells Ctrl-C; a drain that went well is a success.
    Ok(shell::exit_code(status.success()))
}

fn welcome(url: &str, seed: &Value) -> String {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or("?").to_owned();
    let workspace = seed.get("workspace").map(|workspace| text(workspace, "name")).unwrap_or_default();
    let mut lines = vec![String::new(), format!("  {workspace} is at  {url}"), String::new()];
    lines.push("  Sign in as".to_owned());
    for person in seed.get("people").and_then(Value::as_array).into_iter().flatten() {
        let (name, email, password) = (text(person, "name"), text(person, "email"), text(person, "password"));
        lines.push(format!("    {name:<14} {email:<28} {password}"));
    }
    lines.push(String::new());
    let token = seed.get("bot").map(|bot| text(bot, "token")).unwrap_or_default();
    lines.push(format!("  Slack's SDKs: base URL {url}/api/ with the bot token {token}"));
    lines.push("  Ctrl-C ends it.".to_owned());
    lines.push(String::new());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_welcome_names_the_address_and_each_sign_in() {
        let seed = serde_json::json!({
            "workspace": {"id": "T1", "name": "Acme"},
            "people": [{"name": "Ann", "email": "ann@acme.example", "password": "secret-1"}],
            "bot": {"token": "xoxb-1"},
        });
        let text = welcome("http://127.0.0.1:1", &seed);
        for part in ["Acme", "http://127.0.0.1:1", "Ann", "ann@acme.example", "secret-1", "xoxb-1"] {
            assert!(text.contains(part), "{part} not in {text}");
        }
    }
}
