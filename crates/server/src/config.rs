//! Configuration: defaults, then a TOML file, then the environment, then the command line.
//!
//! Unknown keys and bad values are refused with the key's name. A key `a.b` of the file is the variable
//! `PARLANCE_A_B`.

use std::{collections::BTreeMap, net::SocketAddr, path::Path, time::Duration};

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};
use url::Url;

/// Variables that start with `PARLANCE_` and belong to the test suite or name the file itself.
const NOT_KEYS: [&str; 11] = [
    "PARLANCE_CONFIG",
    "PARLANCE_BIN",
    "PARLANCE_LONG",
    "PARLANCE_SCREENSHOTS",
    "PARLANCE_SEED",
    "PARLANCE_SLACK_SAMPLES",
    "PARLANCE_SLACK_TABLES",
    "PARLANCE_POSTGRES_BIN",
    "PARLANCE_TEST_STORE",
    "PARLANCE_TEST_STORE_ISOLATION",
    "PARLANCE_URL",
];
const PREFIX: &str = "PARLANCE_";
/// The one key that no variable can hold.
const SHARDS: &str = "PARLANCE_SHARDS";

/// What an operator can set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Directory of everything durable. Default `data`.
    pub data: String,
    /// Address to listen on; port 0 takes a free one. Default `127.0.0.1:8080`.
    pub listen: String,
    /// Where clients reach the server. Empty: `http://` and the address.
    pub public_url: String,
    /// Further origins whose pages may use the session cookie.
    pub allowed_origins: Vec<String>,
    /// Limits of app tokens: `slack` (its tiers) or `off`.
    pub rate_limits: RateLimits,
    /// The store: `sqlite` is the embedded one, in the data directory; or `postgres://user@host/database`.
    pub store: String,
    /// Several PostgreSQL databases instead of `store`, each with some of the workspaces. In the file
    /// `[[shards]]` with `name`, `store`, and `accepts_new = false` for one that gets no new workspaces.
    pub shards: Vec<Shard>,
    /// Connections that read at once, per process and database. Default 8; one more writes.
    pub store_readers: usize,
    /// The roles of this process. All of them, until they can be reached over a network.
    pub roles: Vec<Role>,
    /// Slots of the ring.
    pub slots: u32,
    /// Logs.
    pub log: Log,
    /// The HTTP listener.
    pub http: Http,
    /// The gateway.
    pub gateway: Gateway,
    /// Who is active.
    pub presence: Presence,
    /// Files that people upload.
    pub files: Files,
    /// Seconds that a drain may take, goodbyes to all sockets included.
    pub drain_s: u64,
}

/// One of several databases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shard {
    /// What logs and metrics call it. It may change.
    pub name: String,
    /// Its address, postgres://…
    pub store: String,
    /// New workspaces may be put on it.
    #[serde(default = "yes")]
    pub accepts_new: bool,
}

fn yes() -> bool {
    true
}

impl std::str::FromStr for Shard {
    type Err = String;

    /// Reads `NAME=postgres://…`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, store) = text.split_once('=').ok_or("a shard is NAME=postgres://…")?;
        Ok(Self { name: name.to_owned(), store: store.to_owned(), accepts_new: true })
    }
}

/// Limits of app tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum RateLimits {
    /// Slack's tiers.
    Slack,
    /// None.
    Off,
}

/// A role of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The HTTP API and the store.
    Web,
    /// Finds the owner of each topic.
    Admin,
    /// Owns topics.
    Channel,
    /// Holds WebSockets.
    Gateway,
    /// Knows who is active.
    Presence,
}

impl Role {
    const ALL: [Self; 5] = [Self::Web, Self::Admin, Self::Channel, Self::Gateway, Self::Presence];
}

/// Logs, on standard error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `json` or `text`.
    pub format: LogFormat,
    /// As `RUST_LOG`: `info`, `info,gateway=debug`.
    pub filter: String,
}

/// Form of the log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One object a line.
    Json,
    /// For people.
    Text,
}

/// The HTTP listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// HTTP connections at once. WebSockets do not count.
    pub connections_max: usize,
    /// Seconds to send the head of a request.
    pub header_timeout_s: u64,
    /// Proxies in front that append to `X-Forwarded-For`. 0: the header is ignored.
    pub forwarded_hops: usize,
}

/// The gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gateway {
    /// Loops, each on a thread of its own. 0: one per core.
    pub loops: usize,
    /// Sessions of each loop.
    pub sessions_max: usize,
    /// Bytes that may wait for one session before it is degraded.
    pub session_queue_bytes_max: usize,
}

/// Who is active.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Presence {
    /// Presence servers of this process; people are spread over them.
    pub servers: u32,
    /// Seconds without activity after which a device is away.
    pub away_after_s: u64,
}

/// Files that people upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Files {
    /// Directory of their bytes. Empty: `files` in the data directory. Several processes on one database share one.
    pub directory: String,
    /// Largest file, bytes.
    pub bytes_max: u64,
    /// All files of a workspace, bytes. 0: no limit.
    pub workspace_bytes_max: u64,
}

impl Default for Files {
    fn default() -> Self {
        let api::role::FileLimits { bytes_max, workspace_bytes_max } = api::role::FileLimits::default();
        Self { directory: String::new(), bytes_max, workspace_bytes_max }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: "data".to_owned(),
            listen: "127.0.0.1:8080".to_owned(),
            public_url: String::new(),
            allowed_origins: Vec::new(),
            rate_limits: RateLimits::Slack,
            store: "sqlite".to_owned(),
            shards: Vec::new(),
            store_readers: store::postgres::READERS_DEFAULT,
            roles: Role::ALL.to_vec(),
            slots: cluster::shell::SLOTS_DEFAULT,
            log: Log::default(),
            http: Http::default(),
            gateway: Gateway::default(),
            presence: Presence::default(),
            files: Files::default(),
            drain_s: 10,
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Json, filter: "info".to_owned() }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self { connections_max: 8_192, header_timeout_s: 30, forwarded_hops: 0 }
    }
}

impl Default for Gateway {
    fn default() -> Self {
        Self { loops: 0, sessions_max: 20_000, session_queue_bytes_max: 256 << 10 }
    }
}

impl Default for Presence {
    fn default() -> Self {
        Self { servers: 4, away_after_s: 600 }
    }
}

impl Config {
    /// Reads the file and the environment.
    ///
    /// # Errors
    /// A sentence that names the key.
    pub fn load(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> anyhow::Result<Self> {
        let mut values = match file {
            None => toml::Table::new(),
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("configuration {}", path.display()))?;
                toml::from_str(&text).with_context(|| format!("configuration {}", path.display()))?
            }
        };
        let known = keys()?;
        for (name, value) in environment {
            if !name.starts_with(PREFIX) || NOT_KEYS.contains(&name.as_str()) {
                continue;
            }
            if name == SHARDS {
                bail!("{SHARDS}: shards are named in the file or with --shard NAME=postgres://…");
            }
            let Some((path, default)) = known.get(&name) else {
                bail!("{name} is no key of the configuration (see `parlance config default`)");
            };
            let value = parse(default, &value).with_context(|| name.clone())?;
            insert(&mut values, path, value);
        }
        let config: Self = serde_path_to_error::deserialize(toml::Value::Table(values)).map_err(|error| {
            let path = error.path().to_string();
            let inner = error.into_inner();
            anyhow::anyhow!("{path}: {inner}")
        })?;
        Ok(config)
    }

    /// Refuses what cannot work, with the key's name.
    ///
    /// # Errors
    /// A sentence that names the key.
    pub fn check(&self) -> anyhow::Result<()> {
        let address = self.address()?;
        ensure!(
            !address.ip().is_unspecified() || !self.public_url.is_empty(),
            "public_url: needed when listen is {address}, which is no address that a browser could ask for"
        );
        ensure!(!self.data.is_empty(), "data: a directory is needed");
        if !self.public_url.is_empty() {
            origin(&self.public_url).context("public_url")?;
        }
        for allowed in &self.allowed_origins {
            origin(allowed).context("allowed_origins")?;
        }
        ensure!(
            self.store == "sqlite" || crate::stores::is_postgres(&self.store),
            "store: neither `sqlite` (the embedded one, in the data directory) nor an address postgres://…"
        );
        ensure!(
            !self.store.contains(HIDDEN),
            "store: {HIDDEN} stands for a password that a dump does not show"
        );
        if crate::stores::is_postgres(&self.store) {
            store::postgres::check_address(&self.store).context("store")?;
        }
        self.check_shards()?;
        runtime::telemetry::check_filter(&self.log.filter)
            .map_err(|error| anyhow::anyhow!("log.filter: {error}"))?;
        ensure!(
            self.http.forwarded_hops <= 16,
            "http.forwarded_hops: at most 16 proxies, got {}",
            self.http.forwarded_hops
        );
        ensure!(
            (1..=1_000).contains(&self.store_readers),
            "store_readers: 1 to 1000, got {}",
            self.store_readers
        );
        let mut roles = self.roles.clone();
        roles.sort();
        roles.dedup();
        ensure!(
            roles == Role::ALL,
            "roles: this version runs all of web,admin,channel,gateway,presence in one process; got {roles:?}"
        );
        ensure!((1..=1024).contains(&self.slots), "slots: 1 to 1024, got {}", self.slots);
        ensure!(self.http.connections_max >= 1, "http.connections_max: at least 1");
        ensure!(
            (1..=3_600).contains(&self.http.header_timeout_s),
            "http.header_timeout_s: 1 to 3600, got {}",
            self.http.header_timeout_s
        );
        ensure!(self.gateway.loops <= 256, "gateway.loops: at most 256, got {}", self.gateway.loops);
        ensure!(self.gateway.sessions_max >= 1, "gateway.sessions_max: at least 1");
        ensure!(
            self.gateway.session_queue_bytes_max >= 65_536,
            "gateway.session_queue_bytes_max: at least 65536, got {}",
            self.gateway.session_queue_bytes_max
        );
        ensure!(
            (1..=256).contains(&self.presence.servers),
            "presence.servers: 1 to 256, got {}",
            self.presence.servers
        );
        ensure!(
            (1..=86_400).contains(&self.presence.away_after_s),
            "presence.away_after_s: 1 to 86400, got {}",
            self.presence.away_after_s
        );
        // Numbers in TOML have 63 bits.
        ensure!(
            (1..=1 << 40).contains(&self.files.bytes_max),
            "files.bytes_max: 1 to {} (1 TiB), got {}",
            1u64 << 40,
            self.files.bytes_max
        );
        ensure!(self.drain_s <= 3_600, "drain_s: at most 3600, got {}", self.drain_s);
        Ok(())
    }

    /// Where the bytes of files are.
    #[must_use]
    pub fn files_directory(&self) -> std::path::PathBuf {
        if self.files.directory.is_empty() {
            Path::new(&self.data).join("files")
        } else {
            self.files.directory.clone().into()
        }
    }

    fn check_shards(&self) -> anyhow::Result<()> {
        ensure!(
            self.shards.is_empty() || self.store == Self::default().store,
            "shards: with them `store` means nothing; name it as one of them"
        );
        for (number, shard) in self.shards.iter().enumerate() {
            let key = format!("shards[{number}]");
            let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            ensure!(
                (1..=40).contains(&shard.name.len()) && shard.name.chars().all(good),
                "{key}.name: 1 to 40 letters, digits, - and _, got {:?}",
                shard.name
            );
            let before = self.shards.get(..number).unwrap_or_default();
            ensure!(
                before.iter().all(|other| other.name != shard.name),
                "{key}.name: there is another {}",
                shard.name
            );
            ensure!(
                before.iter().all(|other| other.store != shard.store),
                "{key}.store: {} has the same address as another",
                shard.name
            );
            ensure!(
                !shard.store.contains(HIDDEN),
                "{key}.store: {HIDDEN} stands for a password that a dump does not show"
            );
            ensure!(crate::stores::is_postgres(&shard.store), "{key}.store: no address postgres://…");
            store::postgres::check_address(&shard.store).with_context(|| format!("{key}.store"))?;
        }
        let open = self.shards.iter().any(|shard| shard.accepts_new);
        ensure!(self.shards.is_empty() || open, "shards: none of them accepts new workspaces");
        Ok(())
    }

    /// The address to listen on.
    ///
    /// # Errors
    /// It names the key.
    pub fn address(&self) -> anyhow::Result<SocketAddr> {
        self.listen
            .parse()
            .with_context(|| format!("listen: {:?} is not an address like 127.0.0.1:8080", self.listen))
    }

    /// How long a drain may take.
    #[must_use]
    pub fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_s)
    }

    /// As it may be shown: without the passwords of databases.
    #[must_use]
    pub fn shown(mut self) -> Self {
        hide_password(&mut self.store);
        self.shards.iter_mut().for_each(|shard| hide_password(&mut shard.store));
        self
    }

    /// As a TOML file.
    ///
    /// # Errors
    /// The serializer's; none in practice.
    pub fn to_toml(&self) -> anyhow::Result<String> {
        Ok(toml::to_string_pretty(self)?)
    }
}

/// What is shown of a password.
const HIDDEN: &str = "***";

/// Takes the password out of an address `postgres://user:password@host/database?password=…`.
fn hide_password(address: &mut String) {
    let Some(start) = address.find("://").map(|at| at + 3) else { return };
    let end =
        address.get(start..).and_then(|rest| rest.find(['/', '?'])).map_or(address.len(), |at| start + at);
    let user =
        address.get(start..end).and_then(|authority| Some((authority.find(':')?, authority.rfind('@')?)));
    if let Some((colon, at)) = user.filter(|(colon, at)| colon < at) {
        address.replace_range(start + colon + 1..start + at, HIDDEN);
    }
    if let Some(key) = address.find("password=").map(|at| at + "password=".len()) {
        let end = address.get(key..).and_then(|rest| rest.find('&')).map_or(address.len(), |at| key + at);
        address.replace_range(key..end, HIDDEN);
    }
}

/// Checks that a text is an origin: scheme, host, maybe a port.
fn origin(text: &str) -> anyhow::Result<()> {
    let url = Url::parse(text).with_context(|| format!("{text:?} is not an address"))?;
    ensure!(matches!(url.scheme(), "http" | "https"), "{text:?} is neither http nor https");
    ensure!(
        url.has_host() && matches!(url.path(), "" | "/") && url.query().is_none(),
        "{text:?} has more than a host and port"
    );
    Ok(())
}

/// Variable name → path and default value of every key.
fn keys() -> anyhow::Result<BTreeMap<String, (Vec<String>, toml::Value)>> {
    fn walk(path: &[String], value: toml::Value, keys: &mut BTreeMap<String, (Vec<String>, toml::Value)>) {
        if let toml::Value::Table(table) = value {
            for (key, value) in table {
                walk(&[path, &[key]].concat(), value, keys);
            }
            return;
        }
        let name = format!("{PREFIX}{}", path.join("_").to_uppercase());
        keys.insert(name, (path.to_vec(), value));
    }
    let mut known = BTreeMap::new();
    walk(&[], toml::Value::try_from(Config::default())?, &mut known);
    Ok(known)
}

/// Reads a variable as what its default is; lists are comma-separated.
fn parse(default: &toml::Value, text: &str) -> anyhow::Result<toml::Value> {
    Ok(match default {
        toml::Value::Integer(_) => {
            toml::Value::Integer(text.parse().with_context(|| format!("{text:?} is not a number"))?)
        }
        toml::Value::Boolean(_) => {
            toml::Value::Boolean(text.parse().with_context(|| format!("{text:?} is neither true nor false"))?)
        }
        toml::Value::Array(_) => {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            toml::Value::Array(parts.map(|part| toml::Value::String(part.to_owned())).collect())
        }
        _ => toml::Value::String(text.to_owned()),
    })
}

fn insert(table: &mut toml::Table, path: &[String], value: toml::Value) {
    let Some((last, parents)) = path.split_last() else { return };
    let mut table = table;
    for parent in parents {
        let entry = table.entry(parent.clone()).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        match entry {
            toml::Value::Table(inner) => table = inner,
            // The file has something else there; reading it as a whole says so.
            _ => return,
        }
    }
    table.insert(last.clone(), value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(file: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
        let path = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(path.path(), file).unwrap();
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let config = Config::load(Some(path.path()), environment).map_err(|error| format!("{error:#}"))?;
        config.check().map_err(|error| format!("{error:#}"))?;
        Ok(config)
    }

    #[test]
    fn the_dump_of_the_default_is_the_default() {
        let text = Config::default().to_toml().unwrap();
        assert_eq!(load(&text, &[]), Ok(Config::default()));
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let config = load(
            "drain_s = 3\n[log]\nformat = \"text\"",
            &[("PARLANCE_DRAIN_S", "4"), ("PARLANCE_LOG_FILTER", "debug")],
        )
        .unwrap();
        assert_eq!(
            (config.drain_s, config.log.filter.as_str(), config.log.format),
            (4, "debug", LogFormat::Text)
        );
        let config =
            load("", &[("PARLANCE_ALLOWED_ORIGINS", "https://a.example, http://b.example:1")]).unwrap();
        assert_eq!(config.allowed_origins, ["https://a.example", "http://b.example:1"]);
        assert!(load("", &[("PARLANCE_BIN", "x"), ("HOME", "y")]).is_ok());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (file, environment, named) in [
            ("lissten = 1", vec![], "lissten"),
            ("[gateway]\nloop = 1", vec![], "loop"),
            ("drain_s = \"long\"", vec![], "drain_s"),
            ("listen = \"here\"", vec![], "listen"),
            ("rate_limits = \"some\"", vec![], "rate_limits"),
            ("store = \"oracle\"", vec![], "store"),
            ("roles = [\"web\"]", vec![], "roles"),
            ("slots = 0", vec![], "slots"),
            ("public_url = \"chat.example\"", vec![], "public_url"),
            ("listen = \"0.0.0.0:8080\"", vec![], "public_url"),
            ("allowed_origins = [\"https://a.example/path\"]", vec![], "allowed_origins"),
            ("", vec![("PARLANCE_LISSTEN", "x")], "PARLANCE_LISSTEN"),
            ("", vec![("PARLANCE_SLOTS", "many")], "PARLANCE_SLOTS"),
            ("not toml", vec![], "configuration"),
            ("log.filter = \"parlance==x\"", vec![], "log.filter"),
            ("log.filter = \"!!\"", vec![], "log.filter"),
            ("http.forwarded_hops = 17", vec![], "http.forwarded_hops"),
            ("store = \"postgres://u:***@h/d\"", vec![], "store"),
            ("store = \"postgres://u@h/d?sslmode=maybe\"", vec![], "store"),
            ("[[shards]]\nname = \"a b\"\nstore = \"postgres://u@h/d\"", vec![], "shards[0].name"),
            ("[[shards]]\nname = \"a\"\nstore = \"sqlite\"", vec![], "shards[0].store"),
            ("[[shards]]\nname = \"a\"\nstore = \"postgres://u@h/d\"\naccepts_new = false", vec![], "shards"),
            ("", vec![("PARLANCE_SHARDS", "a=postgres://u@h/d")], "PARLANCE_SHARDS"),
            ("store_readers = 0", vec![], "store_readers"),
        ] {
            let error = load(file, &environment).unwrap_err();
            assert!(error.contains(named), "{file:?} {environment:?}: {error}");
        }
    }

    #[test]
    fn passwords_are_not_shown() {
        for (address, shown) in [
            ("postgres://u:s3c@ret@h:5/d?x=y", "postgres://u:***@h:5/d?x=y"),
            (
                "postgres://u@h/d?password=s3cret&sslmode=require",
                "postgres://u@h/d?password=***&sslmode=require",
            ),
            ("postgres://h:5432/d", "postgres://h:5432/d"),
            ("sqlite", "sqlite"),
        ] {
            let config = Config { store: address.to_owned(), ..Config::default() };
            assert_eq!(config.shown().store, shown);
        }
    }
}
