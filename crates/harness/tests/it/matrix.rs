//! I5 and I7 as a matrix: every method of the server's table, called by everybody who may not have what it is asked for,
//! gives the refusal that what is not there gives, and no byte of it. Somebody who may gets it by the same arguments.
//!
//! A method without a row fails the test: add one line to [`rows::row`].

use anyhow::{Context, Result, ensure};
use harness::http::Api;
use harness::sandbox::{Sandbox, parlance};
use serde_json::{Value, json};

mod rows;
mod stage;
mod words;

use rows::{About, Row, row};
use stage::{Caller, Stage};
use words::{Canaries, Words, called, code};

#[tokio::test]
async fn everybody_is_refused_what_they_may_not_have_and_learns_nothing() -> Result<()> {
    let mut stage = Stage::new().await?;
    let table: Vec<Value> = serde_json::from_str(&parlance(&["methods"]).await?.stdout)?;
    ensure!(table.len() > 60, "a table of methods");
    let mut cells = 0;
    let mut problems = Problems(Vec::new());
    for method in &table {
        let name = method["name"].as_str().context("name")?;
        let row = row(name).with_context(|| format!("{name} has no row in the matrix: add one"))?;
        for caller in &stage.callers {
            cells += 1;
            if caller.is_bot && method["bot"].is_null() {
                let answer = called(&caller.api, name, &[], &caller.unseen).await?;
                let right = row.about == About::Anyone || code(&answer) == "not_allowed_token_type";
                problems.unless(right, || format!("{name} by {}: {answer}", caller.who));
                continue;
            }
            refusals(&stage, caller, name, row, &mut problems).await?;
        }
        cells += tokens(&stage, method, name, row, &mut problems).await?;
        cells += 1;
        control(&stage, name, row, &mut problems).await?;
    }
    ensure!(problems.0.is_empty(), "{} of {cells} cells:\n{}", problems.0.len(), problems.0.join("\n"));
    println!("{cells} cells of {} methods", table.len());
    stage.heard_nothing().await?;
    let nobody = Api::new(stage.server.url(), None);
    let metrics = nobody.request(reqwest::Method::GET, "/metrics").send().await?.text().await?;
    stage.every_canary().check("/metrics", &metrics);
    stage.every_canary().check("the log", &stage.server.log());
    Ok(())
}

/// Cells that are not as they must be: all of them are told at once.
struct Problems(Vec<String>);

impl Problems {
    fn unless(&mut self, right: bool, wrong: impl FnOnce() -> String) {
        if !right {
            self.0.push(wrong());
        }
    }
}

/// What somebody gets who may not have it: for each secret the answer that nothing gets.
async fn refusals(
    stage: &Stage,
    caller: &Caller,
    name: &str,
    row: Row,
    problems: &mut Problems,
) -> Result<()> {
    let (who, api, unseen) = (caller.who, &caller.api, &caller.unseen);
    let nowhere = stage.secrets[0].words.nowhere();
    match row.about {
        About::Channel => {
            for secret in stage.secrets.iter().filter(|it| it.kept_from(caller)) {
                // Whatever else the arguments name is the same in both.
                let absent = Words { channel: nowhere.channel.clone(), ..secret.words.clone() };
                let absent = called(api, name, &absent.fill(row.arguments), unseen).await?;
                let expect = row.unless_admin.filter(|_| !caller.is_admin).unwrap_or(row.refused);
                problems.unless(code(&absent) == expect, || format!("{name} of nothing by {who}: {absent}"));
                let answer = called(api, name, &secret.words.fill(row.arguments), unseen).await?;
                problems
                    .unless(answer == absent, || format!("{name} by {who} tells {}: {answer}", secret.what));
            }
        }
        About::Person if caller.is_foreign => {
            let there = &stage.secrets[0].words;
            let absent = called(api, name, &nowhere.fill(row.arguments), unseen).await?;
            problems.unless(code(&absent) == row.refused, || format!("{name} of nobody by {who}: {absent}"));
            let answer = called(api, name, &there.fill(row.arguments), unseen).await?;
            problems.unless(answer == absent, || format!("{name} tells {who} of somebody: {answer}"));
            let text = answer.to_string();
            let named = text.contains(&there.user) || text.contains(&there.email);
            problems.unless(!named, || format!("{name} names somebody to {who}: {text}"));
        }
        About::Person | About::Own => {
            let there = &stage.secrets[0].words;
            let answer = called(api, name, &there.fill(row.arguments), unseen).await?;
            let foreign_id = caller.is_foreign && answer.to_string().contains(&there.user);
            problems.unless(!foreign_id, || format!("{name} tells {who} of somebody: {answer}"));
        }
        About::Anyone => drop(called(api, name, &[], unseen).await?),
        About::Ends => {}
    }
    Ok(())
}

/// What tokens get that are none, no longer, or of somebody who is no longer there; how many.
async fn tokens(
    stage: &Stage,
    method: &Value,
    name: &str,
    row: Row,
    problems: &mut Problems,
) -> Result<usize> {
    if row.about == About::Anyone {
        return Ok(0);
    }
    let (server, all) = (&stage.server, stage.every_canary());
    let arguments = stage.secrets[0].words.fill(row.arguments);
    let bad = [
        ("nobody", Api::new(server.url(), None), "not_authed"),
        ("a revoked token", server.api(&stage.tokens.revoked), "token_revoked"),
        ("an expired token", server.api(&stage.tokens.expired), "token_expired"),
        ("a deactivated person", server.api(&stage.tokens.deactivated), "account_inactive"),
        ("a made-up token", server.api("xoxp-nothing"), "invalid_auth"),
    ];
    for (who, api, expect) in &bad {
        let answer = called(api, name, &arguments, &all).await?;
        let right = answer == json!({ "ok": false, "error": expect });
        problems.unless(right, || format!("{name} by {who}: {answer}"));
    }
    let answer = called(&server.api(&stage.tokens.scopeless), name, &arguments, &all).await?;
    let right = match method["bot"].as_array() {
        None => code(&answer) == "not_allowed_token_type",
        Some(scopes) if scopes.is_empty() => true,
        Some(scopes) => {
            let needed = scopes.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",");
            answer
                == json!({ "ok": false, "error": "missing_scope", "needed": needed, "provided": "nothing:read" })
        }
    };
    problems.unless(right, || format!("{name} by a bot without scopes: {answer}"));
    Ok(bad.len() + 1)
}

/// Somebody who may: what the refused arguments would have done, so that a mistyped one is no refusal.
async fn control(stage: &Stage, name: &str, row: Row, problems: &mut Problems) -> Result<()> {
    let ann = stage.server.person(0)?;
    let words = match row.about {
        About::Channel => stage.place(&ann, name).await?,
        About::Person | About::Own => stage.secrets[0].words.clone(),
        About::Ends | About::Anyone => return Ok(()),
    };
    let answer = called(&ann, name, &words.fill(row.arguments), &Canaries::default()).await?;
    problems.unless(code(&answer) == row.member, || format!("{name} by somebody who may: {answer}"));
    Ok(())
}
