//! The process stands still: a virtual machine that is moved, a laptop that sleeps (fault 6 of the matrix).

use std::time::Duration;

use anyhow::Result;
use harness::sandbox::Options;

use super::{RECOVERED_WITHIN, at_work, long, no_panic};
use crate::campaign::DELIVER_WITHIN;

/// Longer than any request is waited for by its client (30 s), a head or a body by the server.
const LONGER_THAN_EVERY_TIMEOUT: Duration = Duration::from_secs(35);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_stood_still_goes_on_as_if_nothing_had_been() -> Result<()> {
    let (server, mut campaign) = at_work(Options::default()).await?;
    let before = campaign.rate(Duration::from_secs(2)).await?;
    let mut pauses = vec![Duration::from_secs(5), LONGER_THAN_EVERY_TIMEOUT];
    if long() {
        pauses.push(Duration::from_secs(150));
    }
    let longest = pauses.iter().copied().max().unwrap_or_default();
    for pause in pauses {
        server.signal("STOP").await?;
        campaign.run_for(pause).await?;
        server.signal("CONT").await?;
        campaign.recovers(before, RECOVERED_WITHIN).await?;
        campaign.resolved().await?;
        println!("stood still for {pause:?}; other answers so far: {:?}", campaign.load.answers());
    }
    no_panic(&server)?;
    // What was acknowledged in the moment before it stood still is delivered when it goes on.
    campaign.judge(&server, longest + DELIVER_WITHIN).await?;
    Ok(())
}
