//! The log of commits: what other processes learn of a transaction. How its rows are written and read.

use model::{CredentialId, Generation, Head, Position, Seq, Topic, TopicId, WorkspaceId};

use crate::{
    Changed, StoreError,
    tx::{Row, ToValue, Value},
};

/// Bytes of a head: workspace, topic, generation, seq; little-endian.
const HEAD_BYTES: usize = 8 + 8 + 4 + 8;

/// What a transaction did that others must learn of.
#[derive(Debug, Default)]
pub(crate) struct Commit {
    /// Heads of the topics that it moved.
    pub(crate) heads: Vec<Head>,
    /// Credentials that it revoked.
    pub(crate) revoked: Vec<CredentialId>,
}

impl Commit {
    /// Nobody has to learn anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.heads.is_empty() && self.revoked.is_empty()
    }

    /// The columns `heads, revoked`.
    pub(crate) fn columns(&self) -> [Value; 2] {
        let revoked: Vec<u8> = self.revoked.iter().flat_map(|id| id.0).collect();
        let revoked = if revoked.is_empty() { Value::Null } else { revoked.as_slice().to_value() };
        [encode(&self.heads).as_slice().to_value(), revoked]
    }
}

/// Reads rows of `n, heads, revoked`: their numbers, and what they say together.
pub(crate) fn read<N: crate::tx::FromValue>(rows: Vec<Row>) -> Result<(Vec<N>, Changed), StoreError> {
    let mut numbers = Vec::with_capacity(rows.len());
    let mut changed = Changed::default();
    for mut row in rows {
        numbers.push(row.take()?);
        changed.heads.extend(decode(&row.take::<Vec<u8>>()?)?);
        let revoked: Option<Vec<u8>> = row.take()?;
        for id in revoked.unwrap_or_default().chunks(16) {
            let id = id.try_into().map_err(|_| StoreError::Corrupt { what: "revocation" })?;
            changed.revoked.push(CredentialId(id));
        }
    }
    changed.heads = newest(changed.heads);
    Ok((numbers, changed))
}

/// Writes heads.
fn encode(heads: &[Head]) -> Vec<u8> {
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
fn decode(bytes: &[u8]) -> Result<Vec<Head>, StoreError> {
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
fn newest(heads: impl IntoIterator<Item = Head>) -> Vec<Head> {
    let mut newest = std::collections::HashMap::new();
    for head in heads {
        let position = newest.entry(head.topic).or_insert(head.position);
        *position = head.position.max(*position);
    }
    newest.into_iter().map(|(topic, position)| Head { topic, position }).collect()
}
