//! What an operator looks at: health, metrics, the journey of a message.

use anyhow::{Context, Result};
use harness::http::Api;
use harness::sandbox::Sandbox;
use harness::socket::{Socket, boot_positions};
use reqwest::Method;

async fn get(server: &Sandbox, path: &str) -> Result<(u16, String)> {
    let response = Api::new(server.url(), None).request(Method::GET, path).send().await?;
    Ok((response.status().as_u16(), response.text().await?))
}

#[tokio::test]
async fn health_and_metrics_answer() -> Result<()> {
    let server = Sandbox::start().await?;
    assert_eq!(get(&server, "/healthz").await?.0, 200);
    assert_eq!(get(&server, "/readyz").await?.0, 200);
    let before = sum_of_counters(&get(&server, "/metrics").await?.1);
    server.bot().post(server.channel("general")?, "counted").await?;
    let (status, text) = get(&server, "/metrics").await?;
    assert_eq!(status, 200);
    assert!(text.contains("# TYPE"), "{text}");
    assert!(sum_of_counters(&text) > before, "a post changes no counter: {text}");
    Ok(())
}

fn sum_of_counters(text: &str) -> f64 {
    let lines = text.lines().filter(|line| !line.starts_with('#') && line.contains("_total"));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

#[tokio::test]
async fn the_page_is_served_or_says_how_to_build_it() -> Result<()> {
    let server = Sandbox::start().await?;
    let (status, text) = get(&server, "/").await?;
    assert_eq!(status, 200);
    assert!(text.to_ascii_lowercase().contains("<html"), "{text:.300}");
    Ok(())
}

#[tokio::test]
async fn a_message_tells_its_journey() -> Result<()> {
    let server = Sandbox::start().await?;
    let (ann, bo) = (server.person(0)?, server.person(1)?);
    let general = server.channel("general")?;
    let positions = boot_positions(&bo).await?;
    let mut socket = Socket::realtime(&bo).await?;
    socket.resume(&positions).await?;
    socket.all_live(&positions).await?;
    let ts = ann.post(general, "where are you").await?;
    let event = socket.until("the message", |frame| frame["ts"] == ts.as_str()).await?;
    let journey = ann.ok("parlance.journey", &[("channel", general), ("ts", &ts)]).await?;
    assert_eq!(journey["seq"], event["_p"]["s"]);
    assert!(journey["trace_id"].as_str().is_some_and(|id| id.len() == 32), "{journey}");
    let gateways = journey["gateways"].as_array().context("gateways")?;
    let written =
        gateways.iter().find(|gateway| gateway["sockets"].as_u64() > Some(0)).context("no gateway wrote")?;
    let times = [
        &journey["accepted_us"],
        &journey["committed_us"],
        &journey["admin_us"],
        &journey["channel_server"]["received_us"],
        &journey["channel_server"]["sent_us"],
        &written["received_us"],
        &written["written_us"],
    ];
    let times: Vec<u64> =
        times.iter().map(|time| time.as_u64().with_context(|| journey.to_string())).collect::<Result<_>>()?;
    assert!(times.is_sorted(), "{journey}");
    assert!(times.last().unwrap() - times[0] < 30_000_000, "{journey}");
    let error = ann.refused("parlance.journey", &[("channel", general), ("ts", "1.000001")]).await?;
    assert_eq!(error, "message_not_found");
    Ok(())
}
