//! Where a database is and how it is spoken to: the address that an operator writes.

use std::{fmt, time::Duration};

use tokio::task::JoinHandle;
use tokio_postgres::{
    Client, Config, Error,
    config::{Host, SslMode},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{failure::chain, tls};
use crate::OpenError;

/// The port of PostgreSQL when the address names none.
const PORT: u16 = 5_432;
/// A peer that says nothing for so long is asked whether it is there, unless the address says otherwise.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);
/// Bytes that nobody acknowledged for so long end the connection, unless the address says otherwise.
const UNACKNOWLEDGED: Duration = Duration::from_secs(10);

/// A database's address, `postgres://user:password@host:port/database?sslmode=…`, and what it means.
///
/// All parameters of `tokio_postgres::Config` are taken, several hosts with `target_session_attrs` among them.
/// `sslmode` is as in libpq, without the two modes that are neither one thing nor the other:
///
/// | `sslmode` | encrypted | who is there |
/// |---|---|---|
/// | `disable` | no | |
/// | `prefer` (default) | if the server can | not checked |
/// | `require` | yes | not checked |
/// | `verify-full` | yes | certificate and host name; `sslrootcert=FILE`, else the system's authorities |
pub(crate) struct Address {
    /// For connections.
    pub(super) config: Config,
    /// For their encryption; `config` says whether it is used.
    pub(super) tls: MakeRustlsConnect,
    name: String,
}

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    /// [`OpenError::Failed`] with what is wrong; never with the address itself, which may hold a password.
    pub(crate) fn parse(url: &str) -> Result<Self, OpenError> {
        let failed = |reason: String| OpenError::Failed { path: "the store's address".to_owned(), reason };
        let (rest, mode, authority) = split(url).map_err(failed)?;
        let mut config: Config = rest.parse().map_err(|error| failed(chain(&error)))?;
        let verify = mode.as_deref() == Some("verify-full");
        config.ssl_mode(match mode.as_deref() {
            None | Some("prefer") => SslMode::Prefer,
            Some("disable") => SslMode::Disable,
            Some("require" | "verify-full") => SslMode::Require,
            Some(other) => {
                return Err(failed(format!(
                    "sslmode {other:?} is not one of disable, prefer, require, verify-full"
                )));
            }
        });
        if authority.is_some() && !verify {
            return Err(failed("sslrootcert is only used with sslmode=verify-full".to_owned()));
        }
        if config.get_hosts().is_empty() {
            return Err(failed("it names no host".to_owned()));
        }
        if config.get_application_name().is_none() {
            config.application_name("parlance");
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(UNACKNOWLEDGED).keepalives_idle(KEEPALIVE_IDLE);
        }
        let tls = tls::connector(verify, authority.as_deref()).map_err(failed)?;
        let name = display(&config);
        Ok(Self { config, tls, name })
    }
}

impl Address {
    /// Makes a connection, called so, for work that is not the engine's. What drives it ends with the client.
    pub(crate) async fn dial(&self, name: &str) -> Result<(Client, JoinHandle<()>), Error> {
        let mut config = self.config.clone();
        config.application_name(name);
        let (client, driver) = config.connect(self.tls.clone()).await?;
        let driver = tokio::spawn(async move {
            // Whatever ends it is told to the statement that waits.
            let _ = driver.await;
        });
        Ok((client, driver))
    }
}

/// Hosts, ports and database; never the user's password.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

fn display(config: &Config) -> String {
    let mut ports = config.get_ports().iter().copied().cycle();
    let hosts: Vec<String> = config
        .get_hosts()
        .iter()
        .map(|host| {
            let port = ports.next().unwrap_or(PORT);
            match host {
                Host::Tcp(host) => format!("{host}:{port}"),
                Host::Unix(path) => format!("{}:{port}", path.display()),
            }
        })
        .collect();
    let database = config.get_dbname().or(config.get_user()).unwrap_or_default();
    format!("postgres://{}/{database}", hosts.join(","))
}

/// Takes `sslmode` and `sslrootcert` out of an address: the driver knows only some of their values.
fn split(url: &str) -> Result<(String, Option<String>, Option<String>), String> {
    let Some((before, query)) = url.split_once('?') else { return Ok((url.to_owned(), None, None)) };
    let (mut mode, mut authority, mut rest) = (None, None, Vec::new());
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        match key {
            "sslmode" => mode = Some(decode(value)?),
            "sslrootcert" => authority = Some(decode(value)?),
            _ => rest.push(part),
        }
    }
    let mark = if rest.is_empty() { "" } else { "?" };
    Ok((format!("{before}{mark}{}", rest.join("&")), mode, authority))
}

/// Percent-decodes a value.
fn decode(value: &str) -> Result<String, String> {
    let bad = || format!("{value:?} is not percent-encoded UTF-8");
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next().ok_or_else(bad)?, rest.next().ok_or_else(bad)?];
        let digits = std::str::from_utf8(&digits).map_err(|_| bad())?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| bad())?);
    }
    String::from_utf8(bytes).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str) -> String {
        match Address::parse(url) {
            Ok(address) => panic!("{url} was taken as {address}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn an_address_is_shown_without_its_password() {
        let address = Address::parse("postgres://ann:s3cret@db.example:5433/chat?sslmode=require").unwrap();
        assert_eq!(address.to_string(), "postgres://db.example:5433/chat");
        assert_eq!(address.config.get_ssl_mode(), SslMode::Require);
        let address = Address::parse("postgres://ann@a,b:6000/chat?target_session_attrs=read-write").unwrap();
        assert_eq!(address.to_string(), "postgres://a:5432,b:6000/chat");
        assert_eq!(address.config.get_ssl_mode(), SslMode::Prefer);
    }

    #[test]
    fn what_is_wrong_with_an_address_is_said_without_its_password() {
        for (url, word) in [
            ("postgres://ann:s3cret@h/d?sslmode=verify", "sslmode"),
            ("postgres://ann:s3cret@h/d?sslmode=require&sslrootcert=/x", "sslrootcert"),
            ("postgres://ann:s3cret@h/d?sslmode=verify-full&sslrootcert=/nowhere", "/nowhere"),
            ("postgres://ann:s3cret@h/d?colour=red", "colour"),
            ("postgres://ann:s3cret@h:port/d", "port"),
            ("postgres:///d?user=ann&password=s3cret", "host"),
        ] {
            let said = refused(url);
            assert!(said.contains(word), "{url}: {said}");
            assert!(!said.contains("s3cret"), "{url}: {said}");
        }
    }
}
