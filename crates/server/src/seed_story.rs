//! What is said in the demo workspace.

use model::Micros;

/// How long the story took until now: three days.
pub(crate) const SPAN_US: Micros = 3 * 24 * 3_600 * 1_000_000;
/// Name of the workspace.
pub(crate) const WORKSPACE: &str = "Harbour Works";
/// Its domain.
pub(crate) const DOMAIN: &str = "harbour";
/// Name of the bot.
pub(crate) const BOT: &str = "Lantern";
/// A public channel besides the usual two.
pub(crate) const PROJECT: &str = "tide-clock";
/// The private channel.
pub(crate) const PRIVATE: &str = "budget";
/// Full names and handles. They are numbers 0, 1, 2 of the story; the bot is 9.
pub(crate) const PEOPLE: [(&str, &str); 3] = [("Ann Lee", "ann"), ("Bo Okafor", "bo"), ("Cy Marin", "cy")];
/// Topics of channels.
pub(crate) const TOPICS: [(&str, &str); 3] = [
    ("general", "What everybody should know"),
    (PROJECT, "Tide clock v2: ships on the 12th"),
    (PRIVATE, "Only the three of us"),
];
const BOT_NUMBER: usize = 9;

/// One thing that happens. `{0}` in a text mentions person 0.
pub(crate) enum Line {
    /// A message in a channel.
    Say { channel: &'static str, who: usize, text: &'static str, reactions: &'static [(usize, &'static str)] },
    /// A reply in the thread of the message before.
    Reply { who: usize, text: &'static str, reactions: &'static [(usize, &'static str)] },
}

const fn say(channel: &'static str, who: usize, text: &'static str) -> Line {
    Line::Say { channel, who, text, reactions: &[] }
}

const fn liked(
    channel: &'static str,
    who: usize,
    text: &'static str,
    reactions: &'static [(usize, &'static str)],
) -> Line {
    Line::Say { channel, who, text, reactions }
}

const fn reply(who: usize, text: &'static str) -> Line {
    Line::Reply { who, text, reactions: &[] }
}

/// The story, in order.
pub(crate) const STORY: &[Line] = &[
    liked(
        "general",
        0,
        "Morning! The new workshop keys are with reception. Ask for the blue envelope.",
        &[(1, "key"), (2, "wave")],
    ),
    say("general", 1, "Thanks. Is the back door on the same key?"),
    reply(0, "No, that one still has its own. Bo, you have the only copy."),
    reply(1, "Right. I will have two more cut today."),
    reply(2, "Make it three, I lose things :smile:"),
    say("tide-clock", 2, "The second batch of movements is here. 40 pieces, 2 with a bent minute shaft."),
    liked(
        "tide-clock",
        0,
        "That is 5 %, better than the first batch (11 %). *Good work* on the packing spec.",
        &[(2, "tada"), (1, "chart_with_upwards_trend")],
    ),
    say(
        "tide-clock",
        1,
        "Firmware: the drift correction is in. Ten days on the bench, worst clock is 0.8 s off.",
    ),
    reply(2, "With or without the temperature table?"),
    reply(
        1,
        "Without. With the table it is _0.3 s_. Numbers:\n```\nclock  raw    table\nA1    +0.81  +0.28\nA2    -0.44  -0.11\nA3    +0.62  +0.30\n```",
    ),
    reply(0, "Then the table ships. Is there anything that speaks against it?"),
    reply(1, "128 bytes of flash. We have 900 left."),
    say(
        "random",
        2,
        "There is a seal asleep on the slipway. Please use the other gate until it has decided otherwise.",
    ),
    liked("random", 1, "It has a name now. It is Margaret.", &[(0, "heart"), (2, "heart"), (0, "seal")]),
    say("random", 0, "Margaret does not answer e-mail either, so she will fit in."),
    say("budget", 0, "Quarter is closed: we are 3 % under. I would put it into the second lathe."),
    say("budget", 1, "Agreed. The used one in Kiel is still there, I asked."),
    reply(2, "Does it come with the tailstock?"),
    reply(1, "Yes, and a box of collets."),
    say("dm", 0, "Could you look at the draft of the assembly guide before noon?"),
    say("dm", 1, "On it. Page 4 has the spring the wrong way round, the rest reads well."),
    say("dm", 0, "Fixed, thank you!"),
    liked(
        "general",
        2,
        "Lunch on Thursday is on the pier, weather permitting. Soup otherwise.",
        &[(0, "stew"), (1, "sunny")],
    ),
    say("tide-clock", BOT_NUMBER, "Build 214 of `tide-clock` passed: 312 tests, 0 failures, 41 s."),
    say(
        "tide-clock",
        0,
        "Release checklist:\n• enamel samples signed off\n• guide at the printer\n• firmware 2.0 tagged\n• spare shafts ordered",
    ),
    reply(2, "Enamel is signed off as of this morning."),
    reply(1, "Firmware is tagged: `v2.0.0`."),
    reply(0, "Guide goes to the printer tonight. {1} can you order the shafts?"),
    reply(1, "Done, 60 pieces, Tuesday."),
    say(
        "random",
        1,
        "> A ship in harbour is safe\nbut that is not what the coffee machine is for. Who turned it off?",
    ),
    liked("random", 2, "The fuse did. It is back.", &[(1, "coffee"), (0, "pray")]),
    say("general", BOT_NUMBER, "High water today at *17:42*, 3.9 m. Please move the bicycles."),
    liked(
        "tide-clock",
        1,
        "The first v2 is running on my desk, and it is beautiful.",
        &[(0, "star2"), (2, "star2"), (0, "clock3")],
    ),
    say("tide-clock", 2, "Photo or it did not happen."),
    say(
        "general",
        0,
        "Reminder: the inspector comes tomorrow at nine. {2} could you walk her through the paint store?",
    ),
    reply(2, "Of course."),
    say("general", 1, "Keys are cut. Three of them, on the hook by the sink, labelled."),
];
