//! How fast a slot passes events on to gateways, beside the least that any fan-out must do (a bounded
//! queue and a task per gateway).
//!
//! `cargo bench -p channel --bench fanout`

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measurement, not the product"
)]

mod world;

use std::time::Duration;

use bytes::Bytes;
use channel::role::Config;
use rpc::{EventRecord, Reply};
use runtime::Tasks;
use tokio::{sync::mpsc, time::Instant};
use world::{call, event, subscribe, world};

/// Events of one measurement.
const EVENTS: u64 = 400_000;
/// Topics that they are spread over.
const TOPICS: u64 = 1_000;
/// Events that are published by one call.
const BATCH: u64 = 64;
/// Bytes of each event: a short message.
const BODY_BYTES: usize = 400;

/// Events per second through a slot. The publisher stays at most 2,000 events ahead of the gateways, so that
/// no queue overflows.
async fn through_host(gateways: usize) -> f64 {
    let tasks = Tasks::new();
    let world = world(gateways, Config::default(), &tasks);
    for gateway in &world.gateways {
        subscribe(&world, gateway, 0..TOPICS, 0).await;
    }
    let (port, call, body) = (world.slot.port(), call(), Bytes::from(vec![b'x'; BODY_BYTES]));
    let begin = Instant::now();
    for from in (0..EVENTS).step_by(usize::try_from(BATCH).unwrap()) {
        let events = (from..EVENTS.min(from + BATCH))
            .map(|number| event(number % TOPICS, number / TOPICS + 1, &body))
            .collect();
        let replies = port.publish(&call, events).await.unwrap();
        assert!(replies.iter().all(|reply| *reply == Reply::Ok));
        for gateway in &world.gateways {
            gateway.events.subscribe().wait_for(|seen| seen + 2_000 > from).await.unwrap();
        }
    }
    for gateway in &world.gateways {
        gateway.events.subscribe().wait_for(|seen| *seen == EVENTS).await.unwrap();
    }
    let took = begin.elapsed();
    tasks.start_drain();
    tasks.ended().await;
    per_second(took)
}

/// Events per second through a bounded queue and a task per gateway, and nothing else.
async fn through_queues(gateways: usize) -> f64 {
    let body = Bytes::from(vec![b'x'; BODY_BYTES]);
    let begin = Instant::now();
    let mut senders = Vec::new();
    let mut consumers = Vec::new();
    for _ in 0..gateways {
        let (sender, mut receiver) = mpsc::channel::<EventRecord>(2_000);
        senders.push(sender);
        consumers.push(tokio::spawn(async move {
            let mut seen = 0;
            let mut batch = Vec::new();
            while receiver.recv_many(&mut batch, 256).await > 0 {
                seen += u64::try_from(batch.len()).unwrap();
                batch.clear();
            }
            seen
        }));
    }
    for number in 0..EVENTS {
        let event = event(number % TOPICS, number / TOPICS + 1, &body);
        for sender in &senders {
            sender.send(event.clone()).await.unwrap();
        }
    }
    drop(senders);
    for consumer in consumers {
        assert_eq!(consumer.await.unwrap(), EVENTS);
    }
    per_second(begin.elapsed())
}

fn per_second(took: Duration) -> f64 {
    f64::from(u32::try_from(EVENTS).unwrap()) / took.as_secs_f64()
}

fn main() {
    let runtime =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    println!("{EVENTS} events of {BODY_BYTES} bytes, {TOPICS} topics, batches of {BATCH}, three rounds:");
    for gateways in [1, 2, 8] {
        for _ in 0..3 {
            let queues = runtime().block_on(through_queues(gateways));
            let host = runtime().block_on(through_host(gateways));
            println!(
                "  {gateways} gateways: host {host:.0} events/s, bare queues {queues:.0} events/s, ratio {:.2}",
                host / queues
            );
        }
    }
}
