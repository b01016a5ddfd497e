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
