//! `parlance create-workspace`: a further workspace of an installation, with its owner.

use anyhow::{Context, bail, ensure};
use model::{ChannelId, Role, UserId, WorkspaceId};
use serde::{Deserialize, Serialize};
use store::{Done, NewPerson, Refusal, Write, WriteKind};

use crate::{seed::random_password, stores::Opened};

/// Longest name of a workspace or person, characters.
const NAME_CHARS_MAX: usize = 80;

/// What an operator says of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewWorkspace {
    /// Its name.
    pub name: String,
    /// Its name in addresses and for signing in; made of the name if none.
    pub domain: Option<String>,
    /// The owner's full name.
    pub owner: String,
    /// The owner's address.
    pub email: String,
}

/// What came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Created {
    /// Its id, `T…`.
    pub id: String,
    /// Its domain.
    pub domain: String,
    /// The owner's first password.
    pub password: String,
}

/// Checks what was said, and makes the write.
///
/// # Errors
/// A sentence that names the argument.
pub fn prepare(new: &NewWorkspace) -> anyhow::Result<(Write, Created)> {
    let name = name("name", &new.name)?;
    let email = api::accounts::parse_email(&new.email)
        .with_context(|| format!("email: {:?} is no address", new.email))?;
    let domain = match &new.domain {
        None => api::accounts::domain(&name),
        Some(domain) => {
            let plain = api::accounts::domain(domain);
            ensure!(plain == *domain, "domain: {domain:?} is not like {plain:?}");
            plain
        }
    };
    let number =
        || getrandom::u64().map_err(|error| anyhow::anyhow!("the system has no randomness: {error}"));
    let password = random_password()?;
    let owner = NewPerson {
        id: UserId::from_random(number()?),
        name: api::accounts::handle(&email),
        real_name: self::name("owner", &new.owner)?,
        email,
        password_hash: Some(api::passwords::hash(&password)?),
        role: Role::PrimaryOwner,
        tz: "UTC".to_owned(),
        quiet: false,
    };
    let workspace = WorkspaceId::from_random(number()?);
    let kind = WriteKind::CreateWorkspace {
        name,
        domain: domain.clone(),
        general: ChannelId::from_random(number()?),
        random: ChannelId::from_random(number()?),
        owner: Box::new(owner),
        only_first: false,
    };
    Ok((Write { workspace, kind }, Created { id: workspace.to_string(), domain, password }))
}

/// Writes it to a store that nobody serves.
///
/// # Errors
/// A sentence for the operator.
pub async fn create(opened: Opened, new: &NewWorkspace, now: model::Micros) -> anyhow::Result<Created> {
    let (write, created) = prepare(new)?;
    let place = match &opened.directory {
        None => 0,
        Some(directory) => match directory.place(write.workspace, &created.domain, false).await? {
            Ok(place) => place,
            Err(refusal) => bail!(refused(refusal, &created.domain)),
        },
    };
    let (mut log, _held) = opened.into_log(place)?;
    let outcome = log.commit(vec![write], now).await?.into_iter().next().context("no outcome")?;
    match outcome.result {
        Ok(Done::Person { .. }) => Ok(created),
        Ok(other) => bail!("the store did {other:?}"),
        Err(refusal) => bail!(refused(refusal, &created.domain)),
    }
}

/// A refusal as a sentence.
#[must_use]
pub fn refused(refusal: Refusal, domain: &str) -> String {
    match refusal {
        Refusal::NameTaken => format!("domain: there is a workspace {domain}; name another with --domain"),
        Refusal::NotAllowed => "shards: none of them accepts new workspaces".to_owned(),
        other => other.to_string(),
    }
}

fn name(argument: &str, text: &str) -> anyhow::Result<String> {
    let name = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let count = name.chars().count();
    ensure!(
        (1..=NAME_CHARS_MAX).contains(&count) && !name.chars().any(char::is_control),
        "{argument}: 1 to {NAME_CHARS_MAX} characters, got {count}"
    );
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(name: &str, domain: Option<&str>, email: &str) -> NewWorkspace {
        let (name, domain) = (name.to_owned(), domain.map(str::to_owned));
        NewWorkspace { name, domain, owner: "Ann Owner".to_owned(), email: email.to_owned() }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (wrong, argument) in [
            (new(" ", None, "ann@example.org"), "name"),
            (new("Acme", Some("Acme Inc"), "ann@example.org"), "domain"),
            (new("Acme", None, "ann"), "email"),
        ] {
            let error = prepare(&wrong).unwrap_err().to_string();
            assert!(error.starts_with(argument), "{error}");
        }
        let (_, created) = prepare(&new("Acme  Tools", None, "Ann@example.org")).unwrap();
        assert_eq!(created.domain, "acme-tools");
    }
}
