//! Keeps presence servers told of the loop's people and of those whom it watches, whatever happens to the ring and
//! to the servers.

use std::{rc::Rc, time::Duration};

use cluster::RingWatch;
use rpc::{Call, Reply};
use tokio::time::{Instant, sleep_until};
use tracing::debug;

use crate::{core::Shell, presence::Due, subscribe::back_off};

/// People per call.
const PEOPLE_PER_CALL: usize = 1_000;
/// Everything is told again after this time: a third of the lease that presence servers give.
const RENEW_EVERY: Duration = Duration::from_secs(20);
/// First wait after something was not taken; doubles up to [`WAIT_MAX`].
const WAIT_MIN: Duration = Duration::from_millis(25);
const WAIT_MAX: Duration = Duration::from_millis(500);
/// Deadline of a call.
const CALL_TIMEOUT: Duration = Duration::from_secs(2);

/// Runs until the loop ends. One round of calls at a time, so that none overtakes another.
pub(crate) async fn run(shell: Rc<Shell>, mut ring: RingWatch) {
    let mut known = ring.borrow_and_update().clone();
    let mut ring_open = true;
    let mut renew_at = Instant::now() + RENEW_EVERY;
    let mut failures = 0;
    loop {
        let current = ring.borrow_and_update().clone();
        if current.epoch() != known.epoch() {
            let mut hub = shell.hub.borrow_mut();
            hub.presence_mut()
                .moved(|person| known.owner(person.topic()).node != current.owner(person.topic()).node);
            known = current;
        }
        if renew_at <= Instant::now() {
            shell.hub.borrow_mut().presence_mut().renew();
            renew_at = Instant::now() + RENEW_EVERY;
        }
        let due = shell.hub.borrow_mut().presence_mut().take_due(PEOPLE_PER_CALL, shell.now_ms());
        let pause_until = if due.is_empty() {
            renew_at
        } else if tell(&shell, due).await == 0 {
            failures = 0;
            continue;
        } else {
            failures += 1;
            Instant::now() + back_off(failures, WAIT_MIN, WAIT_MAX)
        };
        let failing = failures > 0;
        tokio::select! {
            () = shell.presence_due.notified(), if !failing => {}
            () = sleep_until(pause_until) => {}
            changed = ring.changed(), if ring_open => ring_open = changed.is_ok(),
        }
    }
}

/// Tells presence servers, and notes what they did not take. How many that is.
async fn tell(shell: &Shell, due: Due) -> usize {
    let call = Call { timeout: CALL_TIMEOUT, ..shell.call() };
    let (node, port) = (&shell.node, &shell.presence);
    let (reports, watches, left) = tokio::join!(
        port.report(&call, node.clone(), due.reports.clone()),
        port.watch(&call, node.clone(), due.watches.clone()),
        port.unwatch(&call, node.clone(), due.leaving.clone()),
    );
    if let Err(error) = left {
        debug!(%error, "presence servers were not told who is not watched any more");
    }
    let (reports, watches): (Vec<Reply>, Vec<Reply>) =
        (reports.unwrap_or_default(), watches.unwrap_or_default());
    let failed = shell.hub.borrow_mut().presence_mut().answered(&due, &reports, &watches);
    shell.metrics.presence_failed.inc_by(failed as u64);
    if failed > 0 {
        debug!(node = %shell.node, people = failed, "presence servers did not take everything, trying again");
    }
    failed
}
