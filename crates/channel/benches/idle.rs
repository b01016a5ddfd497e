//! What a topic costs in which nothing happens: growth of resident memory over many topics that gateways listen to, each of
//! which had a message once, with the allocator of the product.
//!
//! `cargo bench -p channel --bench idle` prints its figures as `parlance bench … --json` does.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measurement, not the product"
)]

mod world;

use std::{ops::Range, time::Duration};

use bytes::Bytes;
use channel::role::Config;
use rpc::Reply;
use runtime::Tasks;
use serde_json::{Value, json};
use world::{World, call, event, subscribe, world};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Topics that are there before anything is measured: pools and queues have their size then.
const BEFORE: u64 = 20_000;
/// Topics that are measured.
const IDLE: u64 = 400_000;
/// Topics that are used at a time: what use takes for a moment is not what idleness costs.
const STEP: u64 = 10_000;
/// Events that are published by one call.
const BATCH: u64 = 500;
const BODY_BYTES: usize = 400;

/// Memory of this process in bytes (Linux).
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1024.0
}

/// A gateway listens to topics, each has a message, and then all are idle.
async fn used_once(world: &World, topics: Range<u64>) {
    let (port, call, body) = (world.slot.port(), call(), Bytes::from(vec![b'x'; BODY_BYTES]));
    let gateway = world.gateways.first().unwrap();
    for from in topics.clone().step_by(usize::try_from(STEP).unwrap()) {
        let step = from..topics.end.min(from + STEP);
        subscribe(world, gateway, step.clone(), 0).await;
        for first in step.clone().step_by(usize::try_from(BATCH).unwrap()) {
            let events = (first..step.end.min(first + BATCH)).map(|number| event(number, 1, &body)).collect();
            let replies = port.publish(&call, events).await.unwrap();
            assert!(replies.iter().all(|reply| *reply == Reply::Ok));
            let due = step.end.min(first + BATCH);
            gateway.events.subscribe().wait_for(|seen| *seen == due).await.unwrap();
        }
        while world.metrics.history_bytes.get() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Bytes per topic with one gateway, and what each further one adds.
async fn idle() -> (f64, f64) {
    let tasks = Tasks::new();
    let config = Config { idle_after: Duration::from_millis(50), ..Config::default() };
    let world = world(3, config, &tasks);
    used_once(&world, 0..BEFORE).await;
    let none = resident();
    used_once(&world, BEFORE..BEFORE + IDLE).await;
    let one = resident();
    assert_eq!(world.metrics.topics.get(), i64::try_from(BEFORE + IDLE).unwrap(), "all are there");
    for gateway in world.gateways.iter().skip(1) {
        subscribe(&world, gateway, 0..BEFORE + IDLE, 1).await;
    }
    let three = resident();
    tasks.start_drain();
    tasks.ended().await;
    let topics = f64::from(u32::try_from(IDLE).unwrap());
    ((one - none) / topics, (three - one) / topics / 2.0)
}

fn figure(name: &str, bytes: f64) -> Value {
    json!({ "figure": name, "value": bytes, "unit": "B", "spread": [bytes, bytes], "rounds": 1 })
}

fn main() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    let (one, further) = runtime.block_on(idle());
    let figures = [
        figure("resident memory per idle topic, one gateway", one),
        figure("resident memory per idle topic, each further gateway", further),
    ];
    println!("{}", serde_json::to_string_pretty(&figures).unwrap());
}
