use model::{JobId, ScheduledId};
use store::WriteKind;

use crate::{
    call::Cx,
    channels,
    content::{self, Content},
    errors::Failure,
    methods::chat_post_message::{check_as_user, options},
    random,
    reply::Reply,
    send::{self, Face, Post, Sender},
};

/// How far ahead a message can be scheduled, seconds; Slack's 120 days.
const AHEAD_MAX_S: i64 = 120 * 24 * 3_600;

/// Posts a message later.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    let content = Content::read(&cx).await?;
    check_as_user(&cx)?;
    let (thread, broadcast) = options(&cx)?;
    let post_at = cx.args.integer("post_at", "invalid_time")?.ok_or("invalid_time")?;
    let now = cx.now_us().div_euclid(1_000_000);
    if post_at <= now {
        return Err("time_in_past".into());
    }
    if post_at > now + AHEAD_MAX_S {
        return Err("time_too_far".into());
    }
    let channel = channels::target(&cx).await?;
    let truncated = content.truncated;
    let post =
        Post { channel, content, me: false, thread, broadcast, face: Face::default(), client_msg_id: None };
    let sender = Sender::of(cx.principal()?)?;
    let draft = send::draft(sender, post)?;
    let id = ScheduledId::from_random(random::number()?);
    let mut reply = Reply::ok();
    reply.text("channel", channel).text("scheduled_message_id", id).put("post_at", &post_at).object(
        "message",
        |object| {
            object.put("type", "delayed_message").put("text", draft.text.as_str()).text("user", draft.author);
            object.text("team", sender.workspace);
            if let Some(bot) = &draft.bot {
                object.text("bot_id", bot.id).text("app_id", bot.app);
            }
            for (name, json) in [
                ("blocks", &draft.blocks),
                ("attachments", &draft.attachments),
                ("metadata", &draft.metadata),
            ] {
                if let Some(json) = json {
                    object.raw(name, json);
                }
            }
            object.text_if("thread_ts", draft.thread);
        },
    );
    if truncated {
        reply.warnings.push(content::TRUNCATED);
    }
    let write = WriteKind::Schedule {
        id,
        job: JobId::from_random(random::number()?),
        draft: Box::new(draft),
        public_without_membership: sender.anywhere,
        post_at,
    };
    cx.write(write).await?;
    cx.app.deps.jobs.notify_one();
    Ok(reply)
}
