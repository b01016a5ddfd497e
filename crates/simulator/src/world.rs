//! The workspace of a simulation: a handful of people with tokens, written before the first machine starts.

use std::path::Path;

use anyhow::Context;
use model::{ChannelId, Credential, Role, UserId, WorkspaceId};
use store::{Log, NewCredential, NewPerson, SecretHash, Write, WriteKind};

use crate::log::CHECKPOINT_ITEMS;

/// People. The first is the owner.
pub(crate) const PEOPLE: usize = 4;

/// Somebody with a token that may do everything.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    /// Their id.
    pub(crate) id: UserId,
    /// For the trace.
    pub(crate) name: String,
    /// A user token.
    pub(crate) token: String,
}

/// The workspace.
#[derive(Debug, Clone)]
pub(crate) struct World {
    /// Everybody is in it.
    pub(crate) general: ChannelId,
    /// By [`PEOPLE`].
    pub(crate) people: Vec<Person>,
}

impl World {
    /// Writes a workspace into an empty directory.
    ///
    /// # Errors
    /// The store's.
    pub(crate) fn make(dir: &Path, now: i64) -> anyhow::Result<Self> {
        let (log, _store) = store::sqlite::open_single_threaded(dir, CHECKPOINT_ITEMS)?;
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        runtime.block_on(write(log, now))
    }
}

async fn write(mut log: impl Log, now: i64) -> anyhow::Result<World> {
    let workspace = WorkspaceId::from_random(0x51);
    let (general, random) = (ChannelId::from_random(0x6e), ChannelId::from_random(0x4a));
    let mut people = Vec::new();
    let mut kinds = Vec::new();
    for (number, name) in ["ann", "bo", "cy", "di"].into_iter().enumerate().take(PEOPLE) {
        let id = UserId::from_random(100 + u64::try_from(number)?);
        let token = api::tokens::generate(Credential::User, workspace, None)?;
        let role = if number == 0 { Role::PrimaryOwner } else { Role::Member };
        let newcomer = Box::new(NewPerson {
            id,
            name: name.to_owned(),
            real_name: name.to_owned(),
            email: format!("{name}@example.org"),
            password_hash: None,
            role,
            tz: "UTC".to_owned(),
            quiet: true,
        });
        kinds.push(if number == 0 {
            WriteKind::CreateWorkspace {
                name: "Simulation".to_owned(),
                domain: "simulation".to_owned(),
                general,
                random,
                owner: newcomer,
                only_first: true,
            }
        } else {
            WriteKind::AddPerson(newcomer)
        });
        kinds.push(WriteKind::AddCredential(NewCredential {
            secret: SecretHash::of(&token),
            kind: Credential::User,
            user: Some(id),
            bot: None,
            app: None,
            scopes: api::methods::every_scope(Credential::User),
            expires: None,
        }));
        people.push(Person { id, name: name.to_owned(), token });
    }
    let writes = kinds.into_iter().map(|kind| Write { workspace, kind }).collect();
    for outcome in log.commit(writes, now).await? {
        outcome.result.context("the workspace was refused")?;
    }
    Ok(World { general, people })
}
