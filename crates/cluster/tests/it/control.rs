//! Who serves a slot, case by case.

use std::time::Duration;

use cluster::{Control, ControlConfig, ControlError, RingError, shell::first_document};
use model::Epoch;
use proptest::prelude::*;

use crate::{node, slot};

const CONFIG: ControlConfig =
    ControlConfig { grace: Duration::from_secs(10), drain_max: Duration::from_secs(30) };

/// Two slots, served by `channel-00#1` and `channel-01#1`.
fn control() -> Control {
    Control::new(CONFIG, first_document("channel", 2, 1).unwrap())
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Epoch, nodes and spares in short.
fn state(control: &Control) -> String {
    let document = control.document();
    let nodes: Vec<String> = document.ring.slots().iter().map(|slot| slot.node.to_string()).collect();
    let spares: Vec<String> = document.spares.iter().map(ToString::to_string).collect();
    format!("{}: {} + {}", document.ring.epoch().0, nodes.join(" "), spares.join(" "))
}

#[test]
fn a_restarted_node_gets_its_slot_back() {
    let mut control = control();
    control.lost(&node("channel-00", 1), at(1));
    assert_eq!(state(&control), "1: channel-00#1 channel-01#1 + ", "restarting is not gone");
    assert_eq!(control.offered(node("channel-00", 2), at(5)), Ok(Some(slot("slot-00"))));
    assert_eq!(state(&control), "2: channel-00#2 channel-01#1 + ");
    control.offered(node("spare", 1), at(6)).unwrap();
    control.tick(at(100));
    assert_eq!(state(&control), "2: channel-00#2 channel-01#1 + spare#1", "the loss is forgotten");
}

#[test]
fn a_node_that_was_only_slow_keeps_its_slot() {
    let mut control = control();
    control.offered(node("spare", 1), at(0)).unwrap();
    control.lost(&node("channel-00", 1), at(1));
    assert_eq!(control.offered(node("channel-00", 1), at(5)), Ok(Some(slot("slot-00"))));
    control.tick(at(100));
    assert_eq!(state(&control), "1: channel-00#1 channel-01#1 + spare#1");
}

#[test]
fn a_spare_takes_the_slot_after_the_grace_period() {
    let mut control = control();
    assert_eq!(control.offered(node("spare", 1), at(0)), Ok(None));
    control.lost(&node("channel-01", 1), at(5));
    assert_eq!(control.next_tick(), Some(at(15)));
    control.tick(at(14));
    assert_eq!(control.ring().epoch(), Epoch(1));
    control.tick(at(15));
    assert_eq!(state(&control), "2: channel-00#1 spare#1 + ");
    assert_eq!(control.next_tick(), None);
    assert_eq!(control.offered(node("channel-01", 2), at(16)), Ok(None), "it comes back as a spare");
    assert_eq!(state(&control), "2: channel-00#1 spare#1 + channel-01#2");
}

#[test]
fn without_a_spare_the_next_that_offers_itself_takes_the_slot() {
    let mut control = control();
    control.lost(&node("channel-01", 1), at(5));
    control.tick(at(50));
    assert_eq!((control.ring().epoch(), control.next_tick()), (Epoch(1), None));
    assert_eq!(control.offered(node("late", 1), at(60)), Ok(Some(slot("slot-01"))));
    assert_eq!(state(&control), "2: channel-00#1 late#1 + ");
}

#[test]
fn an_older_start_is_refused() {
    let mut control = control();
    control.offered(node("channel-00", 3), at(0)).unwrap();
    let stale = node("channel-00", 2);
    assert_eq!(control.offered(stale.clone(), at(0)), Err(ControlError::Stale(stale)));
    control.offered(node("spare", 3), at(0)).unwrap();
    let stale = node("spare", 2);
    assert_eq!(control.offered(stale.clone(), at(0)), Err(ControlError::Stale(stale)));
    control.offered(node("spare", 4), at(0)).unwrap();
    assert_eq!(state(&control), "2: channel-00#3 channel-01#1 + spare#4");
}

#[test]
fn a_lost_spare_is_no_spare() {
    let mut control = control();
    control.offered(node("spare", 1), at(0)).unwrap();
    control.lost(&node("spare", 1), at(0));
    control.lost(&node("channel-00", 1), at(0));
    control.tick(at(100));
    assert_eq!(state(&control), "1: channel-00#1 channel-01#1 + ");
    control.lost(&node("nobody", 1), at(100));
    assert_eq!(state(&control), "1: channel-00#1 channel-01#1 + ");
}

#[test]
fn a_planned_removal_drains_first() {
    let mut control = control();
    assert_eq!(control.remove(&slot("slot-00"), at(0)), Err(ControlError::NoSpare(slot("slot-00"))));
    let unknown = ControlError::Ring(RingError::Unknown(slot("slot-09")));
    assert_eq!(control.remove(&slot("slot-09"), at(0)), Err(unknown));
    control.offered(node("spare", 1), at(0)).unwrap();
    assert_eq!(control.remove(&slot("slot-00"), at(0)), Ok(node("channel-00", 1)));
    assert_eq!(control.ring().epoch(), Epoch(1), "it serves while it drains");
    control.drained(&node("channel-01", 1));
    assert_eq!(control.ring().epoch(), Epoch(1), "nobody asked that one");
    control.drained(&node("channel-00", 1));
    assert_eq!(state(&control), "2: spare#1 channel-01#1 + ");
}

#[test]
fn a_drain_that_takes_too_long_or_fails_ends() {
    for ending in ["time", "loss"] {
        let mut control = control();
        control.offered(node("spare", 1), at(0)).unwrap();
        control.remove(&slot("slot-00"), at(5)).unwrap();
        match ending {
            "time" => {
                control.tick(at(34));
                assert_eq!(control.ring().epoch(), Epoch(1));
                control.tick(at(35));
            }
            _ => control.lost(&node("channel-00", 1), at(6)),
        }
        assert_eq!(state(&control), "2: spare#1 channel-01#1 + ", "{ending}");
    }
}

#[test]
fn an_operator_may_replace_at_once() {
    let mut control = control();
    control.offered(node("spare", 1), at(0)).unwrap();
    control.replace(&slot("slot-00"), node("spare", 1)).unwrap();
    assert_eq!(state(&control), "2: spare#1 channel-01#1 + ");
    let shared = ControlError::Ring(RingError::Shared(node("spare", 1)));
    assert_eq!(control.replace(&slot("slot-01"), node("spare", 1)), Err(shared));
}

/// What can happen.
#[derive(Debug, Clone)]
enum Step {
    Offered(u8, u64),
    Lost(u8, u64),
    Remove(u8),
    Drained(u8, u64),
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (name, incarnation) = (0..6_u8, 1..4_u64);
    let step = prop_oneof![
        (name.clone(), incarnation.clone()).prop_map(|(name, incarnation)| Step::Offered(name, incarnation)),
        (name.clone(), incarnation.clone()).prop_map(|(name, incarnation)| Step::Lost(name, incarnation)),
        name.clone().prop_map(Step::Remove),
        (name, incarnation).prop_map(|(name, incarnation)| Step::Drained(name, incarnation)),
        (0..20_u64).prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 1..80)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever happens: one node per slot and one slot per node, the epoch counts the changes, nobody is
    /// both in service and spare, and the document can be stored and read.
    #[test]
    fn a_ring_stays_a_ring(steps in steps()) {
        let mut control = Control::new(CONFIG, first_document("channel", 3, 1).unwrap());
        let mut now = Duration::ZERO;
        for step in steps {
            let before = control.ring().clone();
            let of = |name: u8, incarnation| node(&format!("channel-{name:02}"), incarnation);
            match step {
                Step::Offered(name, incarnation) => {
                    let _may_be_stale = control.offered(of(name, incarnation), now);
                }
                Step::Lost(name, incarnation) => control.lost(&of(name, incarnation), now),
                Step::Remove(number) => {
                    let _may_be_refused = control.remove(&slot(&format!("slot-{number:02}")), now);
                }
                Step::Drained(name, incarnation) => control.drained(&of(name, incarnation)),
                Step::Pass(seconds) => {
                    now += at(seconds);
                    control.tick(now);
                }
            }
            let after = control.ring();
            let moved = before.slots().iter().zip(after.slots()).filter(|(was, is)| was != is).count();
            prop_assert_eq!(after.epoch().0, before.epoch().0 + u64::try_from(moved).unwrap());
            let document = control.document();
            let read = cluster::Document::from_json(&document.to_json().unwrap()).unwrap();
            prop_assert_eq!(read, document);
        }
    }
}
