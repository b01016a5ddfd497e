//! A topic, case by case.

use channel::topic::{Published, Topic, TopicLimits, Wants};
use model::Position;
use rpc::{Signal, SignalKind};

use crate::world::{Sent, at, event, topic};

const LIMITS: TopicLimits = TopicLimits {
    history_events_max: 3,
    history_bytes_max: 1 << 20,
    early_events_max: 2,
    early_bytes_max: 1 << 20,
    hole_events_max: 10,
};

/// A topic under test and what it sent.
struct Case {
    topic: Topic,
    sent: Sent,
    limits: TopicLimits,
}

impl Case {
    fn unknown() -> Self {
        Self { topic: Topic::new(topic(1)), sent: Sent::default(), limits: LIMITS }
    }

    /// A topic whose head is `seq`.
    fn at(seq: u64) -> Self {
        let mut case = Self::unknown();
        case.topic.learn(at(1, seq), &LIMITS, &mut case.sent);
        case
    }

    fn publish(&mut self, position: Position) -> Published {
        let event = event(self.topic_id(), position, "{}");
        self.topic.publish(event, &self.limits, &mut self.sent)
    }

    fn subscribe(&mut self, gateway: u32, has: Position) -> String {
        self.topic.subscribe(gateway, has, &mut self.sent);
        self.sent.take()
    }

    fn topic_id(&self) -> model::Topic {
        topic(1)
    }
}

#[test]
fn the_first_event_seen_is_not_taken_for_the_first_there_was() {
    let mut case = Case::unknown();
    assert_eq!(case.subscribe(1, at(1, 3)), "");
    assert_eq!(case.publish(at(1, 9)), Published::Held);
    assert_eq!(case.topic.wants(), Wants::Head);
    assert_eq!(case.sent.take(), "");
    case.topic.learn(at(1, 9), &case.limits, &mut case.sent);
    assert_eq!(case.sent.take(), "1:h9", "4 to 8 are missing, so the gateway reads");
}

#[test]
fn events_held_before_the_head_was_known_are_used() {
    let mut case = Case::unknown();
    case.subscribe(1, at(1, 4));
    case.publish(at(1, 5));
    case.publish(at(1, 6));
    case.topic.learn(at(1, 5), &case.limits, &mut case.sent);
    assert_eq!(case.sent.take(), "1:e5 1:e6");
    assert_eq!(case.topic.wants(), Wants::Nothing);
}

#[test]
fn a_subscriber_gets_exactly_what_it_lacks() {
    let mut case = Case::at(5);
    for seq in 6..=9 {
        assert_eq!(case.publish(at(1, seq)), Published::Sent);
    }
    assert_eq!(case.sent.take(), "", "nobody listened");
    for (has, expected) in [
        (at(1, 9), ""),
        (at(1, 8), "1:e9"),
        (at(1, 6), "1:e7 1:e8 1:e9"),
        (at(1, 5), "1:h9"),
        (at(1, 0), "1:h9"),
    ] {
        assert_eq!(case.subscribe(1, has), expected, "{has:?}");
    }
    case.publish(at(1, 10));
    assert_eq!(case.sent.take(), "1:e10", "one subscription, however often it was made");
}

#[test]
fn a_gateway_that_is_ahead_gets_nothing_twice_and_shows_a_hole() {
    let mut case = Case::at(5);
    assert_eq!(case.subscribe(1, at(1, 7)), "");
    assert_eq!(case.topic.wants(), Wants::Events { after: at(1, 5) });
    case.subscribe(2, at(1, 5));
    for seq in 6..=8 {
        case.publish(at(1, seq));
    }
    assert_eq!(case.sent.take(), "2:e6 2:e7 1:e8 2:e8");
    assert_eq!(case.topic.wants(), Wants::Nothing);
}

#[test]
fn duplicates_go_nowhere() {
    let mut case = Case::at(0);
    case.subscribe(1, Position::START);
    assert_eq!(case.publish(at(1, 1)), Published::Sent);
    assert_eq!(case.publish(at(1, 1)), Published::Known);
    assert_eq!(case.publish(at(1, 3)), Published::Held);
    assert_eq!(case.publish(at(1, 3)), Published::Known);
    assert_eq!(case.publish(at(1, 2)), Published::Sent);
    assert_eq!(case.publish(at(1, 2)), Published::Known);
    assert_eq!(case.sent.take(), "1:e1 1:e2 1:e3");
}

#[test]
fn early_events_wait_within_a_bound_and_the_nearest_stay() {
    let mut case = Case::at(0);
    case.subscribe(1, Position::START);
    assert_eq!(case.publish(at(1, 4)), Published::Held);
    assert_eq!(case.publish(at(1, 3)), Published::Held);
    assert_eq!(case.publish(at(1, 5)), Published::Dropped);
    assert_eq!(case.publish(at(1, 2)), Published::Held, "4 makes room");
    assert_eq!(case.topic.wants(), Wants::Events { after: at(1, 0) }, "5 is not forgotten");
    assert_eq!(case.publish(at(1, 1)), Published::Sent);
    assert_eq!(case.sent.take(), "1:e1 1:e2 1:e3");
    assert_eq!(case.topic.wants(), Wants::Events { after: at(1, 3) });
    let page = [4, 5].map(|seq| event(topic(1), at(1, seq), "{}"));
    assert!(case.topic.fill(at(1, 3), page.to_vec(), at(1, 5), &case.limits, &mut case.sent));
    assert_eq!(case.sent.take(), "1:e4 1:e5");
    assert_eq!(case.topic.wants(), Wants::Nothing);
}

#[test]
fn what_was_read_goes_before_what_was_held() {
    let mut case = Case::at(0);
    case.subscribe(1, Position::START);
    for seq in [2, 4] {
        let held = event(topic(1), at(1, seq), "as it was");
        assert_eq!(case.topic.publish(held, &case.limits, &mut case.sent), Published::Held);
    }
    let read = [1, 2, 3].map(|seq| event(topic(1), at(1, seq), "as it is"));
    case.topic.fill(at(1, 0), read.to_vec(), at(1, 4), &case.limits, &mut case.sent);
    let body = |(_, delivery)| match delivery {
        rpc::Delivery::Event(event) => event.body,
        other => panic!("{other:?}"),
    };
    let bodies: Vec<_> = case.sent.0.drain(..).map(body).collect();
    assert_eq!(bodies, ["as it is", "as it is", "as it is", "as it was"], "4 was not read");
    assert_eq!(case.topic.wants(), Wants::Nothing);
}

#[test]
fn early_bytes_are_bounded() {
    let mut case = Case::at(0);
    case.limits.early_bytes_max = 10;
    assert_eq!(case.publish(at(1, 2)), Published::Dropped);
    assert_eq!(case.topic.bytes(), 0);
}

#[test]
fn history_is_bounded_by_events_and_bytes() {
    let mut case = Case::at(0);
    let one = {
        case.publish(at(1, 1));
        case.topic.bytes()
    };
    for seq in 2..=9 {
        case.publish(at(1, seq));
    }
    assert_eq!(case.topic.bytes(), 3 * one);
    case.limits.history_bytes_max = 2 * one;
    case.publish(at(1, 10));
    assert_eq!(case.topic.bytes(), 2 * one);
    assert_eq!(case.subscribe(1, at(1, 8)), "1:e9 1:e10");
    case.limits = case.limits.nothing_kept();
    case.publish(at(1, 11));
    assert_eq!((case.topic.bytes(), case.sent.take()), (0, "1:e11".to_owned()));
}

#[test]
fn an_announcement_makes_the_hole_known() {
    let mut case = Case::at(5);
    case.topic.announce(at(1, 5));
    assert_eq!(case.topic.wants(), Wants::Nothing);
    case.topic.announce(at(1, 4));
    assert_eq!(case.topic.wants(), Wants::Nothing);
    case.topic.announce(at(1, 6));
    assert_eq!(case.topic.wants(), Wants::Events { after: at(1, 5) });
}

#[test]
fn a_long_hole_is_read_by_the_gateways() {
    let mut case = Case::at(5);
    case.subscribe(1, at(1, 5));
    case.subscribe(2, at(1, 30));
    assert_eq!(case.publish(at(1, 9)), Published::Held, "the head passes over it");
    let page = vec![event(topic(1), at(1, 6), "{}")];
    assert!(case.topic.fill(at(1, 5), page, at(1, 30), &case.limits, &mut case.sent));
    assert_eq!(case.sent.take(), "1:h30", "the second has it");
    assert_eq!(case.topic.bytes(), 0);
    assert_eq!(case.publish(at(1, 31)), Published::Sent);
    assert_eq!(case.sent.take(), "1:e31 2:e31");
}

#[test]
fn a_new_generation_starts_from_the_store() {
    let mut case = Case::at(5);
    case.subscribe(1, at(1, 5));
    assert_eq!(case.publish(at(2, 4)), Published::Held, "a topic restored to 3 and changed since");
    assert_eq!(case.topic.wants(), Wants::Events { after: at(1, 5) });
    assert!(case.topic.reset(at(1, 5), at(2, 3), &case.limits, &mut case.sent));
    assert_eq!(case.sent.take(), "1:h3.2 1:e4.2");
    assert_eq!(case.publish(at(1, 6)), Published::Known, "from before the restoration");
    assert_eq!(case.subscribe(2, at(1, 4)), "2:h4.2");
    assert_eq!(case.publish(at(2, 5)), Published::Sent);
    assert_eq!(case.sent.take(), "1:e5.2 2:e5.2");
}

#[test]
fn a_reset_that_events_overtook_changes_nothing() {
    let mut case = Case::at(5);
    case.publish(at(1, 6));
    assert!(!case.topic.reset(at(1, 5), at(1, 5), &case.limits, &mut case.sent));
    assert_eq!(case.topic.head(), Some(at(1, 6)));
}

#[test]
fn the_store_is_believed_even_where_it_goes_back() {
    let mut case = Case::at(9);
    case.subscribe(1, at(1, 9));
    assert!(case.topic.reset(at(1, 9), at(1, 4), &case.limits, &mut case.sent));
    assert_eq!(case.sent.take(), "1:h4");
    assert_eq!(case.topic.wants(), Wants::Nothing);
}

#[test]
fn who_left_gets_nothing() {
    let mut case = Case::at(0);
    case.subscribe(1, Position::START);
    case.subscribe(2, Position::START);
    case.topic.unsubscribe(1);
    case.publish(at(1, 1));
    assert_eq!(case.sent.take(), "2:e1");
    case.topic.retain(|gateway| gateway != 2);
    case.publish(at(1, 2));
    assert_eq!(case.sent.take(), "");
}

#[test]
fn a_trimmed_topic_keeps_its_place() {
    let mut case = Case::at(0);
    case.subscribe(1, Position::START);
    case.publish(at(1, 1));
    case.sent.take();
    case.topic.trim();
    assert_eq!(case.topic.bytes(), 0);
    assert_eq!(case.subscribe(2, Position::START), "2:h1");
    case.publish(at(1, 2));
    assert_eq!(case.sent.take(), "1:e2 2:e2");
}

#[test]
fn what_never_existed_is_given_up() {
    let mut case = Case::at(5);
    case.topic.announce(at(1, 99));
    case.publish(at(1, 8));
    case.topic.give_up();
    assert_eq!((case.topic.wants(), case.topic.bytes()), (Wants::Nothing, 0));
}

#[test]
fn signals_go_to_every_listener() {
    let mut case = Case::at(0);
    case.subscribe(1, Position::START);
    case.subscribe(2, Position::START);
    let signal = Signal {
        topic: topic(1),
        kind: SignalKind::Typing,
        except: None,
        body: bytes::Bytes::from_static(b"{}"),
    };
    case.topic.signal(&signal, &mut case.sent);
    assert_eq!(case.sent.take(), "1:s 2:s");
}

#[test]
fn an_idle_topic_is_small() {
    // What the map adds is measured by `cargo bench -p channel --bench idle`.
    assert!(size_of::<Topic>() <= 104, "{}", size_of::<Topic>());
}
