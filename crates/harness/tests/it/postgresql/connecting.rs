//! The address of the store: TLS, and what is wrong with it said clearly, never with the password.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use harness::postgres::{Certificates, Cluster, Hosts, Options, free_port, missing};
use harness::sandbox::{Output, parlance};

use super::{DATABASE, beside, cluster, secret_kept, served};

#[tokio::test]
async fn tls_is_used_and_checked_as_the_address_asks() -> Result<()> {
    if missing("TLS to PostgreSQL") {
        return Ok(());
    }
    let (certificates, others) = (Certificates::make()?, Certificates::make()?);
    let options =
        Options { certificates: Some(&certificates), hosts: Hosts::PasswordOverTls, ..Options::default() };
    let cluster = match cluster(options).await {
        Err(error) if error.to_string().contains("SSL is not supported by this build") => {
            harness::skip("TLS to PostgreSQL", "this PostgreSQL was built without TLS");
            return Ok(());
        }
        started => started?,
    };
    let (right, wrong) = (certificates.root(), others.root());
    let address = |parameters: &str| format!("{}?{parameters}", cluster.url(DATABASE));
    let trusting = |root: &Path| address(&format!("sslmode=verify-full&sslrootcert={}", root.display()));
    let first = served(address("sslmode=require")).await?;
    let by_name = trusting(&right).replace("127.0.0.1", "localhost");
    for store in [address("sslmode=require"), trusting(&right), by_name] {
        let server = beside(&first, store).await?;
        server.bot().post(server.channel("general")?, "over TLS").await?;
        let sql =
            "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE ssl AND datname = $1";
        let sessions: i64 = cluster.admin().await?.query_one(sql, &[&DATABASE]).await?.get(0);
        ensure!(sessions > 0, "no session is over TLS");
        secret_kept(&server, cluster.password()).await?;
    }
    refused(&cluster, &trusting(&wrong), &["certificate"]).await?;
    // PostgreSQL demands TLS, the address forbids it.
    refused(&cluster, &address("sslmode=disable"), &["no encryption"]).await?;
    refused(&cluster, &trusting(Path::new("/nowhere/root.crt")), &["/nowhere/root.crt"]).await?;
    refused(&cluster, &address("sslmode=sometimes"), &["sslmode"]).await
}

#[tokio::test]
async fn what_is_wrong_with_the_address_is_said_clearly() -> Result<()> {
    if missing("wrong addresses") {
        return Ok(());
    }
    let cluster = cluster(Options::default()).await?;
    let right = cluster.url(DATABASE);
    let port = cluster.port().to_string();
    let host = format!("127.0.0.1:{port}");
    let nobody = free_port()?.to_string();
    // A port that answers, in another language.
    let stranger = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let strange = stranger.local_addr()?.port().to_string();
    let strangers = tokio::spawn(async move {
        while let Ok((mut stream, _)) = stranger.accept().await {
            // Whoever asks reads it or is gone.
            tokio::io::AsyncWriteExt::write_all(&mut stream, b"220 mail.example ESMTP\r\n").await.ok();
        }
    });
    let password = cluster.password();
    for (store, named) in [
        (right.replace(password, &format!("{password}wrong")), vec![host.as_str(), DATABASE, "password"]),
        (right.replace(&format!(":{password}@"), "@"), vec![host.as_str(), "password"]),
        (
            right.replace(&format!("/{DATABASE}"), "/nothing").replace("//nothing", "//parlance"),
            vec![host.as_str(), "nothing", "does not exist"],
        ),
        (right.replace("127.0.0.1", "no-such-host.invalid"), vec!["no-such-host.invalid", DATABASE]),
        (right.replace(&port, &nobody), vec![nobody.as_str(), DATABASE, "refused"]),
        (right.replace(&port, &strange), vec![strange.as_str(), DATABASE]),
        (right.replace(&port, "99999"), vec!["address", "port"]),
        (format!("{right}?no_such_parameter=1"), vec!["no_such_parameter"]),
    ] {
        refused(&cluster, &store, &named).await.with_context(|| store.replace(password, "***"))?;
    }
    strangers.abort();
    Ok(())
}

/// `parlance serve` and `parlance seed` end with a sentence that has these words and not the password.
async fn refused(cluster: &Cluster, store: &str, named: &[&str]) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().to_str().context("path")?;
    for command in [vec!["serve", "--listen", "127.0.0.1:0"], vec!["seed", "--json"]] {
        let output = parlance(&[command.as_slice(), &["--data", data, "--store", store]].concat()).await?;
        let Output { status, stdout, stderr } = &output;
        let said = format!("{command:?}: {status}: {stdout}{stderr}");
        ensure!(!said.contains(cluster.password()), "{command:?} says the password");
        ensure!(status.code().is_some_and(|code| code != 0), "not refused: {said}");
        ensure!(!said.contains("panicked"), "{said}");
        for word in named {
            ensure!(
                said.to_ascii_lowercase().contains(&word.to_ascii_lowercase()),
                "{word:?} is not in: {said}"
            );
        }
        println!("{}", stderr.lines().last().unwrap_or_default());
    }
    Ok(())
}
