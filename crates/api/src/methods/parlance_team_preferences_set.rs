use model::ChannelId;
use serde_json::{Map, Value};
use store::WriteKind;
use wire::team::put_preferences;

use crate::{call::Cx, errors::Failure, reply::Reply};

/// Sets preferences of the workspace: a JSON object in `prefs`, or one in `name` and `value`.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let mut given: Map<String, Value> = match cx.args.json("prefs") {
        Some(json) => serde_json::from_str(json)
            .map_err(|_| Failure::invalid_arguments("prefs must be a JSON object"))?,
        None => {
            let name = cx.args.required("name", "invalid_arguments")?;
            let value = cx.args.prose("value")?.unwrap_or_default();
            Map::from_iter([(name, Value::String(value))])
        }
    };
    let default_channels = given.remove("default_channels").map(channels).transpose()?;
    let mut known = model::TeamPreferences::default();
    if let Some((name, value)) = given.iter().find(|(name, value)| !known.set(name, value)) {
        return Err(Failure::invalid_arguments(format!(
            "{name} cannot be {value}, or there is no such preference"
        )));
    }
    let values = given.into_iter().collect();
    cx.write(WriteKind::SetTeamPreferences { by: cx.by()?, values, default_channels }).await?;
    let (preferences, channels) = cx.store().team_preferences(cx.workspace()?).await?;
    let mut reply = Reply::ok();
    reply.object("prefs", |object| put_preferences(object, &preferences, &channels));
    Ok(reply)
}

/// Channel ids in a JSON array, or with commas between them.
fn channels(value: Value) -> Result<Vec<ChannelId>, Failure> {
    let texts: Vec<String> = match value {
        Value::Array(items) => {
            items.into_iter().map(|item| item.as_str().unwrap_or_default().to_owned()).collect()
        }
        Value::String(text) => {
            text.split(',').map(|id| id.trim().to_owned()).filter(|id| !id.is_empty()).collect()
        }
        _ => return Err(Failure::invalid_arguments("default_channels must be a list of channels")),
    };
    texts.iter().map(|text| text.parse().map_err(|_| Failure::new("channel_not_found"))).collect()
}
