"""slack_sdk's rtm_v2.RTMClient, unmodified, against a started server.

The client drops every event that carries its own bot id, so a bot listens to what people do.
"""

import json
import threading

from slack_sdk import WebClient
from slack_sdk.rtm_v2 import RTMClient

from common import API, SEED, Names, finish, report

ANN, BO = (person["id"] for person in SEED["people"][:2])
BOT = SEED["bot"]["user_id"]
ann, bo = (WebClient(person["token"], base_url=API) for person in SEED["people"][:2])
bot = WebClient(SEED["bot"]["token"], base_url=API)
names = Names("py-rtm")
TESTS = []


def test(function):
    TESTS.append(function)
    return function


class Events:
    """Remembers every event and waits for one."""

    def __init__(self):
        self.all = []
        self.changed = threading.Condition()

    def add(self, event):
        with self.changed:
            self.all.append(event)
            self.changed.notify_all()

    def wait(self, what, wanted):
        def find():
            return next((event for event in self.all if wanted(event)), None)

        with self.changed:
            assert self.changed.wait_for(lambda: find() is not None, timeout=10), f"no {what} within 10 s"
            return find()


heard, raw = Events(), Events()
rtm = RTMClient(token=SEED["bot"]["token"], base_url=API)
rtm.on_message_listeners.append(lambda text: raw.add(json.loads(text)))


@rtm.on("*")
def hear(client, event):
    heard.add(event)


def of(kind, **wanted):
    return lambda event: event.get("type") == kind and all(event.get(key) == value for key, value in wanted.items())


@test
def connect(_):
    rtm.connect()
    assert rtm.is_connected()
    raw.wait("hello", of("hello"))


@test
def invited_to_a_channel(room):
    made = ann.conversations_create(name=names.next())["channel"]["id"]
    room["channel"] = made
    ann.conversations_invite(channel=made, users=[BOT, BO])
    heard.wait("channel_joined", lambda event: event.get("type") == "channel_joined" and event["channel"]["id"] == made)
    ann.conversations_kick(channel=made, user=BO)
    heard.wait("member_left_channel", of("member_left_channel", channel=made, user=BO))
    bo.conversations_join(channel=made)
    heard.wait("member_joined_channel", of("member_joined_channel", channel=made, user=BO))


@test
def messages(room):
    channel = room["channel"]
    ts = ann.chat_postMessage(channel=channel, text="one")["ts"]
    assert heard.wait("message", of("message", ts=ts))["text"] == "one"
    ann.chat_update(channel=channel, ts=ts, text="uno")
    changed = heard.wait("message_changed", of("message", subtype="message_changed", channel=channel))
    assert changed["message"]["text"] == "uno", changed
    reply = ann.chat_postMessage(channel=channel, text="reply", thread_ts=ts)["ts"]
    assert heard.wait("the reply", of("message", ts=reply))["thread_ts"] == ts
    ann.chat_delete(channel=channel, ts=reply)
    heard.wait("message_deleted", of("message", subtype="message_deleted", deleted_ts=reply))


@test
def reactions(room):
    channel = room["channel"]
    ts = ann.chat_postMessage(channel=channel, text="react")["ts"]
    bo.reactions_add(channel=channel, timestamp=ts, name="tada")
    added = heard.wait("reaction_added", of("reaction_added", user=BO))
    assert (added["reaction"], added["item"]["ts"]) == ("tada", ts), added
    bo.reactions_remove(channel=channel, timestamp=ts, name="tada")
    heard.wait("reaction_removed", of("reaction_removed", user=BO))


@test
def typing_of_a_person(room):
    other = RTMClient(token=SEED["people"][0]["token"], base_url=API, auto_reconnect_enabled=False)
    other.connect()
    other.send({"id": 1, "type": "typing", "channel": room["channel"]})
    heard.wait("user_typing", of("user_typing", user=ANN, channel=room["channel"]))
    other.close()


@test
def a_message_of_our_own(room):
    channel = room["channel"]
    rtm.send({"id": 21, "type": "message", "channel": channel, "text": "typed"})
    ack = raw.wait("the ack", lambda event: event.get("reply_to") == 21)
    assert ack["ok"] is True and ack["text"] == "typed", ack
    page = ann.conversations_history(channel=channel, limit=1)
    assert page["messages"][0]["ts"] == ack["ts"]
    # What the bot posts by the API comes with its bot id, and the SDK keeps it from the listeners.
    ts = bot.chat_postMessage(channel=channel, text="posted")["ts"]
    echo = raw.wait("the echo", of("message", ts=ts))
    assert echo["bot_id"] == SEED["bot"]["bot_id"], echo
    assert not any(of("message", ts=ack["ts"])(event) for event in raw.all), "typed messages are not echoed"


@test
def a_mark(room):
    ts = ann.chat_postMessage(channel=room["channel"], text="read me")["ts"]
    bot.conversations_mark(channel=room["channel"], ts=ts)
    marked = heard.wait("channel_marked", of("channel_marked", channel=room["channel"]))
    assert marked["ts"] == ts, marked


@test
def a_public_channel_comes_and_goes(_):
    made = ann.conversations_create(name=names.next())["channel"]["id"]
    heard.wait("channel_created", lambda event: event.get("type") == "channel_created" and event["channel"]["id"] == made)
    ann.conversations_invite(channel=made, users=BOT)
    ann.conversations_setTopic(channel=made, topic="weather")
    assert heard.wait("channel_topic", of("message", subtype="channel_topic", channel=made))["topic"] == "weather"
    ann.conversations_setPurpose(channel=made, purpose="small talk")
    heard.wait("channel_purpose", of("message", subtype="channel_purpose", channel=made))
    ann.conversations_kick(channel=made, user=BOT)
    heard.wait("channel_left", of("channel_left", channel=made))
    ann.conversations_invite(channel=made, users=BOT)
    ann.conversations_archive(channel=made)
    heard.wait("channel_archive", of("channel_archive", channel=made))


@test
def a_private_channel_comes_and_goes(_):
    made = ann.conversations_create(name=names.next(), is_private=True)["channel"]["id"]
    ann.conversations_invite(channel=made, users=BOT)
    heard.wait("group_joined", lambda event: event.get("type") == "group_joined" and event["channel"]["id"] == made)
    ts = ann.chat_postMessage(channel=made, text="read me")["ts"]
    bot.conversations_mark(channel=made, ts=ts)
    assert heard.wait("group_marked", of("group_marked", channel=made))["ts"] == ts
    ann.conversations_kick(channel=made, user=BOT)
    heard.wait("group_left", of("group_left", channel=made))
    ann.conversations_invite(channel=made, users=BOT)
    ann.conversations_archive(channel=made)
    heard.wait("group_archive", of("group_archive", channel=made))


@test
def direct_messages(_):
    dm = bo.conversations_open(users=BOT)["channel"]["id"]
    heard.wait("im_created", lambda event: event.get("type") == "im_created" and event["channel"]["id"] == dm)
    ts = bo.chat_postMessage(channel=dm, text="just you")["ts"]
    heard.wait("the message", of("message", ts=ts, channel=dm))
    bot.conversations_mark(channel=dm, ts=ts)
    heard.wait("im_marked", of("im_marked", channel=dm))
    group = bo.conversations_open(users=f"{BOT},{ANN}")["channel"]["id"]
    heard.wait("mpim_joined", lambda event: event.get("type") == "mpim_joined" and event["channel"]["id"] == group)
    ts = bo.chat_postMessage(channel=group, text="both of you")["ts"]
    bot.conversations_mark(channel=group, ts=ts)
    heard.wait("mpim_marked", of("mpim_marked", channel=group))


@test
def threads_and_what_is_left_of_them(room):
    channel = room["channel"]
    parent = ann.chat_postMessage(channel=channel, text="parent")["ts"]
    shown = ann.chat_postMessage(channel=channel, text="to all", thread_ts=parent, reply_broadcast=True)["ts"]
    event = heard.wait("thread_broadcast", of("message", subtype="thread_broadcast", ts=shown))
    assert event["thread_ts"] == parent, event
    ann.chat_delete(channel=channel, ts=parent)
    heard.wait(
        "the tombstone",
        lambda event: event.get("subtype") == "message_changed"
        and event["message"]["ts"] == parent
        and event["message"].get("subtype") == "tombstone",
    )


@test
def an_ephemeral_message(room):
    ann.chat_postEphemeral(channel=room["channel"], user=BOT, text="psst")
    event = heard.wait("the ephemeral message", of("message", text="psst"))
    assert event["channel"] == room["channel"], event


@test
def a_long_message_comes_whole(room):
    text = "x" * 30_000
    ts = ann.chat_postMessage(channel=room["channel"], text=text)["ts"]
    assert heard.wait("the long message", of("message", ts=ts))["text"] == text


@test
def a_new_connection_after_the_old_one(room):
    rtm.connect_to_new_endpoint(force=True)
    ts = ann.chat_postMessage(channel=room["channel"], text="after")["ts"]
    heard.wait("a message on the new connection", of("message", ts=ts))


state = {}
for function in TESTS:
    try:
        function(state)
        report(function.__name__.replace("_", " "))
    except Exception as error:  # every failure is a line
        report(function.__name__.replace("_", " "), error)
rtm.auto_reconnect_enabled = False
finish()
