//! How the heads of a transaction stand in `commits.heads`.

use model::{Generation, Head, Position, Seq, Topic, TopicId, WorkspaceId};

use crate::StoreError;

/// Bytes of a head: workspace, topic, generation, seq; little-endian.
const HEAD_BYTES: usize = 8 + 8 + 4 + 8;

/// Writes heads.
pub(crate) fn encode(heads: &[Head]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(heads.len() * HEAD_BYTES);
    for head in heads {
        bytes.extend(head.topic.workspace.raw().to_le_bytes());
        bytes.extend(head.topic.id.raw().to_le_bytes());
        bytes.extend(head.position.generation.0.to_le_bytes());
        bytes.extend(head.position.seq.raw().to_le_bytes());
    }
    bytes
}

/// Reads what [`encode`] made.
pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<Head>, StoreError> {
    bytes
        .chunks(HEAD_BYTES)
        .map(|bytes| one(bytes).ok_or(StoreError::Corrupt { what: "log number" }))
        .collect()
}

fn one(bytes: &[u8]) -> Option<Head> {
    let number = |bytes: &[u8]| Some(u64::from_le_bytes(bytes.try_into().ok()?));
    let (workspace, rest) = bytes.split_at_checked(8)?;
    let (topic, rest) = rest.split_at_checked(8)?;
    let (generation, seq) = rest.split_at_checked(4)?;
    let topic = Topic {
        workspace: WorkspaceId::from_raw(number(workspace)?),
        id: TopicId::from_raw(number(topic)?)?,
    };
    let generation = Generation(u32::from_le_bytes(generation.try_into().ok()?));
    Some(Head { topic, position: Position { generation, seq: Seq::new(number(seq)?) } })
}

/// The newest head of each topic.
pub(crate) fn newest(heads: impl IntoIterator<Item = Head>) -> Vec<Head> {
    let mut newest = std::collections::HashMap::new();
    for head in heads {
        let position = newest.entry(head.topic).or_insert(head.position);
        *position = head.position.max(*position);
    }
    newest.into_iter().map(|(topic, position)| Head { topic, position }).collect()
}
