"""slack_sdk's WebClient and AsyncWebClient, unmodified, against a started server.

The same tests run with both: the sync client's answers are wrapped so that they can be awaited.
"""

import asyncio
import uuid

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from common import API, GENERAL, SEED, Names, finish, report

ANN, BO, CY = (person["id"] for person in SEED["people"][:3])
TESTS = []


def test(function):
    TESTS.append(function)
    return function


class Awaitable:
    """A WebClient whose methods can be awaited."""

    def __init__(self, client):
        self.client = client

    def __getattr__(self, name):
        method = getattr(self.client, name)

        async def call(*args, **kwargs):
            return method(*args, **kwargs)

        return call


class Team:
    """The clients of everybody, of one kind."""

    def __init__(self, kind):
        make = {"sync": lambda token: Awaitable(WebClient(token, base_url=API)),
                "async": lambda token: AsyncWebClient(token, base_url=API)}[kind]
        self.make = make
        self.bot = make(SEED["bot"]["token"])
        self.ann, self.bo, self.cy = (make(person["token"]) for person in SEED["people"][:3])
        self.names = Names(f"py-{kind}")

    async def channel(self, client, **words):
        made = await client.conversations_create(name=self.names.next(), **words)
        return made["channel"]["id"]


async def refused(call):
    try:
        await call
    except SlackApiError as error:
        return error.response["error"]
    raise AssertionError("was not refused")


def same(found, wanted):
    assert found == wanted, f"{found!r} is not {wanted!r}"


@test
async def api_test_and_auth_test(team):
    same((await team.bot.api_test(foo="bar"))["args"], {"foo": "bar"})
    me = await team.bot.auth_test()
    same(me["user_id"], SEED["bot"]["user_id"])
    same(me["bot_id"], SEED["bot"]["bot_id"])
    assert "chat:write" in me.headers["x-oauth-scopes"], dict(me.headers)
    same((await team.ann.auth_test())["user_id"], ANN)
    same(await refused(team.make("xoxb-nope").auth_test()), "invalid_auth")
    same(await refused(team.bot.api_test(error="mine")), "mine")


@test
async def post_and_read_back(team):
    channel = await team.channel(team.bot)
    posted = await team.bot.chat_postMessage(channel=channel, text="héllo 🦀")
    page = await team.bot.conversations_history(channel=channel, limit=1)
    same(page["messages"][0]["ts"], posted["ts"])
    same(page["messages"][0]["text"], "héllo 🦀")
    assert "warning" not in posted.data, posted.data
    page = await team.bot.conversations_history(channel=channel, latest=posted["ts"], oldest=posted["ts"], inclusive=True)
    same(len(page["messages"]), 1)


@test
async def blocks_travel_as_structures(team):
    channel = await team.channel(team.bot)
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "*hi*"}}, {"type": "divider"}]
    await team.bot.chat_postMessage(channel=channel, text="fallback", blocks=blocks)
    page = await team.bot.conversations_history(channel=channel, limit=1)
    same([block["type"] for block in page["messages"][0]["blocks"]], ["section", "divider"])


@test
async def one_client_msg_id_is_one_message(team):
    channel = await team.channel(team.ann)
    key = str(uuid.uuid4())
    first = await team.ann.chat_postMessage(channel=channel, text="once", client_msg_id=key)
    again = await team.ann.chat_postMessage(channel=channel, text="once", client_msg_id=key)
    same(again["ts"], first["ts"])


@test
async def edit_and_delete(team):
    channel = await team.channel(team.bot)
    ts = (await team.bot.chat_postMessage(channel=channel, text="befor"))["ts"]
    same((await team.bot.chat_update(channel=channel, ts=ts, text="before"))["text"], "before")
    page = await team.bot.conversations_history(channel=channel, limit=1)
    same(page["messages"][0]["text"], "before")
    await team.bot.chat_delete(channel=channel, ts=ts)
    page = await team.bot.conversations_history(channel=channel)
    assert all(message["ts"] != ts for message in page["messages"])
    same(await refused(team.bot.chat_delete(channel=channel, ts=ts)), "message_not_found")


@test
async def reactions(team):
    channel = await team.channel(team.ann)
    await team.ann.conversations_invite(channel=channel, users=[BO])
    ts = (await team.ann.chat_postMessage(channel=channel, text="react"))["ts"]
    await team.bo.reactions_add(channel=channel, timestamp=ts, name="wave")
    same(await refused(team.bo.reactions_add(channel=channel, timestamp=ts, name="wave")), "already_reacted")
    got = await team.ann.reactions_get(channel=channel, timestamp=ts)
    same(got["message"]["reactions"], [{"name": "wave", "users": [BO], "count": 1}])
    await team.bo.reactions_remove(channel=channel, timestamp=ts, name="wave")
    got = await team.ann.reactions_get(channel=channel, timestamp=ts)
    assert not got["message"].get("reactions"), got["message"]


@test
async def threads(team):
    channel = await team.channel(team.ann)
    ts = (await team.ann.chat_postMessage(channel=channel, text="parent"))["ts"]
    sent = [(await team.ann.chat_postMessage(channel=channel, thread_ts=ts, text=f"r{n}"))["ts"] for n in range(7)]
    page = await team.ann.conversations_replies(channel=channel, ts=ts)
    same([message["ts"] for message in page["messages"]], [ts, *sent])
    same(page["messages"][0]["reply_count"], 7)
    found, cursor = [], None
    while True:
        page = await team.ann.conversations_replies(channel=channel, ts=ts, limit=3, cursor=cursor)
        same(page["messages"][0]["ts"], ts)
        found += [message["ts"] for message in page["messages"][1:]]
        cursor = (page.get("response_metadata") or {}).get("next_cursor")
        if not cursor:
            break
    same(found, sent)


@test
async def an_ephemeral_message_and_a_permalink(team):
    channel = await team.channel(team.bot)
    await team.bot.conversations_invite(channel=channel, users=ANN)
    assert (await team.bot.chat_postEphemeral(channel=channel, user=ANN, text="psst"))["message_ts"]
    ts = (await team.bot.chat_postMessage(channel=channel, text="link"))["ts"]
    link = (await team.bot.chat_getPermalink(channel=channel, message_ts=ts))["permalink"]
    home = (await team.bot.auth_test())["url"]
    same(link, f"{home}archives/{channel}/p{ts.replace('.', '')}")


@test
async def channels_and_members(team):
    channel = await team.channel(team.ann, is_private=False)
    await team.bo.conversations_join(channel=channel)
    await team.ann.conversations_invite(channel=channel, users=[CY])
    await team.ann.conversations_setTopic(channel=channel, topic="a topic")
    await team.ann.conversations_setPurpose(channel=channel, purpose="a purpose")
    info = (await team.ann.conversations_info(channel=channel, include_num_members=True))["channel"]
    same((info["topic"]["value"], info["purpose"]["value"], info["num_members"]), ("a topic", "a purpose", 3))
    await team.ann.conversations_kick(channel=channel, user=CY)
    await team.bo.conversations_leave(channel=channel)
    same((await team.ann.conversations_members(channel=channel))["members"], [ANN])
    private = await team.channel(team.ann, is_private=True)
    same((await team.ann.conversations_info(channel=private))["channel"]["is_private"], True)
    same(await refused(team.bo.conversations_info(channel=private)), "channel_not_found")
    await team.ann.conversations_archive(channel=channel)
    same(await refused(team.ann.chat_postMessage(channel=channel, text="x")), "is_archived")


@test
async def direct_messages_and_marks(team):
    dm = (await team.ann.conversations_open(users=[BO]))["channel"]["id"]
    same((await team.bo.conversations_open(users=ANN))["channel"]["id"], dm)
    group = (await team.ann.conversations_open(users=[BO, CY]))["channel"]["id"]
    same((await team.cy.conversations_open(users=[ANN, BO]))["channel"]["id"], group)
    ts = (await team.bo.chat_postMessage(channel=dm, text="hi"))["ts"]
    await team.ann.conversations_mark(channel=dm, ts=ts)
    same((await team.ann.conversations_info(channel=dm))["channel"]["last_read"], ts)


@test
async def people_and_the_team(team):
    user = (await team.bot.users_info(user=ANN))["user"]
    same(user["id"], ANN)
    same((await team.bot.team_info())["team"]["id"], SEED["workspace"]["id"])
    mine = await team.ann.users_conversations(types="public_channel", limit=1000)
    assert GENERAL in [channel["id"] for channel in mine["channels"]]


async def pages(call, key, limit, **words):
    found, count, cursor = [], 0, None
    while True:
        page = await call(limit=limit, cursor=cursor, **words)
        assert len(page[key]) <= limit, f"{len(page[key])} on a page of {limit}"
        found += [item if isinstance(item, str) else item.get("ts") or item["id"] for item in page[key]]
        count += 1
        cursor = (page.get("response_metadata") or {}).get("next_cursor")
        if not cursor:
            break
    assert count > 1, "came on one page"
    same(len(set(found)), len(found))
    return found


@test
async def paginate(team):
    made = [await team.channel(team.bot) for _ in range(5)]
    channels = await pages(team.bot.conversations_list, "channels", 2, types="public_channel")
    assert set(made) | {GENERAL} <= set(channels)
    everybody = {one["id"] for one in SEED["people"] + SEED["members"]}
    assert everybody <= set(await pages(team.bot.users_list, "members", 4))
    assert everybody <= set(await pages(team.ann.conversations_members, "members", 4, channel=GENERAL))
    sent = [(await team.bot.chat_postMessage(channel=made[0], text=f"m{n}"))["ts"] for n in range(12)]
    history = await pages(team.bot.conversations_history, "messages", 5, channel=made[0])
    same([ts for ts in history if ts in sent], sent[::-1])


@test
async def iteration_over_an_answer_follows_the_cursor(team):
    first = await team.bot.users_list(limit=4)
    found = []
    if isinstance(team.bot, Awaitable):
        for page in first:
            found += [user["id"] for user in page["members"]]
    else:
        async for page in first:
            found += [user["id"] for user in page["members"]]
    assert {one["id"] for one in SEED["people"] + SEED["members"]} <= set(found)


@test
async def errors_have_codes(team):
    same(await refused(team.bot.chat_postMessage(channel="C0NOTTHERE00", text="x")), "channel_not_found")
    same(await refused(team.bot.api_call("no.such.method")), "unknown_method")
    private = await team.channel(team.ann, is_private=True)
    same(await refused(team.bo.chat_postMessage(channel=private, text="x")), "channel_not_found")


async def main():
    for kind in ("sync", "async"):
        team = Team(kind)
        for function in TESTS:
            name = f"{kind} {function.__name__.replace('_', ' ')}"
            try:
                await asyncio.wait_for(function(team), 30)
                report(name)
            except Exception as error:  # every failure is a line
                report(name, error)


asyncio.run(main())
finish()
