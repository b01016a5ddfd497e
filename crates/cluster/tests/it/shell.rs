//! Control in a process. The time is tokio's paused one.

use std::time::Duration;

use cluster::{ControlConfig, ControlHandle, shell::first_document};
use model::Epoch;
use runtime::Tasks;
use tokio::time::{Instant, timeout};

use crate::{node, slot};

#[tokio::test(start_paused = true)]
async fn decisions_are_published_when_they_are_due() {
    let tasks = Tasks::new();
    let config = ControlConfig::default();
    let control = ControlHandle::start(config, first_document("channel", 8, 1).unwrap(), &tasks);
    let mut ring = control.ring();
    assert_eq!((ring.borrow().epoch(), ring.borrow().slots().len()), (Epoch(1), 8));
    control.offered(node("spare", 1)).unwrap();
    let lost = Instant::now();
    control.lost(&node("channel-03", 1));
    let long = Duration::from_secs(60);
    timeout(long, ring.wait_for(|ring| ring.epoch() == Epoch(2))).await.unwrap().unwrap();
    assert!(lost.elapsed() >= config.grace && lost.elapsed() < config.grace + Duration::from_millis(10));
    assert_eq!(ring.borrow().slot(&slot("slot-03")).unwrap().node, node("spare", 1));
    control.replace(&slot("slot-00"), node("channel-00", 2)).unwrap();
    assert_eq!(ring.borrow().epoch(), Epoch(3), "without waiting");
    assert_eq!(control.document().ring, **ring.borrow());
    assert!(control.replace(&slot("slot-99"), node("x", 1)).is_err());
    control.offered(node("another", 1)).unwrap();
    let drained = control.remove(&slot("slot-01")).unwrap();
    control.drained(&drained);
    assert_eq!(ring.borrow().slot(&slot("slot-01")).unwrap().node, node("another", 1));
    tasks.start_drain();
    timeout(long, tasks.ended()).await.unwrap();
    assert!(!tasks.failed().is_cancelled());
}
