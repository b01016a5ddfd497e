//! What the words of a row stand for, and what must be nowhere.

use anyhow::{Context, Result};
use harness::http::Api;
use serde_json::Value;

/// What of a workspace a row's words stand for.
#[derive(Clone)]
pub(super) struct Words {
    pub(super) channel: String,
    pub(super) ts: String,
    pub(super) user: String,
    pub(super) bot: String,
    pub(super) email: String,
    pub(super) later: String,
    /// A name that no channel has.
    pub(super) name: String,
    /// A file of the channel.
    pub(super) file: String,
    /// The same as what is to be completed.
    pub(super) files: String,
}

impl Words {
    /// A row's arguments.
    pub(super) fn fill<'a>(&'a self, arguments: &'a [(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let word = |value: &'a str| match value {
            "CHANNEL" => self.channel.as_str(),
            "TS" => &self.ts,
            "USER" => &self.user,
            "BOT" => &self.bot,
            "EMAIL" => &self.email,
            "LATER" => &self.later,
            "NEW" => &self.name,
            "FILE" => &self.file,
            "FILES" => &self.files,
            other => other,
        };
        arguments.iter().map(|(name, value)| (*name, word(value))).collect()
    }

    /// With a file of the channel.
    pub(super) fn with_file(self, file: &str) -> Words {
        Words { file: file.to_owned(), files: serde_json::json!([{ "id": file }]).to_string(), ..self }
    }

    /// The same with nothing that exists.
    pub(super) fn nowhere(&self) -> Words {
        Words {
            channel: "C000000000000".to_owned(),
            user: "U000000000000".to_owned(),
            bot: "B000000000000".to_owned(),
            email: "nobody@example.org".to_owned(),
            ..self.clone().with_file("F000000000000")
        }
    }
}

/// Things that nobody may see who is not in the channels that have them.
#[derive(Clone, Default)]
pub(super) struct Canaries(pub(super) Vec<String>);

impl Canaries {
    /// Words that are nowhere else, one for each name.
    pub(super) fn new<const N: usize>(names: [&str; N]) -> (Canaries, [String; N]) {
        let random = || uuid::Uuid::new_v4().simple().to_string();
        let words = names.map(|name| format!("{name}{}", random().chars().take(20).collect::<String>()));
        (Canaries(words.to_vec()), words)
    }

    /// Fails if there is one in a text.
    pub(super) fn check(&self, what: &str, text: &str) {
        for canary in &self.0 {
            assert!(!text.contains(canary.as_str()), "{what} has the canary {canary}: {text}");
        }
    }
}

/// Calls a method and looks through all that comes back, headers included.
pub(super) async fn called(
    api: &Api,
    method: &str,
    arguments: &[(&str, &str)],
    canaries: &Canaries,
) -> Result<Value> {
    let request = api.request(reqwest::Method::POST, &format!("/api/{method}")).form(arguments);
    let response = request.send().await?;
    canaries.check(method, &format!("{:?}", response.headers()));
    let text = response.text().await?;
    canaries.check(method, &text);
    serde_json::from_str(&text).with_context(|| format!("{method}: {text}"))
}

/// The error of an answer, or `ok`.
pub(super) fn code(answer: &Value) -> &str {
    if answer["ok"] == true { "ok" } else { answer["error"].as_str().unwrap_or("no code") }
}
