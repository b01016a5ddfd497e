use model::{ChannelId, Micros};
use store::{FileTypes, FilesQuery};
use wire::file::put_file;

use crate::{call::Cx, channels, cursor, errors::Failure, reply::Reply};

/// Files of a page, unless `count` says another number.
const COUNT: u32 = 100;

/// Files that the caller may see, the newest first.
pub(super) async fn run(cx: Cx) -> Result<Reply, Failure> {
    cx.check_team()?;
    // Nothing is hidden by a limit.
    cx.args.flag("show_files_hidden_by_limit")?;
    let (workspace, viewer) = (cx.workspace()?, cx.user()?);
    let user = match cx.args.given("user")? {
        None => None,
        Some(id) => {
            let id = id.parse().map_err(|_| "user_not_found")?;
            Some(cx.store().user(workspace, id).await?.ok_or("user_not_found")?.id)
        }
    };
    let channel: Option<ChannelId> = match cx.args.given("channel")? {
        None => None,
        Some(id) => {
            let id = id.parse().map_err(|_| "channel_not_found")?;
            Some(channels::get(&cx, id).await?.channel.id)
        }
    };
    let number = |name: &str, default: u32| -> Result<u32, Failure> {
        let number = cx.args.integer(name, "invalid_arguments")?.filter(|&number| number > 0);
        Ok(number.map_or(default, |number| u32::try_from(number).unwrap_or(u32::MAX)))
    };
    let (count, page) = (number("count", COUNT)?.min(cursor::PAGE_MAX), number("page", 1)?);
    let query = FilesQuery {
        user,
        channel,
        oldest: moment(&cx, "ts_from")?.unwrap_or(0),
        latest: moment(&cx, "ts_to")?.unwrap_or(Micros::MAX),
        types: types(&cx)?,
        skip: page.saturating_sub(1).saturating_mul(count),
        limit: count,
    };
    let found = cx.store().files(workspace, viewer, query).await?;
    let pages = found.total.div_ceil(u64::from(count));
    let mut reply = Reply::ok();
    reply
        .objects("files", &found.files, |object, (file, shares)| {
            put_file(object, workspace, file, cx.site(), Some(shares));
        })
        .object("paging", |paging| {
            paging.put("count", &count).put("total", &found.total).put("page", &page).put("pages", &pages);
        });
    Ok(reply)
}

/// Seconds since 1970, or a message's `ts`.
fn moment(cx: &Cx, name: &str) -> Result<Option<Micros>, Failure> {
    let Some(text) = cx.args.given(name)? else { return Ok(None) };
    let wrong = || Failure::invalid_arguments(format!("{name} must be seconds since 1970"));
    let seconds: f64 = text.parse().map_err(|_| wrong())?;
    if !(0.0..=4e9).contains(&seconds) {
        return Err(wrong());
    }
    let whole = text.split('.').next().unwrap_or_default().parse::<Micros>().map_err(|_| wrong())?;
    let fraction: String = text
        .split_once('.')
        .map_or("", |(_, fraction)| fraction)
        .chars()
        .chain("000000".chars())
        .take(6)
        .collect();
    let micros = fraction.parse::<Micros>().map_err(|_| wrong())?;
    Ok(Some(whole * 1_000_000 + micros))
}

fn types(cx: &Cx) -> Result<FileTypes, Failure> {
    let mut types = FileTypes::default();
    let names = cx.args.list("types")?;
    types.all = names.is_empty();
    for name in names {
        match name.as_str() {
            "all" => types.all = true,
            "snippets" => types.snippets = true,
            "images" => types.images = true,
            "zips" => types.archives = true,
            "pdfs" => types.pdfs = true,
            // There are none of these here.
            "spaces" | "gdocs" | "canvases" | "lists" | "posts" => {}
            _ => return Err("unknown_type".into()),
        }
    }
    Ok(types)
}
