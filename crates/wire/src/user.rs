//! The user object.

use model::{Pattern, Photo, Role, User, UserId, UserKind, WorkspaceId};

use crate::{dnd, json::Object};

/// What of a user object depends on who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UserView<'a> {
    /// Where the server is reached, without a slash at its end: what addresses start with.
    pub site: &'a str,
    /// The asker may see addresses (scope `users:read.email`).
    pub email: bool,
    /// The asker wants the language (`include_locale`).
    pub locale: bool,
    /// When it is looked at, seconds since 1970: where the sun is decides about `tz_offset`.
    pub now: i64,
}

/// Writes a person or a bot's user.
pub fn put_user(object: &mut Object, user: &User, view: UserView<'_>) {
    let person = user.kind == UserKind::Person;
    let offset = dnd::offset(&user.tz, view.now);
    object
        .text("id", user.id)
        .text("team_id", user.workspace)
        .put("name", &user.name)
        .put("deleted", &user.deleted)
        .put("color", &color(user))
        .put("real_name", &user.real_name)
        .put("tz", &user.tz)
        .put("tz_label", &zone_label(offset))
        .put("tz_offset", &offset)
        .object("profile", |profile| {
            put_profile(profile, user, view);
            profile.text("team", user.workspace);
        })
        .put("is_admin", &(person && user.role >= Role::Admin))
        .put("is_owner", &(person && user.role >= Role::Owner))
        .put("is_primary_owner", &(person && user.role == Role::PrimaryOwner))
        .put("is_restricted", &false)
        .put("is_ultra_restricted", &false)
        .put("is_bot", &!person)
        .put("is_app_user", &false)
        .put("updated", &user.updated.div_euclid(1_000_000))
        .put("is_email_confirmed", &user.email.is_some())
        .put("who_can_share_contact_card", "EVERYONE");
    if person {
        object.put("has_2fa", &false);
    }
    if view.locale {
        object.put("locale", &user.locale);
    }
}

/// Writes a profile.
pub fn put_profile(profile: &mut Object, user: &User, view: UserView<'_>) {
    let said = &user.profile;
    let (first, last) = user.real_name.split_once(' ').unwrap_or((&user.real_name, ""));
    profile
        .put("title", &said.title)
        .put("phone", &said.phone)
        .put("skype", &said.skype)
        .put("real_name", &user.real_name)
        .put("real_name_normalized", &user.real_name)
        .put("display_name", &user.display_name)
        .put("display_name_normalized", &user.display_name)
        .put("pronouns", &said.pronouns)
        .put("status_text", &said.status.text)
        .put("status_text_canonical", "")
        .put("status_emoji", &said.status.emoji)
        .texts("status_emoji_display_info", [] as [&str; 0])
        .put("status_expiration", &said.status.expiration)
        .put("first_name", first)
        .put("last_name", last);
    put_photo(profile, user, view.site);
    if said.photo.is_some() {
        profile.put("is_custom_image", &true);
    }
    if let UserKind::Bot { bot, app } = user.kind {
        profile.text("bot_id", bot).text("api_app_id", app).put("always_active", &true);
    }
    if let (true, Some(email)) = (view.email, &user.email) {
        profile.put("email", email);
    }
}

/// Writes the addresses of somebody's photo, or of the pattern that stands for it.
pub fn put_photo(profile: &mut Object, user: &User, site: &str) {
    let key = |edge: u32| format!("image_{edge}");
    let Some(photo) = &user.profile.photo else {
        let pattern = Pattern::of(user.id);
        profile.put("avatar_hash", &pattern.name());
        for edge in Pattern::EDGES {
            profile.put(&key(edge), &pattern_address(site, pattern, edge));
        }
        return;
    };
    let address = |edge| photo_address(site, user.workspace, user, photo, edge);
    profile.put("avatar_hash", &photo.name);
    for edge in Photo::EDGES {
        profile.put(&key(edge), &address(edge));
    }
    profile.put("image_original", &address(Photo::SIDE_MAX));
}

/// Writes the addresses of a bot's icons. No bot has a photo of its own yet.
pub fn put_icons(icons: &mut Object, bot: UserId, site: &str) {
    for edge in Pattern::ICON_EDGES {
        icons.put(&format!("image_{edge}"), &pattern_address(site, Pattern::of(bot), edge));
    }
}

fn photo_address(site: &str, workspace: WorkspaceId, user: &User, photo: &Photo, edge: u32) -> String {
    format!("{site}/photos/{workspace}/{}/{}/{}", user.id, photo.name, photo.blob(edge))
}

/// The address of the picture of somebody who has no photo.
#[must_use]
pub fn pattern_address(site: &str, pattern: Pattern, edge: u32) -> String {
    format!("{site}/photos/none/{}/{edge}.png", pattern.name())
}

/// The zone's distance from UTC in words, `UTC+05:30`. Slack has a name here, which no library of time zones knows.
fn zone_label(offset: i64) -> String {
    let sign = if offset < 0 { '-' } else { '+' };
    let minutes = offset.abs() / 60;
    format!("UTC{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

/// A colour that stays the same for a person, six hexadecimal digits, dark enough for white text.
fn color(user: &User) -> String {
    let [red, green, blue] = Pattern::of(user.id).color();
    format!("{red:02x}{green:02x}{blue:02x}")
}
