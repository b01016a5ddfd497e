use crate::{call::Cx, errors::Failure, reply::Reply};

/// What the workspace has decided for everybody in it, as Slack shows it to apps.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let (preferences, _) = cx.store().team_preferences(cx.workspace()?).await?;
    let mut reply = Reply::ok();
    reply
        .put("allow_message_deletion", &preferences.allow_deletion)
        .put("disable_file_uploads", "allow_all")
        .put("display_real_names", &false)
        .put("msg_edit_window_mins", &preferences.edit_window_min)
        .put("who_can_post_general", preferences.post_general.name());
    Ok(reply)
}
