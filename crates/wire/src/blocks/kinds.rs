//! The kinds of blocks and elements, as tables.

/// Most blocks of a message.
pub const BLOCKS_MAX: usize = 50;
/// Most characters of the markdown blocks of a message, together.
pub(super) const MARKDOWN_CHARS_MAX: usize = 12_000;

/// A member of a block or element.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) required: bool,
    pub(super) kind: Kind,
}

/// What a member may be. Numbers are least and most.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// Anything.
    Any,
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Integer(i64, i64),
    /// A string of so many characters.
    Chars(usize, usize),
    /// An address of at most so many characters.
    Url(usize),
    /// A string of a form, and what that is called.
    Shaped(fn(&str) -> bool, &'static str),
    /// One of these strings.
    OneOf(&'static [&'static str]),
    /// A `plain_text` of at most so many characters.
    Plain(usize),
    /// A `plain_text` or `mrkdwn` of at most so many characters.
    Text(usize),
    /// At most so many texts of at most so many characters.
    Texts(usize, usize),
    /// An object of one of these types.
    Typed(&'static [&'static str]),
    /// So many objects of these types.
    List(&'static [&'static str], usize, usize),
    /// An object without a type.
    Object(&'static [Field]),
    /// So many of them.
    Objects(&'static [Field], usize, usize),
    /// So many strings.
    Strings(usize, usize),
    /// At most so many rows of at most so many cells of these types.
    Rows(usize, usize, &'static [&'static str]),
}

const fn must(name: &'static str, kind: Kind) -> Field {
    Field { name, required: true, kind }
}

const fn may(name: &'static str, kind: Kind) -> Field {
    Field { name, required: false, kind }
}

/// Types that a message's blocks may have.
pub(super) const BLOCKS: &[&str] = &[
    "actions",
    "alert",
    "call",
    "card",
    "carousel",
    "container",
    "context",
    "context_actions",
    "divider",
    "file",
    "header",
    "image",
    "input",
    "markdown",
    "plan",
    "rich_text",
    "section",
    "table",
    "task_card",
    "video",
];

/// Elements that an actions block, or a section beside its text, may have.
const INTERACTIVE: &[&str] = &[
    "button",
    "channels_select",
    "checkboxes",
    "conversations_select",
    "datepicker",
    "datetimepicker",
    "external_select",
    "image",
    "multi_channels_select",
    "multi_conversations_select",
    "multi_external_select",
    "multi_static_select",
    "multi_users_select",
    "overflow",
    "radio_buttons",
    "rich_text_input",
    "static_select",
    "timepicker",
    "users_select",
    "workflow_button",
];

/// Elements of an input block.
const INPUTS: &[&str] = &[
    "channels_select",
    "checkboxes",
    "conversations_select",
    "datepicker",
    "datetimepicker",
    "email_text_input",
    "external_select",
    "file_input",
    "multi_channels_select",
    "multi_conversations_select",
    "multi_external_select",
    "multi_static_select",
    "multi_users_select",
    "number_input",
    "plain_text_input",
    "radio_buttons",
    "rich_text_input",
    "static_select",
    "timepicker",
    "url_text_input",
    "users_select",
];

const CELLS: &[&str] = &["raw_text", "rich_text"];
const RICH_PARTS: &[&str] =
    &["rich_text_section", "rich_text_list", "rich_text_quote", "rich_text_preformatted"];
const RICH_SPANS: &[&str] =
    &["text", "link", "emoji", "user", "usergroup", "channel", "team", "broadcast", "date", "color"];

/// Most parts and spans of a rich text: Slack names no number, its text has an end.
const RICH_MAX: usize = 4_000;
const BLOCK_ID: Field = may("block_id", Kind::Chars(0, 255));
const ACTION_ID: Field = may("action_id", Kind::Chars(0, 255));
const CONFIRM: Field = may(
    "confirm",
    Kind::Object(&[
        must("title", Kind::Plain(100)),
        must("text", Kind::Text(300)),
        must("confirm", Kind::Plain(30)),
        must("deny", Kind::Plain(30)),
        may("style", Kind::OneOf(&["primary", "danger"])),
    ]),
);
const PLACEHOLDER: Field = may("placeholder", Kind::Plain(150));
const FOCUS: Field = may("focus_on_load", Kind::Flag);
const OPTION: &[Field] = &[
    must("text", Kind::Text(75)),
    must("value", Kind::Chars(1, 150)),
    may("description", Kind::Text(75)),
    may("url", Kind::Url(3_000)),
];
const OPTION_GROUP: &[Field] =
    &[must("label", Kind::Plain(75)), must("options", Kind::Objects(OPTION, 1, 100))];
const STYLE: Field = may(
    "style",
    Kind::Object(&[
        may("bold", Kind::Flag),
        may("italic", Kind::Flag),
        may("strike", Kind::Flag),
        may("code", Kind::Flag),
        may("highlight", Kind::Flag),
        may("client_highlight", Kind::Flag),
        may("unlink", Kind::Flag),
        may("underline", Kind::Flag),
    ]),
);

fn is_date(text: &str) -> bool {
    text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok()
}

fn is_time(text: &str) -> bool {
    text.len() == 5 && text.parse::<jiff::civil::Time>().is_ok()
}

/// The members of a type.
pub(super) fn fields_of(name: &str) -> Option<&'static [Field]> {
    let all = BLOCK_KINDS.iter().chain(ELEMENT_KINDS).chain(RICH_KINDS);
    all.filter(|(names, _)| names.contains(&name)).map(|(_, fields)| *fields).next()
}

/// Types, and what members they have.
type Members = (&'static [&'static str], &'static [Field]);

/// Blocks.
static BLOCK_KINDS: &[Members] = &[
    (
        &["section"],
        &[
            BLOCK_ID,
            may("text", Kind::Text(3_000)),
            may("fields", Kind::Texts(10, 2_000)),
            may("accessory", Kind::Typed(INTERACTIVE)),
            may("expand", Kind::Flag),
        ],
    ),
    (&["divider"], &[BLOCK_ID]),
    (&["header"], &[BLOCK_ID, must("text", Kind::Plain(150))]),
    (&["context"], &[BLOCK_ID, must("elements", Kind::List(&["image", "plain_text", "mrkdwn"], 1, 10))]),
    (
        &["context_actions"],
        &[BLOCK_ID, must("elements", Kind::List(&["feedback_buttons", "icon_button"], 1, 5))],
    ),
    (&["actions"], &[BLOCK_ID, must("elements", Kind::List(INTERACTIVE, 1, 25))]),
    (
        &["input"],
        &[
            BLOCK_ID,
            must("label", Kind::Plain(2_000)),
            must("element", Kind::Typed(INPUTS)),
            may("hint", Kind::Plain(2_000)),
            may("optional", Kind::Flag),
            may("dispatch_action", Kind::Flag),
        ],
    ),
    (&["file"], &[BLOCK_ID, must("external_id", Kind::Chars(1, 255)), must("source", Kind::Chars(1, 255))]),
    (&["call"], &[BLOCK_ID, must("call_id", Kind::Chars(1, 255))]),
    (&["markdown"], &[BLOCK_ID, must("text", Kind::Chars(1, MARKDOWN_CHARS_MAX))]),
    (&["rich_text"], &[BLOCK_ID, must("elements", Kind::List(RICH_PARTS, 0, RICH_MAX))]),
    (
        &["video"],
        &[
            BLOCK_ID,
            must("title", Kind::Plain(200)),
            must("alt_text", Kind::Chars(1, 2_000)),
            must("video_url", Kind::Url(3_000)),
            must("thumbnail_url", Kind::Url(3_000)),
            may("title_url", Kind::Url(3_000)),
            may("description", Kind::Plain(200)),
            may("author_name", Kind::Chars(0, 50)),
            may("provider_name", Kind::Chars(0, 50)),
            may("provider_icon_url", Kind::Url(3_000)),
        ],
    ),
    (
        &["table"],
        &[
            BLOCK_ID,
            must("rows", Kind::Rows(100, 20, CELLS)),
            may(
                "column_settings",
                Kind::Objects(
                    &[may("is_wrapped", Kind::Flag), may("align", Kind::OneOf(&["left", "center", "right"]))],
                    0,
                    20,
                ),
            ),
        ],
    ),
    (
        &["alert"],
        &[
            BLOCK_ID,
            must("text", Kind::Text(3_000)),
            may("level", Kind::OneOf(&["default", "info", "warning", "error", "success"])),
        ],
    ),
    (
        &["card"],
        &[
            BLOCK_ID,
            may("hero_image", Kind::Typed(&["image"])),
            may("icon", Kind::Typed(&["image"])),
            may("title", Kind::Text(150)),
            may("subtitle", Kind::Text(150)),
            may("body", Kind::Text(200)),
            may("actions", Kind::List(&["button"], 0, 25)),
        ],
    ),
    (&["carousel"], &[BLOCK_ID, must("elements", Kind::List(&["card"], 1, 10))]),
    (
        &["container"],
        &[
            BLOCK_ID,
            may("title", Kind::Plain(150)),
            may("subtitle", Kind::Plain(150)),
            must("child_blocks", Kind::List(BLOCKS, 1, 10)),
            may("width", Kind::OneOf(&["narrow", "standard", "wide", "full"])),
            may("is_collapsible", Kind::Flag),
            may("default_collapsed", Kind::Flag),
        ],
    ),
    (&["task_card"], &[BLOCK_ID, must("task_id", Kind::Chars(1, 255)), must("title", Kind::Chars(1, 3_000))]),
    (
        &["plan"],
        &[BLOCK_ID, must("title", Kind::Chars(1, 3_000)), may("tasks", Kind::List(&["task_card"], 0, 50))],
    ),
];

/// Elements of blocks.
static ELEMENT_KINDS: &[Members] = &[
    (
        &["image"],
        &[
            BLOCK_ID,
            may("image_url", Kind::Url(3_000)),
            may("slack_file", Kind::Object(&[may("id", Kind::Chars(1, 255)), may("url", Kind::Url(3_000))])),
            must("alt_text", Kind::Chars(0, 2_000)),
            may("title", Kind::Plain(2_000)),
        ],
    ),
    (
        &["plain_text", "mrkdwn"],
        &[must("text", Kind::Chars(1, 3_000)), may("emoji", Kind::Flag), may("verbatim", Kind::Flag)],
    ),
    (
        &["button"],
        &[
            ACTION_ID,
            must("text", Kind::Plain(75)),
            may("url", Kind::Url(3_000)),
            may("value", Kind::Chars(0, 2_000)),
            may("style", Kind::OneOf(&["primary", "danger"])),
            CONFIRM,
            may("accessibility_label", Kind::Chars(0, 75)),
        ],
    ),
    (&["workflow_button"], &[ACTION_ID, must("text", Kind::Plain(75)), must("workflow", Kind::Any)]),
    (
        &["icon_button"],
        &[ACTION_ID, must("icon", Kind::Chars(1, 100)), must("text", Kind::Plain(75)), CONFIRM],
    ),
    (
        &["feedback_buttons"],
        &[ACTION_ID, must("positive_button", Kind::Any), must("negative_button", Kind::Any)],
    ),
    (&["overflow"], &[ACTION_ID, must("options", Kind::Objects(OPTION, 1, 5)), CONFIRM]),
    (
        &["checkboxes", "radio_buttons"],
        &[
            ACTION_ID,
            must("options", Kind::Objects(OPTION, 1, 10)),
            may("initial_options", Kind::Objects(OPTION, 1, 10)),
            may("initial_option", Kind::Object(OPTION)),
            CONFIRM,
            FOCUS,
        ],
    ),
    (
        &["datepicker"],
        &[
            ACTION_ID,
            may("initial_date", Kind::Shaped(is_date, "a date like 2026-12-31")),
            PLACEHOLDER,
            CONFIRM,
            FOCUS,
        ],
    ),
    (
        &["timepicker"],
        &[
            ACTION_ID,
            may("initial_time", Kind::Shaped(is_time, "a time like 23:59")),
            PLACEHOLDER,
            CONFIRM,
            FOCUS,
        ],
    ),
    (
        &["datetimepicker"],
        &[ACTION_ID, may("initial_date_time", Kind::Integer(0, 9_999_999_999)), CONFIRM, FOCUS],
    ),
    (
        &["static_select", "multi_static_select"],
        &[
            ACTION_ID,
            PLACEHOLDER,
            may("options", Kind::Objects(OPTION, 1, 100)),
            may("option_groups", Kind::Objects(OPTION_GROUP, 1, 100)),
            may("initial_option", Kind::Object(OPTION)),
            may("initial_options", Kind::Objects(OPTION, 0, 100)),
            may("max_selected_items", Kind::Integer(1, 1_000)),
            CONFIRM,
            FOCUS,
        ],
    ),
    (
        &["external_select", "multi_external_select"],
        &[ACTION_ID, PLACEHOLDER, may("min_query_length", Kind::Integer(0, 1_000)), CONFIRM, FOCUS],
    ),
    (&["users_select", "conversations_select", "channels_select"], &[ACTION_ID, PLACEHOLDER, CONFIRM, FOCUS]),
    (
        &["multi_users_select", "multi_conversations_select", "multi_channels_select"],
        &[ACTION_ID, PLACEHOLDER, may("max_selected_items", Kind::Integer(1, 1_000)), CONFIRM, FOCUS],
    ),
    (
        &["plain_text_input"],
        &[
            ACTION_ID,
            PLACEHOLDER,
            may("initial_value", Kind::Chars(0, 3_000)),
            may("multiline", Kind::Flag),
            may("min_length", Kind::Integer(0, 3_000)),
            may("max_length", Kind::Integer(1, 3_000)),
            FOCUS,
        ],
    ),
    (
        &["email_text_input", "url_text_input"],
        &[ACTION_ID, PLACEHOLDER, may("initial_value", Kind::Chars(0, 3_000)), FOCUS],
    ),
    (&["number_input"], &[ACTION_ID, PLACEHOLDER, must("is_decimal_allowed", Kind::Flag), FOCUS]),
    (
        &["rich_text_input"],
        &[ACTION_ID, PLACEHOLDER, may("initial_value", Kind::Typed(&["rich_text"])), FOCUS],
    ),
    (
        &["file_input"],
        &[ACTION_ID, may("filetypes", Kind::Strings(0, 100)), may("max_files", Kind::Integer(1, 10))],
    ),
    (&["raw_text"], &[must("text", Kind::Chars(0, 3_000))]),
];

/// Parts and spans of a rich text.
static RICH_KINDS: &[Members] = &[
    (&["rich_text_section"], &[must("elements", Kind::List(RICH_SPANS, 0, RICH_MAX))]),
    (
        &["rich_text_quote"],
        &[must("elements", Kind::List(RICH_SPANS, 0, RICH_MAX)), may("border", Kind::Integer(0, 1))],
    ),
    (
        &["rich_text_preformatted"],
        &[
            must("elements", Kind::List(&["text", "link"], 0, RICH_MAX)),
            may("border", Kind::Integer(0, 1)),
            may("language", Kind::Chars(0, 50)),
        ],
    ),
    (
        &["rich_text_list"],
        &[
            must("style", Kind::OneOf(&["bullet", "ordered"])),
            must("elements", Kind::List(&["rich_text_section"], 0, RICH_MAX)),
            may("indent", Kind::Integer(0, 8)),
            may("offset", Kind::Integer(0, 1_000_000)),
            may("border", Kind::Integer(0, 1)),
        ],
    ),
    (&["text"], &[must("text", Kind::Chars(0, 40_000)), STYLE]),
    (
        &["link"],
        &[
            must("url", Kind::Url(3_000)),
            may("text", Kind::Chars(0, 40_000)),
            may("unsafe", Kind::Flag),
            STYLE,
        ],
    ),
    (&["emoji"], &[must("name", Kind::Chars(1, 100)), may("skin_tone", Kind::Integer(2, 6)), STYLE]),
    (&["user"], &[must("user_id", Kind::Chars(1, 50)), STYLE]),
    (&["usergroup"], &[must("usergroup_id", Kind::Chars(1, 50)), STYLE]),
    (&["channel"], &[must("channel_id", Kind::Chars(1, 50)), STYLE]),
    (&["team"], &[must("team_id", Kind::Chars(1, 50)), STYLE]),
    (&["broadcast"], &[must("range", Kind::OneOf(&["here", "channel", "everyone"])), STYLE]),
    (
        &["date"],
        &[
            must("timestamp", Kind::Integer(0, 99_999_999_999)),
            must("format", Kind::Chars(1, 500)),
            may("url", Kind::Url(3_000)),
            may("fallback", Kind::Chars(0, 500)),
            STYLE,
        ],
    ),
    (&["color"], &[must("value", Kind::Chars(1, 50)), STYLE]),
];
