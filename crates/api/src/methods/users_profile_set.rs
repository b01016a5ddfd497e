use model::{Profile, Status};
use serde_json::{Map, Value};
use store::{Done, ProfileChange, Refusal, WriteKind};
use wire::{
    emoji,
    user::{UserView, put_profile},
};

use crate::{call::Cx, errors::Failure, random, reply::Reply};

/// The emoji of a status that has only a text.
const STATUS_EMOJI: &str = ":speech_balloon:";

/// Changes what the caller says of themselves; an admin may name somebody else in `user`.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let (workspace, by) = (cx.workspace()?, cx.by()?);
    let user = match cx.args.given("user")? {
        None => by.user,
        Some(id) => id.parse().map_err(|_| "user_not_found")?,
    };
    let known = cx.store().user(workspace, user).await?.ok_or("user_not_found")?;
    let given = given(&cx)?;
    let mut change = change(&given, &known.profile.status)?;
    if change.status.as_ref().is_some_and(|status| status.expiration > 0) {
        change.expiry_job = Some(model::JobId::from_random(random::number()?));
    }
    let write = WriteKind::SetProfile { user, by, change: Box::new(change) };
    let done = cx.write(write).await.map_err(|failure| {
        let admin = by.role >= model::Role::Admin;
        let code = if admin { "cannot_update_admin_user" } else { "not_admin" };
        failure.called(Refusal::CannotChangeUser, code)
    })?;
    let Done::User(user) = done else { return Err("internal_error".into()) };
    let view =
        UserView { site: cx.site(), email: true, locale: false, now: cx.now_us().div_euclid(1_000_000) };
    let mut reply = Reply::ok();
    reply.put("username", &user.name).object("profile", |profile| put_profile(profile, &user, view));
    Ok(reply)
}

/// The fields to set: an object in `profile`, or one in `name` and `value`.
fn given(cx: &Cx) -> Result<Map<String, Value>, Failure> {
    if let Some(json) = cx.args.json("profile") {
        return match serde_json::from_str(json) {
            Ok(Value::Object(fields)) => Ok(fields),
            _ => Err(Failure::with_message("invalid_profile", "profile must be a JSON object")),
        };
    }
    let name = cx.args.required("name", "invalid_profile")?;
    let value = cx.args.prose("value")?.unwrap_or_default();
    Ok(Map::from_iter([(name, Value::String(value))]))
}

/// Reads the fields. What Slack has and this server does not is refused, not dropped.
fn change(fields: &Map<String, Value>, status: &Status) -> Result<ProfileChange, Failure> {
    let mut change = ProfileChange::default();
    let mut new = status.clone();
    let (mut first, mut last) = (None, None);
    for (name, value) in fields {
        match name.as_str() {
            "real_name" => change.real_name = Some(name_text(name, value)?),
            "first_name" => first = Some(text(name, value)?),
            "last_name" => last = Some(text(name, value)?),
            "display_name" => change.display_name = Some(display_name(value)?),
            "title" => change.title = Some(text(name, value)?),
            "phone" => change.phone = Some(text(name, value)?),
            "pronouns" => change.pronouns = Some(text(name, value)?),
            "skype" => change.skype = Some(text(name, value)?),
            "status_text" => new.text = limited(name, value, Status::CHARS_MAX)?,
            "status_emoji" => new.emoji = status_emoji(value)?,
            "status_expiration" => new.expiration = seconds(value)?,
            "email" => return Err(refused("email cannot be changed here")),
            "fields" if !value.as_object().is_some_and(Map::is_empty) && !value.is_null() => {
                return Err(refused("there are no custom fields"));
            }
            // Slack takes what it does not know, and what only it can set, without a word.
            _ => {}
        }
    }
    if first.is_some() || last.is_some() {
        let joined = [first.unwrap_or_default(), last.unwrap_or_default()].join(" ");
        let joined = joined.trim().to_owned();
        if joined.is_empty() {
            return Err(refused("a person has a name"));
        }
        change.real_name.get_or_insert(joined);
    }
    let touched = ["status_text", "status_emoji", "status_expiration"];
    if touched.iter().any(|name| fields.contains_key(*name)) {
        if new.text.is_empty() && fields.contains_key("status_text") && !fields.contains_key("status_emoji") {
            // A text that is cleared alone takes the emoji that stood for "there is a text" with it.
            new.emoji = Some(new.emoji).filter(|emoji| emoji != STATUS_EMOJI).unwrap_or_default();
        }
        if !new.text.is_empty() && new.emoji.is_empty() {
            STATUS_EMOJI.clone_into(&mut new.emoji);
        }
        change.status = Some(new);
    }
    Ok(change)
}

fn refused(message: &str) -> Failure {
    Failure::with_message("profile_set_failed", message)
}

fn text(name: &str, value: &Value) -> Result<String, Failure> {
    limited(name, value, Profile::CHARS_MAX)
}

fn limited(name: &str, value: &Value, chars_max: usize) -> Result<String, Failure> {
    let text = match value {
        Value::String(text) => text.trim().replace('\0', ""),
        Value::Null => String::new(),
        Value::Number(number) => number.to_string(),
        _ => return Err(Failure::with_message("invalid_profile", format!("{name} must be a text"))),
    };
    if text.chars().count() > chars_max {
        let message = format!("{name} has at most {chars_max} characters");
        return Err(Failure::with_message("too_long", message));
    }
    Ok(text)
}

fn name_text(name: &str, value: &Value) -> Result<String, Failure> {
    let text = text(name, value)?;
    if text.is_empty() { Err(refused("a person has a name")) } else { Ok(text) }
}

fn display_name(value: &Value) -> Result<String, Failure> {
    let name = limited("display_name", value, 80)?;
    if name.starts_with('@') {
        return Err("invalid_starts_with_at".into());
    }
    if ["here", "channel", "everyone", "group"].contains(&name.to_lowercase().as_str()) {
        return Err("reserved_name".into());
    }
    Ok(name)
}

fn status_emoji(value: &Value) -> Result<String, Failure> {
    let text = limited("status_emoji", value, 100)?;
    if text.is_empty() {
        return Ok(text);
    }
    let name = text.trim_matches(':');
    if emoji::is_name(name) { Ok(format!(":{name}:")) } else { Err(refused("status_emoji is no emoji")) }
}

fn seconds(value: &Value) -> Result<i64, Failure> {
    let wrong = || Failure::with_message("invalid_profile", "status_expiration must be seconds since 1970");
    let seconds = match value {
        Value::Number(number) => number.as_i64().ok_or_else(wrong)?,
        Value::String(text) if text.trim().is_empty() => 0,
        Value::String(text) => text.trim().parse().map_err(|_| wrong())?,
        Value::Null => 0,
        _ => return Err(wrong()),
    };
    if seconds < 0 { Err(wrong()) } else { Ok(seconds) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(fields: Value, before: &Status) -> Result<ProfileChange, String> {
        change(fields.as_object().unwrap(), before).map_err(|failure| failure.code.into_owned())
    }

    #[test]
    fn a_status_has_an_emoji_and_goes_as_a_whole() {
        let none = Status::default();
        let lunch = of(json!({ "status_text": "lunch" }), &none).unwrap().status.unwrap();
        assert_eq!((lunch.text.as_str(), lunch.emoji.as_str()), ("lunch", STATUS_EMOJI));
        let gone = of(json!({ "status_text": "" }), &lunch).unwrap().status.unwrap();
        assert!(gone.is_empty());
        let palm = of(json!({ "status_emoji": "palm_tree", "status_expiration": "12" }), &none).unwrap();
        assert_eq!(
            palm.status.as_ref().map(|status| (status.emoji.as_str(), status.expiration)),
            Some((":palm_tree:", 12))
        );
        assert_eq!(of(json!({ "title": "x" }), &lunch).unwrap().status, None);
    }

    #[test]
    fn what_cannot_be_taken_is_refused() {
        for (fields, code) in [
            (json!({ "status_text": "x".repeat(101) }), "too_long"),
            (json!({ "title": "x".repeat(251) }), "too_long"),
            (json!({ "title": {} }), "invalid_profile"),
            (json!({ "status_expiration": -1 }), "invalid_profile"),
            (json!({ "status_expiration": "soon" }), "invalid_profile"),
            (json!({ "status_emoji": ":no such emoji:" }), "profile_set_failed"),
            (json!({ "display_name": "@ada" }), "invalid_starts_with_at"),
            (json!({ "display_name": "Everyone" }), "reserved_name"),
            (json!({ "real_name": " " }), "profile_set_failed"),
            (json!({ "first_name": "", "last_name": "" }), "profile_set_failed"),
            (json!({ "email": "a@b" }), "profile_set_failed"),
            (json!({ "fields": { "Xf1": { "value": "x" } } }), "profile_set_failed"),
        ] {
            assert_eq!(of(fields.clone(), &Status::default()), Err(code.to_owned()), "{fields}");
        }
        assert_eq!(
            of(json!({ "fields": {}, "avatar_hash": "x" }), &Status::default()),
            Ok(ProfileChange::default())
        );
    }
}
