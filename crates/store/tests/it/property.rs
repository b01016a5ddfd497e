//! Whatever people do, the stored state is what the log says: old view + events = fresh view (I4), and
//! counts recomputed from scratch are the stored ones.

use std::collections::BTreeMap;

use model::{Event, EventKind, Message, Position, Replies, Seq, TopicId, Ts, UserId};
use proptest::prelude::*;
use store::{EventsRead, WriteKind};

use crate::world::*;

/// One thing that somebody does; numbers choose among what exists.
#[derive(Debug, Clone)]
enum Step {
    Post(usize),
    Reply(usize, usize, bool),
    Edit(usize, usize),
    Delete(usize, usize),
    React(usize, usize, usize),
    Unreact(usize, usize, usize),
    Mark(usize, usize),
    Pin(usize, usize),
    Unpin(usize, usize),
    Follow(usize, usize, bool),
    MarkThread(usize, usize, usize),
    Kick,
    Invite,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..3usize).prop_map(Step::Post),
        4 => (0..3usize, 0..20usize, any::<bool>()).prop_map(|(user, at, all)| Step::Reply(user, at, all)),
        2 => (0..3usize, 0..20usize).prop_map(|(user, at)| Step::Edit(user, at)),
        3 => (0..3usize, 0..20usize).prop_map(|(user, at)| Step::Delete(user, at)),
        3 => (0..3usize, 0..20usize, 0..3usize).prop_map(|(user, at, name)| Step::React(user, at, name)),
        1 => (0..3usize, 0..20usize, 0..3usize).prop_map(|(user, at, name)| Step::Unreact(user, at, name)),
        1 => (0..3usize, 0..20usize).prop_map(|(user, at)| Step::Mark(user, at)),
        2 => (0..3usize, 0..20usize).prop_map(|(user, at)| Step::Pin(user, at)),
        1 => (0..3usize, 0..20usize).prop_map(|(user, at)| Step::Unpin(user, at)),
        1 => (0..3usize, 0..20usize, any::<bool>()).prop_map(|(user, at, on)| Step::Follow(user, at, on)),
        1 => (0..3usize, 0..20usize, 0..20usize).prop_map(|(user, at, to)| Step::MarkThread(user, at, to)),
        1 => Just(Step::Kick),
        1 => Just(Step::Invite),
    ];
    prop::collection::vec(step, 1..40)
}

fn kind(step: &Step, known: &[Ts]) -> WriteKind {
    let user = |index: &usize| [ANN, BO, CY][*index];
    let ts = |index: &usize| known.get(index % known.len().max(1)).copied().unwrap_or(Ts::ZERO);
    let emoji = |index: &usize| ["wave", "tada", "eyes"][*index].to_owned();
    let channel = SECRET;
    match step {
        Step::Post(who) => post(model::Draft { mentions: vec![BO], ..draft(channel, user(who), "said") }),
        Step::Reply(who, at, broadcast) => post(model::Draft {
            thread: Some(ts(at)),
            broadcast: *broadcast,
            mentions: vec![user(&((who + 1) % 3))],
            ..draft(channel, user(who), "reply")
        }),
        Step::Edit(who, at) => edit(channel, ts(at), user(who), "edited"),
        Step::Delete(who, at) => WriteKind::Delete { channel, ts: ts(at), by: by(user(who)) },
        Step::React(who, at, name) => {
            WriteKind::React { channel, ts: ts(at), by: by(user(who)), name: emoji(name) }
        }
        Step::Unreact(who, at, name) => {
            WriteKind::Unreact { channel, ts: ts(at), by: by(user(who)), name: emoji(name) }
        }
        Step::Mark(who, at) => WriteKind::Mark { channel, by: by(user(who)), ts: ts(at) },
        Step::Pin(who, at) => WriteKind::Pin { channel, ts: ts(at), by: by(user(who)) },
        Step::Unpin(who, at) => WriteKind::Unpin { channel, ts: ts(at), by: by(user(who)) },
        Step::Follow(who, at, active) => WriteKind::FollowThread {
            channel,
            thread: ts(at),
            by: by(user(who)),
            active: *active,
            last_read: None,
        },
        Step::MarkThread(who, at, to) => {
            WriteKind::MarkThread { channel, thread: ts(at), by: by(user(who)), ts: ts(to) }
        }
        Step::Kick => WriteKind::Kick { channel, by: by(ANN), user: BO },
        Step::Invite => WriteKind::Invite { channel, by: by(ANN), users: vec![BO, CY], force: true },
    }
}

/// What a client that applies events knows.
#[derive(Debug, Clone, Default, PartialEq)]
struct View(BTreeMap<Ts, Message>);

impl View {
    fn apply(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Message { message, parent } => {
                self.0.insert(message.ts, (**message).clone());
                self.parent(parent.as_ref());
            }
            EventKind::MessageChanged { message, .. } => {
                self.0.insert(message.ts, (**message).clone());
            }
            EventKind::MessageDeleted { ts, parent, tombstone, .. } => {
                match tombstone {
                    Some(tombstone) => self.0.insert(*ts, (**tombstone).clone()),
                    None => self.0.remove(ts),
                };
                self.parent(parent.as_ref());
            }
            EventKind::ReactionAdded(change) => {
                let Some(message) = self.0.get_mut(&change.ts) else { return };
                match message.reactions.iter_mut().find(|reaction| reaction.name == change.name) {
                    Some(reaction) if reaction.users.contains(&change.user) => {}
                    Some(reaction) => reaction.users.push(change.user),
                    None => message
                        .reactions
                        .push(model::Reaction { name: change.name.clone(), users: vec![change.user] }),
                }
            }
            EventKind::ReactionRemoved(change) => {
                let Some(message) = self.0.get_mut(&change.ts) else { return };
                for reaction in message.reactions.iter_mut().filter(|reaction| reaction.name == change.name) {
                    reaction.users.retain(|user| *user != change.user);
                }
                message.reactions.retain(|reaction| !reaction.users.is_empty());
            }
            EventKind::PinAdded(change) | EventKind::PinRemoved(change) => {
                if let Some(message) = self.0.get_mut(&change.message.ts) {
                    message.pinned = change.message.pinned;
                }
            }
            _ => {}
        }
    }

    fn parent(&mut self, parent: Option<&model::Parent>) {
        if let Some(parent) = parent
            && let Some(message) = self.0.get_mut(&parent.ts)
        {
            message.replies.clone_from(&parent.replies);
            message.thread = Some(parent.ts);
        }
    }

    /// Order among emoji and reactors is by time of the last change, which a catch-up cannot always tell.
    fn normal(mut self) -> Self {
        for message in self.0.values_mut() {
            message.reactions.sort_by(|a, b| a.name.cmp(&b.name));
            message.reactions.iter_mut().for_each(|reaction| reaction.users.sort());
        }
        self
    }
}

async fn fresh(world: &World) -> View {
    let mut view = View::default();
    for message in world.history(SECRET).await {
        let replies = world.store.replies(WS, SECRET, message.ts, all()).await.unwrap();
        view.0.extend(replies.into_iter().flat_map(|page| page.page.messages).map(|reply| (reply.ts, reply)));
        view.0.insert(message.ts, message);
    }
    view.normal()
}

/// What people know of the threads that they follow, from the events of their own topics and the rule that one's own
/// reply is read.
#[derive(Debug, Default)]
struct Following {
    threads: BTreeMap<(UserId, Ts), (Ts, bool)>,
    mentions: BTreeMap<Ts, Vec<UserId>>,
}

impl Following {
    fn apply(&mut self, event: &Event) {
        match (&event.kind, event.topic.id) {
            (
                EventKind::ThreadFollowed(subscription) | EventKind::ThreadMarked(subscription),
                TopicId::User(user),
            ) => {
                let standing = (subscription.last_read, subscription.active);
                self.threads.insert((user, subscription.thread), standing);
            }
            (EventKind::Message { message, .. }, _) if message.is_reply() => {
                let key = (message.author, message.thread.unwrap());
                self.threads.entry(key).or_insert((message.ts, true)).0 = message.ts;
            }
            (EventKind::MessageChanged { message, .. }, _) => {
                self.mentions.insert(message.ts, Vec::new());
            }
            // What remains of a deleted parent mentions nobody.
            (EventKind::MessageDeleted { ts, .. }, _) => {
                self.mentions.remove(ts);
            }
            _ => {}
        }
    }

    /// What is stored of read states is what follows from all that was said.
    async fn check(&self, world: &World, now: &View) {
        for who in [ANN, BO, CY] {
            let (channel, membership) = world.store.channel(WS, SECRET, Some(who)).await.unwrap().unwrap();
            let mentions =
                |message: &&Message| self.mentions.get(&message.ts).is_some_and(|users| users.contains(&who));
            let (mut unread, mut mentioned) = (0, 0);
            for (&(user, thread), &(last_read, active)) in &self.threads {
                if user != who {
                    continue;
                }
                let stored = world.store.subscription(WS, who, SECRET, thread).await.unwrap();
                let stored = stored.map(|stored| (stored.last_read, stored.active));
                assert_eq!(stored, Some((last_read, active)), "{who} in {thread}");
                if !active || membership.is_none() {
                    continue;
                }
                let replies = || {
                    let in_thread = |message: &&Message| message.is_reply() && message.thread == Some(thread);
                    now.0.values().filter(in_thread).filter(|reply| reply.ts > last_read)
                };
                unread += u64::from(replies().next().is_some());
                let only_here = replies().filter(|reply| !reply.in_channel()).filter(mentions);
                mentioned += u64::try_from(only_here.count()).unwrap();
            }
            let counts = world.store.thread_counts(WS, who).await.unwrap();
            assert_eq!((counts.unread, counts.mentions), (unread, mentioned), "threads of {who}");
            let Some(membership) = membership else { continue };
            let shown =
                now.0.values().filter(|message| message.in_channel() && message.ts > membership.last_read);
            let expect = u64::try_from(shown.filter(mentions).count()).unwrap();
            assert_eq!(membership.mention_count, expect, "mentions of {who}");
            assert_eq!(
                channel.pins,
                u64::try_from(now.0.values().filter(|message| message.pinned.is_some()).count()).unwrap()
            );
        }
    }
}

async fn run(steps: Vec<Step>, batch_size: usize) {
    let mut world = World::new().await;
    let mut following = Following::default();
    let mut view = fresh(&world).await;
    let mut snapshots = vec![(world.head(TopicId::Channel(SECRET)).await, view.clone())];
    let mut known = Vec::new();
    for chunk in steps.chunks(batch_size) {
        let kinds: Vec<WriteKind> = chunk.iter().map(|step| kind(step, &known)).collect();
        for (outcome, kind) in world.batch(kinds.clone()).await.unwrap().into_iter().zip(kinds) {
            if let Ok(store::Done::Posted { message, .. }) = &outcome.result {
                known.push(message.ts);
                let WriteKind::Post { draft, .. } = kind else { panic!() };
                following.mentions.insert(message.ts, draft.mentions);
            }
            outcome.events.iter().for_each(|event| following.apply(event));
            let of_channel = |event: &&Event| event.topic.id == TopicId::Channel(SECRET);
            outcome.events.iter().filter(of_channel).for_each(|event| view.apply(event));
        }
        snapshots.push((world.head(TopicId::Channel(SECRET)).await, fresh(&world).await));
    }
    let now = fresh(&world).await;
    assert_eq!(view.normal(), now, "live events");
    for (position, snapshot) in snapshots {
        let mut view = snapshot;
        let topic = model::Topic { workspace: WS, id: TopicId::Channel(SECRET) };
        let EventsRead::Events { events, .. } = world.store.events(topic, position, 1_000).await.unwrap()
        else {
            panic!()
        };
        let mut expect = position.seq;
        for event in &events {
            expect = expect.next();
            assert_eq!(event.seq(), expect, "no hole");
            view.apply(event);
        }
        assert_eq!(view.normal(), now, "catch-up from {position:?}");
    }
    recount(&world, &now).await;
    following.check(&world, &now).await;
}

/// Stored counts are those recomputed from all messages.
async fn recount(world: &World, now: &View) {
    let (channel, _) = world.store.channel(WS, SECRET, Some(ANN)).await.unwrap().unwrap();
    let counts = |message: &&Message| {
        let said = matches!(message.subtype, None | Some(model::Subtype::ThreadBroadcast));
        said && message.in_channel()
    };
    let latest = now.0.values().filter(counts).map(|message| message.ts).max().unwrap_or(Ts::ZERO);
    assert_eq!(channel.latest, latest, "newest that counts");
    let members = world.store.members(WS, SECRET, None, 10).await.unwrap();
    assert_eq!(channel.member_count, u64::try_from(members.len()).unwrap());
    for parent in now.0.values().filter(|message| !message.is_reply()) {
        let replies: Vec<&Message> = now
            .0
            .values()
            .filter(|message| message.is_reply() && message.thread == Some(parent.ts))
            .collect();
        let mut users: Vec<UserId> = replies.iter().map(|reply| reply.author).collect();
        users.sort();
        users.dedup();
        let expect = (!replies.is_empty()).then(|| {
            let latest = replies.iter().map(|reply| reply.ts).max().unwrap();
            (u64::try_from(replies.len()).unwrap(), latest, u64::try_from(users.len()).unwrap())
        });
        let stored = parent
            .replies
            .as_ref()
            .map(|Replies { count, latest, user_count, .. }| (*count, *latest, *user_count));
        assert_eq!(stored, expect, "replies of {:?}", parent.ts);
    }
    assert!(Position::START.seq == Seq::ZERO);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if std::env::var_os("PARLANCE_TEST_STORE").is_some() { 8 } else { 48 }, ..ProptestConfig::default() })]

    #[test]
    fn view_plus_events_is_the_fresh_view(steps in steps(), batch_size in 1..12usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(steps, batch_size));
    }
}
