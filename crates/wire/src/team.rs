//! The team object.

use model::Workspace;

use crate::{address, json::Object};

/// Writes a workspace as `team.info` and `client.userBoot` show it.
pub fn put_team(object: &mut Object, workspace: &Workspace, public_url: &str) {
    object
        .text("id", workspace.id)
        .put("name", &workspace.name)
        .put("domain", &workspace.domain)
        .put("email_domain", "")
        .put("url", &address::team(public_url))
        .object("icon", |icon| {
            icon.put("image_default", &true);
        })
        .put("is_verified", &false);
}
