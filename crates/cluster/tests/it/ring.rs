//! Who owns what.

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use cluster::{Ring, RingError, Slot};
use model::{ChannelId, Epoch, Topic, TopicId, UserId, WorkspaceId};
use proptest::prelude::*;

use crate::{node, slot};

fn ring(slots: u64) -> Ring {
    let slots = (0..slots).map(|number| Slot {
        name: slot(&format!("slot-{number:02}")),
        node: node(&format!("channel-{number:02}"), 1),
    });
    Ring::new(Epoch(1), slots.collect()).unwrap()
}

/// Topics with ids as random as real ones.
fn topics(count: u64) -> impl Iterator<Item = Topic> {
    let random = |seed: u64| seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31);
    (0..count).map(move |number| {
        let workspace = WorkspaceId::from_random(random(number % 7));
        let id = match number % 5 {
            0 => TopicId::User(UserId::from_random(random(number))),
            1 => TopicId::Channel(ChannelId::direct_from_random(random(number))),
            _ => TopicId::Channel(ChannelId::from_random(random(number))),
        };
        Topic { workspace, id }
    })
}

/// The owners of a few topics are in a file: another version or machine must not see others.
#[test]
fn owners_are_the_same_for_ever() {
    let ring = ring(8);
    let mut owners = String::new();
    for topic in topics(64) {
        writeln!(owners, "{topic} {}", ring.owner(topic).name).unwrap();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/owners.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &owners).unwrap();
    }
    assert_eq!(owners, std::fs::read_to_string(&path).unwrap(), "changing owners needs a new HASH_SCHEME");
}

#[test]
fn topics_are_spread_evenly() {
    for slots in [2, 8, 32] {
        let ring = ring(slots);
        let mut owned: BTreeMap<_, u32> = BTreeMap::new();
        for topic in topics(100_000) {
            *owned.entry(ring.owner(topic).name.clone()).or_default() += 1;
        }
        let mean = 100_000.0 / f64::from(u32::try_from(slots).unwrap());
        let largest = f64::from(*owned.values().max().unwrap()) / mean;
        let smallest = f64::from(*owned.values().min().unwrap()) / mean;
        println!("{slots} slots: largest {largest:.3} of the mean, smallest {smallest:.3}");
        assert_eq!(owned.len(), usize::try_from(slots).unwrap());
        assert!(largest < 1.2 && smallest > 0.8, "{slots} slots: {smallest} to {largest} of the mean");
    }
}

#[test]
fn a_ring_that_cannot_be_is_refused() {
    let of = |name: &str, serving: &str| Slot { name: slot(name), node: node(serving, 1) };
    assert_eq!(Ring::new(Epoch(1), Vec::new()), Err(RingError::Empty));
    let twice = vec![of("a", "x"), of("b", "y"), of("a", "z")];
    assert_eq!(Ring::new(Epoch(1), twice), Err(RingError::Twice(slot("a"))));
    let shared = vec![of("a", "x"), of("b", "x")];
    assert_eq!(Ring::new(Epoch(1), shared), Err(RingError::Shared(node("x", 1))));
    let ring = Ring::new(Epoch(1), vec![of("a", "x"), of("b", "y")]).unwrap();
    assert_eq!(ring.replaced(&slot("c"), node("z", 1)), Err(RingError::Unknown(slot("c"))));
    assert_eq!(ring.replaced(&slot("a"), node("y", 1)), Err(RingError::Shared(node("y", 1))));
    assert_eq!(ring.replaced(&slot("a"), node("x", 1)), Err(RingError::Shared(node("x", 1))));
}

#[test]
fn one_slot_owns_everything() {
    let ring = ring(1);
    assert!(topics(1_000).all(|topic| ring.owner(topic).name == slot("slot-00")));
}

proptest! {
    /// Another node behind a slot moves no topic between slots, and those of one slot between nodes.
    #[test]
    fn a_replacement_moves_one_slots_topics(slots in 1_u64..20, replaced in any::<prop::sample::Index>()) {
        let before = ring(slots);
        let name = replaced.get(before.slots()).name.clone();
        let after = before.replaced(&name, node("spare", 7)).unwrap();
        prop_assert_eq!(after.epoch(), Epoch(2));
        for topic in topics(500) {
            let (was, is) = (before.owner(topic), after.owner(topic));
            prop_assert_eq!(&was.name, &is.name);
            prop_assert_eq!(was.node != is.node, was.name == name);
        }
    }

    /// One slot more takes topics from the others, and nothing moves between those.
    #[test]
    fn a_new_slot_only_takes(slots in 1_u64..20) {
        let (before, after) = (ring(slots), ring(slots + 1));
        let new = &after.slots().last().unwrap().name;
        for topic in topics(500) {
            let is = &after.owner(topic).name;
            prop_assert!(is == new || *is == before.owner(topic).name);
        }
    }

    /// The order in which slots are given does not matter.
    #[test]
    fn the_order_of_slots_does_not_matter(mut order in Just((0..8_usize).collect::<Vec<_>>()).prop_shuffle()) {
        let straight = ring(8);
        let slots = order.drain(..).map(|index| straight.slots()[index].clone());
        prop_assert_eq!(&Ring::new(Epoch(1), slots.collect()).unwrap(), &straight);
    }
}
