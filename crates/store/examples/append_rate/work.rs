//! What is posted, and by whom.

use std::time::Duration;

use model::{ChannelId, ChannelName, Draft, MessageText, Role, UserId, WorkspaceId};
use store::{By, NewPerson, Write, WriteKind};

pub(crate) const ANN: UserId = UserId::from_raw(2);
pub(crate) const TEXT: &str =
    "Ten days on the bench, and the worst clock is 0.8 s off; with the temperature table it is 0.3 s.";
pub(crate) const ROUND: Duration = Duration::from_secs(2);
pub(crate) const ROUNDS: usize = 3;
pub(crate) const NOW: i64 = 1_700_000_000_000_000;

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

pub(crate) fn channel(number: usize) -> ChannelId {
    ChannelId::from_raw(1_000 + u64::try_from(number).unwrap())
}

pub(crate) fn key(number: usize) -> String {
    format!("{number:08x}-0000-4000-8000-000000000000")
}

/// A workspace with `topics` channels, in batches.
pub(crate) fn workspace(id: WorkspaceId, topics: usize) -> Vec<Vec<Write>> {
    let owner = NewPerson {
        id: ANN,
        name: "ann".to_owned(),
        real_name: "Ann".to_owned(),
        email: "ann@example.org".to_owned(),
        password_hash: None,
        role: Role::Owner,
        tz: "UTC".to_owned(),
        quiet: true,
    };
    let mut kinds = vec![WriteKind::CreateWorkspace {
        name: "W".to_owned(),
        domain: format!("w{}", id.raw()),
        general: ChannelId::from_raw(10),
        random: ChannelId::from_raw(11),
        owner: Box::new(owner),
        only_first: false,
    }];
    let by = By { user: ANN, role: Role::Owner };
    for number in 0..topics {
        let name = ChannelName::parse(&format!("c{number}")).unwrap();
        kinds.push(WriteKind::CreateChannel { id: channel(number), name, private: false, by });
    }
    let writes: Vec<Write> = kinds.into_iter().map(|kind| Write { workspace: id, kind }).collect();
    writes.chunks(500).map(<[Write]>::to_vec).collect()
}

/// The posts from number `from` on, spread over `topics` channels.
pub(crate) fn posts(workspace: WorkspaceId, from: usize, count: usize, topics: usize) -> Vec<Write> {
    let post = |number: usize| {
        let draft = Draft {
            channel: channel(number % topics),
            author: ANN,
            bot: None,
            subtype: None,
            text: MessageText::new(TEXT.to_owned()).unwrap(),
            blocks: None,
            attachments: None,
            metadata: None,
            client_msg_id: Some(key(number).parse().unwrap()),
            thread: None,
            broadcast: false,
            mentions: Vec::new(),
            mentions_everyone: false,
        };
        let kind = WriteKind::Post { draft: Box::new(draft), public_without_membership: false };
        Write { workspace, kind }
    };
    (from..from + count).map(post).collect()
}
