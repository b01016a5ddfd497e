//! The team object.

use model::{ChannelId, TeamPreferences, Workspace};

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

/// Writes a workspace's preferences.
pub fn put_preferences(object: &mut Object, preferences: &TeamPreferences, default_channels: &[ChannelId]) {
    for (name, value) in preferences.values() {
        object.put(name, &value);
    }
    let ids: Vec<String> = default_channels.iter().map(ChannelId::to_string).collect();
    object.put("default_channels", &ids);
}
