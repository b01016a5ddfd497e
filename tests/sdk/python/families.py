"""Each family of methods the way slack_sdk's documentation shows, with WebClient."""

import io
import struct
import tempfile
import time
import urllib.request
import zlib

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.models.attachments import Attachment
from slack_sdk.models.blocks import ContextBlock, DividerBlock, HeaderBlock, MarkdownTextObject, SectionBlock

from common import API, GENERAL, SEED, Names, finish, report

names = Names("py-family")
bot = WebClient(SEED["bot"]["token"], base_url=API)
ann, bo, cy = (WebClient(person["token"], base_url=API) for person in SEED["people"])
ANN, BO = (person["id"] for person in SEED["people"][:2])
TESTS = []


def test(function):
    TESTS.append(function)
    return function


def refused(call, **arguments):
    try:
        call(**arguments)
    except SlackApiError as error:
        assert error.response["ok"] is False
        return error.response["error"]
    raise AssertionError("was not refused")


def is_code(code, call, **arguments):
    found = refused(call, **arguments)
    assert found == code, f"{found} instead of {code}"


def channel_of(client, **words):
    return client.conversations_create(name=names.next(), **words)["channel"]["id"]


@test
def profiles():
    status = {"status_text": "riding a train", "status_emoji": ":mountain_railway:", "status_expiration": 0}
    assert bo.users_profile_set(profile=status)["profile"]["status_text"] == status["status_text"]
    bo.users_profile_set(name="title", value="Engineer")
    profile = ann.users_profile_get(user=BO)["profile"]
    assert (profile["status_emoji"], profile["title"]) == (status["status_emoji"], "Engineer")
    is_code("not_admin", cy.users_profile_set, user=ANN, profile={"title": "x"})


@test
def photos():
    def pixels(count):
        """A PNG of so many red pixels in a row."""
        chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        row = b"\0" + b"\xff\0\0" * count
        return b"\x89PNG\r\n\x1a\n" + b"".join((
            chunk(b"IHDR", struct.pack(">IIBBBBB", count, 1, 8, 2, 0, 0, 0)),
            chunk(b"IDAT", zlib.compress(row)),
            chunk(b"IEND", b""),
        ))

    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        file.write(pixels(3))
        file.flush()
        set_photo = bo.users_setPhoto(image=file.name, crop_x=1, crop_y=0, crop_w=1)
    profile = ann.users_info(user=BO)["user"]["profile"]
    assert profile["is_custom_image"] and profile["image_72"] == set_photo["profile"]["image_72"]
    with urllib.request.urlopen(profile["image_72"]) as shown:
        assert shown.headers["Content-Type"] == "image/jpeg" and shown.read(3) == b"\xff\xd8\xff"
    is_code("bad_image", bo.users_setPhoto, image=io.BytesIO(b"no picture"))
    bo.users_deletePhoto()
    assert "is_custom_image" not in ann.users_info(user=BO)["user"]["profile"]


@test
def people_and_bots():
    assert bot.users_lookupByEmail(email=SEED["people"][0]["email"])["user"]["id"] == ANN
    is_code("users_not_found", bot.users_lookupByEmail, email="nobody@example.org")
    assert bot.bots_info(bot=SEED["bot"]["bot_id"])["bot"]["user_id"] == SEED["bot"]["user_id"]
    assert bot.users_info(user=ANN, include_locale=True)["user"]["locale"]
    members = [member["id"] for page in bot.users_list(limit=3) for member in page["members"]]
    assert len(members) == len(set(members)) and {ANN, BO} <= set(members), members
    is_code("user_not_found", bot.users_info, user="U000000000000")


@test
def do_not_disturb():
    assert bo.dnd_setSnooze(num_minutes=20)["snooze_enabled"] is True
    assert bo.dnd_info(user=BO)["snooze_enabled"] is True
    assert ann.dnd_teamInfo(users=[BO, ANN])["users"][BO]["dnd_enabled"] is True
    assert bo.dnd_endSnooze()["snooze_enabled"] is False
    is_code("snooze_end_failed", bo.dnd_endSnooze)
    bo.dnd_setSnooze(num_minutes=20)
    bo.dnd_endDnd()


@test
def the_life_of_a_channel():
    channel, renamed = channel_of(ann), names.next()
    assert ann.conversations_rename(channel=channel, name=renamed)["channel"]["name"] == renamed
    assert ann.conversations_setTopic(channel=channel, topic="a topic")["channel"]["topic"]["value"] == "a topic"
    ann.conversations_setPurpose(channel=channel, purpose="a purpose")
    ann.conversations_invite(channel=channel, users=[BO])
    is_code("already_in_channel", ann.conversations_invite, channel=channel, users=BO)
    assert BO in ann.conversations_members(channel=channel)["members"]
    ann.conversations_kick(channel=channel, user=BO)
    ann.conversations_archive(channel=channel)
    is_code("is_archived", ann.chat_postMessage, channel=channel, text="too late")
    ann.conversations_unarchive(channel=channel)
    ann.admin_conversations_convertToPrivate(channel_id=channel)
    assert ann.conversations_info(channel=channel)["channel"]["is_private"] is True
    is_code("channel_not_found", bo.conversations_info, channel=channel)
    ann.api_call("admin.conversations.convertToPublic", params={"channel_id": channel})
    bo.conversations_join(channel=channel)
    bo.conversations_leave(channel=channel)
    mine = [it["id"] for page in bo.users_conversations(types="public_channel", limit=2) for it in page["channels"]]
    assert GENERAL in mine and channel not in mine, mine


@test
def direct_messages():
    channel = ann.conversations_open(users=[BO], return_im=True)["channel"]
    assert channel["is_im"] is True
    ann.conversations_close(channel=channel["id"])
    assert ann.conversations_close(channel=channel["id"])["already_closed"] is True


@test
def pins():
    channel = channel_of(bot)
    ts = bot.chat_postMessage(channel=channel, text="important")["ts"]
    bot.pins_add(channel=channel, timestamp=ts)
    is_code("already_pinned", bot.pins_add, channel=channel, timestamp=ts)
    assert bot.pins_list(channel=channel)["items"][0]["message"]["ts"] == ts
    bot.pins_remove(channel=channel, timestamp=ts)
    is_code("no_pin", bot.pins_remove, channel=channel, timestamp=ts)


@test
def reactions():
    ts = ann.chat_postMessage(channel=GENERAL, text="react to this")["ts"]
    bo.reactions_add(channel=GENERAL, timestamp=ts, name="thumbsup")
    is_code("already_reacted", bo.reactions_add, channel=GENERAL, timestamp=ts, name="thumbsup")
    got = bo.reactions_get(channel=GENERAL, timestamp=ts, full=True)["message"]["reactions"]
    assert [(it["name"], it["users"]) for it in got] == [("thumbsup", [BO])], got
    assert bo.reactions_list(user=BO, limit=5)["items"][0]["message"]["ts"] == ts
    bo.reactions_remove(channel=GENERAL, timestamp=ts, name="thumbsup")
    is_code("no_reaction", bo.reactions_remove, channel=GENERAL, timestamp=ts, name="thumbsup")


@test
def scheduled_messages():
    channel = channel_of(bot)
    post_at = int(time.time()) + 3600
    made = bot.chat_scheduleMessage(channel=channel, text="later", post_at=post_at)
    assert made["post_at"] == post_at
    listed = bot.chat_scheduledMessages_list(channel=channel)["scheduled_messages"]
    assert [it["text"] for it in listed] == ["later"], listed
    bot.chat_deleteScheduledMessage(channel=channel, scheduled_message_id=made["scheduled_message_id"])
    again = {"channel": channel, "scheduled_message_id": made["scheduled_message_id"]}
    is_code("invalid_scheduled_message_id", bot.chat_deleteScheduledMessage, **again)
    is_code("time_in_past", bot.chat_scheduleMessage, channel=channel, text="x", post_at=1)


@test
def messages_and_threads():
    channel = channel_of(ann)
    me = ann.chat_meMessage(channel=channel, text="waves")
    ts = ann.chat_postMessage(channel=channel, text="parent")["ts"]
    ann.chat_postMessage(channel=channel, thread_ts=ts, text="reply", reply_broadcast=True)
    replies = ann.conversations_replies(channel=channel, ts=ts)["messages"]
    assert [it["text"] for it in replies] == ["parent", "reply"] and replies[0]["subscribed"] is True
    assert f"/archives/{channel}/p" in ann.chat_getPermalink(channel=channel, message_ts=ts)["permalink"]
    assert ann.chat_update(channel=channel, ts=ts, text="edited")["text"] == "edited"
    is_code("cant_update_message", bo.chat_update, channel=channel, ts=ts, text="mine")
    ann.chat_postEphemeral(channel=channel, user=ANN, text="only you")
    ann.chat_delete(channel=channel, ts=me["ts"])
    is_code("message_not_found", ann.chat_delete, channel=channel, ts=me["ts"])
    ann.conversations_mark(channel=channel, ts=ts)
    pages = [page["messages"] for page in ann.conversations_history(channel=channel, limit=1)]
    assert len(pages) > 1 and all(len(page) == 1 for page in pages), pages


@test
def blocks_and_attachments():
    channel = channel_of(bot)
    blocks = [
        HeaderBlock(text="Title"),
        SectionBlock(text=MarkdownTextObject(text="*bold*")),
        DividerBlock(),
        ContextBlock(elements=[MarkdownTextObject(text="context")]),
    ]
    attachments = [Attachment(text="attached", fallback="attached", color="#00ff00")]
    posted = bot.chat_postMessage(channel=channel, text="fallback", blocks=blocks, attachments=attachments)["message"]
    assert [it["type"] for it in posted["blocks"]] == ["header", "section", "divider", "context"], posted
    assert all(it["block_id"] for it in posted["blocks"]) and posted["attachments"][0]["text"] == "attached"
    is_code("invalid_blocks", bot.chat_postMessage, channel=channel, text="x", blocks=[DividerBlock()] * 51)


@test
def presence():
    assert bo.users_getPresence(user=BO)["presence"] in ("active", "away")
    bo.users_setPresence(presence="away")
    assert bo.users_getPresence(user=BO)["manual_away"] is True
    bo.users_setPresence(presence="auto")
    is_code("invalid_presence", bo.users_setPresence, presence="busy")


@test
def the_rest_of_the_directory():
    assert bot.api_test(foo="bar")["args"]["foo"] == "bar"
    assert refused(bot.api_test, error="my_error") == "my_error"
    assert bot.auth_test()["user_id"] == SEED["bot"]["user_id"]
    assert bot.team_info()["team"]["id"] == SEED["workspace"]["id"]
    assert bot.team_preferences_list()["msg_edit_window_mins"] is not None
    found = [it["id"] for page in bot.conversations_list(types="public_channel", limit=2) for it in page["channels"]]
    assert GENERAL in found and len(found) == len(set(found))
    assert bot.rtm_connect()["url"].startswith("ws")
    assert bo.auth_revoke(test=True)["revoked"] is False
    assert refused(WebClient("xoxb-nothing", base_url=API).auth_test) == "invalid_auth"


for function in TESTS:
    try:
        function()
        report(function.__name__)
    except Exception as error:  # noqa: BLE001: every failure is one line
        report(function.__name__, error)
finish()
