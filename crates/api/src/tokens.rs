//! Tokens: opaque secrets that name their workspace, so that its shard can be found before they are checked.
//!
//! `xoxb-<team>-<secret>` bots, `xoxp-…` people's apps, `xoxc-…` browser sessions, `xapp-1-<app>-<team>-<secret>`
//! apps. Only their SHA-256 is stored ([`store::SecretHash::of`] the whole token).

use model::{AppId, Credential, WorkspaceId};

use crate::random::{self, NoRandomness};

/// Characters of an id.
const ID_CHARS: usize = 13;

/// Draws a token for `workspace`. App-level tokens also name their app.
///
/// # Errors
/// [`NoRandomness`].
pub fn generate(
    kind: Credential,
    workspace: WorkspaceId,
    app: Option<AppId>,
) -> Result<String, NoRandomness> {
    let secret = random::secret()?;
    let app = app.unwrap_or(AppId::from_raw(0));
    Ok(match kind {
        Credential::Bot => format!("xoxb-{workspace}-{secret}"),
        Credential::User => format!("xoxp-{workspace}-{secret}"),
        Credential::Session => format!("xoxc-{workspace}-{secret}"),
        Credential::App => format!("xapp-1-{app}-{workspace}-{secret}"),
    })
}

/// Draws the secret of a ticket or an invitation for `workspace`: `<team>-<secret>`.
///
/// # Errors
/// [`NoRandomness`].
pub fn generate_code(workspace: WorkspaceId) -> Result<String, NoRandomness> {
    Ok(format!("{workspace}-{}", random::secret()?))
}

/// The workspace that a token names; `None`: it is no token.
#[must_use]
pub fn workspace_of(token: &str) -> Option<WorkspaceId> {
    let rest = match token.strip_prefix("xapp-1-") {
        Some(rest) => {
            let (app, rest) = rest.split_once('-')?;
            app.parse::<AppId>().ok()?;
            rest
        }
        None => ["xoxb-", "xoxp-", "xoxc-"].iter().find_map(|prefix| token.strip_prefix(prefix))?,
    };
    workspace_of_code(rest)
}

/// The workspace that a ticket or an invitation's code names; `None`: it is none.
#[must_use]
pub fn workspace_of_code(code: &str) -> Option<WorkspaceId> {
    let team = code.get(..ID_CHARS)?;
    let secret = code.get(ID_CHARS..)?.strip_prefix('-')?;
    if secret.is_empty() { None } else { team.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_names_its_workspace() {
        let (team, app) = (WorkspaceId::from_random(7), AppId::from_random(9));
        for (kind, prefix) in [
            (Credential::Bot, "xoxb-T"),
            (Credential::User, "xoxp-T"),
            (Credential::Session, "xoxc-T"),
            (Credential::App, "xapp-1-A"),
        ] {
            let token = generate(kind, team, Some(app)).unwrap();
            assert!(token.starts_with(prefix), "{token}");
            assert_eq!(workspace_of(&token), Some(team), "{token}");
            assert_ne!(token, generate(kind, team, Some(app)).unwrap());
        }
        assert_eq!(workspace_of_code(&generate_code(team).unwrap()), Some(team));
    }

    #[test]
    fn other_text_names_none() {
        for text in [
            "",
            "xoxb-",
            "xoxb-T000000000007",
            "xoxb-T000000000007-",
            "xoxq-T000000000007-a",
            "xapp-1-T-x",
            "xoxb-é",
        ] {
            assert_eq!(workspace_of(text), None, "{text}");
        }
    }
}
