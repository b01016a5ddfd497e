use wire::user::{UserView, put_user};

use crate::{
    call::Cx,
    cursor::{self, PAGE_MAX},
    errors::Failure,
    reply::Reply,
};

/// Lists people and bots, 1000 at a time unless `limit` says less.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    cx.check_team()?;
    let limit = cursor::lenient_limit(&cx.args, PAGE_MAX)?;
    let after = cursor::decode(&cx.args, "user")?;
    let view = view(&cx)?;
    let mut page = cx.store().users(cx.workspace()?, after, limit + 1).await?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = page.len() > limit;
    page.truncate(limit);
    let mut reply = Reply::ok();
    reply.objects("members", &page, |object, user| put_user(object, user, view));
    reply.put("cache_ts", &cx.now_us().div_euclid(1_000_000));
    let last = page.last().filter(|_| more);
    reply.next_cursor = Some(last.map(|user| cursor::encode("user", user.id)).unwrap_or_default());
    Ok(reply)
}

/// What the caller may and wants to see of people.
pub(super) fn view(cx: &Cx) -> Result<UserView<'_>, Failure> {
    Ok(UserView {
        site: cx.site(),
        email: cx.principal()?.scopes.has("users:read.email"),
        locale: cx.args.flag("include_locale")?.unwrap_or(false),
        now: cx.now_us().div_euclid(1_000_000),
    })
}
