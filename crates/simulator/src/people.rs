//! HTTP as people do it: a request over the network to whatever `web` there is just now.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use axum::body::Body;
use harness::snapshot::Caller;
use http::Request;
use http_body_util::BodyExt as _;
use serde_json::{Map, Value};
use tokio::time::{sleep, timeout};
use tower::ServiceExt as _;

use crate::{
    mutants::Mutant,
    network::{Network, PEOPLE},
    node::Doors,
    random::Random,
    world::Person,
};

/// How long somebody waits who is not told that a request is lost.
const PATIENCE_MS: u64 = 1_000;

/// Somebody with a network connection.
#[derive(Clone)]
pub(crate) struct Client {
    /// Who.
    pub(crate) person: Person,
    /// Where to.
    pub(crate) doors: Doors,
    /// What is in between; `None`: nothing, every call arrives.
    pub(crate) network: Option<Arc<Network>>,
    /// What is wrong on purpose.
    pub(crate) mutant: Option<Mutant>,
}

impl Client {
    /// Calls a path; `None`: no answer. An effect that it has is there before this returns, unless it was given up:
    /// only posts are, whose keys make a late effect harmless.
    pub(crate) async fn request(&self, path: &str, arguments: &[(&str, &str)]) -> Option<Value> {
        let arguments: Map<String, Value> =
            arguments.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
        let fate = self.network.as_ref().map(|network| network.fate(PEOPLE, "web")).unwrap_or_default();
        let patience = Duration::from_millis(PATIENCE_MS);
        sleep(fate.there).await;
        if fate.lost_there {
            sleep(if fate.told { Duration::ZERO } else { patience }).await;
            return None;
        }
        let key = arguments.get("client_msg_id").and_then(Value::as_str).map(str::to_owned);
        if let (true, Some(key), Some(mutant)) = (fate.lost_back, &key, self.mutant) {
            mutant.sender_is_gone(key);
        }
        // Nobody but the machine that serves may hold what is on it: it would not die with it.
        let (router, runtime) = {
            let front = self.doors.web.get()?;
            (front.router.clone(), front.runtime.clone())
        };
        let request = Request::post(path)
            .header("authorization", format!("Bearer {}", self.person.token))
            .header("content-type", "application/json; charset=utf-8")
            .body(Body::from(Value::Object(arguments).to_string()))
            .ok()?;
        // Runs on the machine that serves it: whoever gives up leaves it running there.
        let serving = runtime.spawn(async move {
            let response = router.oneshot(request).await.ok()?;
            let bytes = response.into_body().collect().await.ok()?.to_bytes();
            serde_json::from_slice::<Value>(&bytes).ok()
        });
        let answer =
            if key.is_some() { timeout(patience, serving).await.ok()?.ok()? } else { serving.await.ok()? };
        sleep(fate.back).await;
        answer.filter(|_| !fate.lost_back)
    }

    /// Calls a method; `None`: no answer.
    pub(crate) async fn call(&self, method: &str, arguments: &[(&str, &str)]) -> Option<Value> {
        self.request(&format!("/api/{method}"), arguments).await
    }

    /// Buys a ticket for a socket.
    pub(crate) async fn ticket(&self) -> Option<String> {
        let answer = self.request("/realtime/v1/connect", &[]).await?;
        let url = answer.get("url")?.as_str()?;
        Some(url.split_once("ticket=")?.1.to_owned())
    }
}

impl Caller for Client {
    async fn ok(&self, method: &str, arguments: &[(&str, &str)]) -> Result<Value> {
        let answer = self.call(method, arguments).await.context("no answer")?;
        ensure!(answer["ok"] == true, "{method} {arguments:?} answered {answer}");
        Ok(answer)
    }
}

/// A key that no other post has.
pub(crate) fn key(random: &mut Random) -> String {
    let (high, low) = (random.next(), random.next());
    let hex = format!("{high:016x}{low:016x}");
    let mut parts = Vec::new();
    for (from, to) in [(0, 8), (8, 12), (12, 16), (16, 20), (20, 32)] {
        parts.push(hex.get(from..to).unwrap_or_default());
    }
    parts.join("-")
}
