use model::{ChannelKind, ChannelName, NameError};
use store::{Done, WriteKind};

use crate::{
    call::Cx,
    channels,
    errors::Failure,
    random,
    reply::Reply,
    scopes::{self, Family},
};

/// Creates a channel with the caller in it.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    cx.check_team()?;
    let private = cx.args.flag("is_private")?.unwrap_or(false);
    let kind = if private { ChannelKind::Private } else { ChannelKind::Public };
    scopes::check(cx.principal()?, Family::Manage, kind)?;
    let name = ChannelName::parse(&cx.args.text("name")?.unwrap_or_default()).map_err(refused_name)?;
    let write = WriteKind::CreateChannel { id: random::channel_id()?, name, private, by: cx.by()? };
    match cx.write(write).await? {
        Done::Channel { id, .. } => channels::answer(&cx, id).await,
        _ => Err("internal_error".into()),
    }
}

pub(super) fn refused_name(error: NameError) -> Failure {
    let code = match error {
        NameError::Required => "invalid_name_required",
        NameError::TooLong => "invalid_name_maxlength",
        NameError::Punctuation => "invalid_name_punctuation",
        NameError::Specials => "invalid_name_specials",
    };
    let mut members = wire::json::Object::new();
    members.text("detail", error);
    Failure::new(code).with_members(members)
}
