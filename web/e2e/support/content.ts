/** Messages as apps send them, and as somebody sends them who means no good. */

const plain = (text: string) => ({ type: "plain_text", text });
const mrkdwn = (text: string) => ({ type: "mrkdwn", text });
const section = (...elements: object[]) => ({ type: "rich_text_section", elements });
const words = (text: string, style?: object) => ({ type: "text", text, ...(style ? { style } : {}) });

/** One message each. */
export const BLOCKS: object[][] = [
  [
    {
      type: "rich_text",
      elements: [
        section(words("Rich: "), words("bold", { bold: true }), words(", "), words("italic", { italic: true }), words(", "), words("struck", { strike: true }), words(", "), words("code", { code: true }), words(", "), words("all", { bold: true, italic: true, strike: true }), words(" and "), { type: "link", url: "https://example.org/a/b", text: "a link" }, words(" "), { type: "emoji", name: "wave", skin_tone: 4 }, words(" "), { type: "broadcast", range: "here" }, words(" "), { type: "color", value: "#0a7e8c" }),
        { type: "rich_text_list", style: "bullet", indent: 0, elements: [section(words("first item")), section(words("second item"))] },
        { type: "rich_text_list", style: "bullet", indent: 1, elements: [section(words("deep item"))] },
        { type: "rich_text_list", style: "ordered", indent: 0, offset: 2, elements: [section(words("Ordered three")), section(words("Ordered four"))] },
        { type: "rich_text_quote", elements: [words("Somebody said this\nover two lines")] },
        { type: "rich_text_preformatted", language: "typescript", elements: [words('const greeting: string = "hello"; // a long line of code that goes on and on beyond every window that it could be shown in, as such lines do\nexport default greeting;')] },
      ],
    },
  ],
  [
    { type: "header", text: plain("Deploy finished :rocket:") },
    { type: "section", text: mrkdwn("*web* is at `4f2a91c`. <https://example.org/log|See the log>."), accessory: { type: "button", text: plain("Open report"), url: "https://report.example/1", style: "primary" } },
    { type: "section", fields: [mrkdwn("*Environment*\nproduction"), mrkdwn("*Duration*\n3 min 12 s"), mrkdwn("*By*\nAnn Lee"), mrkdwn("*Second field*\nyes")] },
    { type: "divider" },
    { type: "actions", elements: [{ type: "button", text: plain("Restart"), style: "danger", action_id: "restart" }, { type: "button", text: plain("Approve"), style: "primary", action_id: "approve" }, { type: "static_select", placeholder: plain("Pick a region"), options: [{ text: plain("eu"), value: "eu" }], action_id: "region" }, { type: "datepicker", initial_date: "2026-12-31", action_id: "day" }, { type: "overflow", options: [{ text: plain("x"), value: "x" }], action_id: "more" }] },
    { type: "context", elements: [{ type: "image", image_url: "https://pictures.example/i.png", alt_text: "icon" }, mrkdwn("build *#4711* on <https://grafana.example|grafana>"), plain("Context words")] },
  ],
  [
    { type: "image", image_url: "https://pictures.example/big.png", alt_text: "The whole team on the roof", title: plain("Roof") },
    { type: "video", title: plain("Quarterly film"), title_url: "https://video.example/1", video_url: "https://video.example/embed/1", thumbnail_url: "https://video.example/1.jpg", alt_text: "film", description: plain("What happened in three months"), author_name: "Bo", provider_name: "Video Example" },
    { type: "table", column_settings: [{ align: "left" }, { align: "right" }], rows: [[{ type: "raw_text", text: "Name" }, { type: "raw_text", text: "Count" }], [{ type: "raw_text", text: "Row two" }, { type: "rich_text", elements: [section(words("42", { bold: true }))] }]] },
  ],
  [
    { type: "alert", level: "warning", text: mrkdwn("*Careful now.* The disk is nearly full.") },
    { type: "alert", level: "error", text: plain("It is full.") },
    { type: "alert", level: "success", text: plain("It was emptied.") },
    { type: "card", title: plain("Card title"), subtitle: plain("Its subtitle"), body: mrkdwn("Its _body_."), actions: [{ type: "button", text: plain("Go"), url: "https://example.org/go" }] },
    { type: "container", title: plain("Inside a container"), subtitle: plain("folds"), is_collapsible: true, child_blocks: [{ type: "section", text: plain("Folded words") }] },
    { type: "input", label: plain("Your name"), element: { type: "plain_text_input", placeholder: plain("Ann"), action_id: "name" }, hint: plain("As on the badge") },
    { type: "section", text: plain("Choose"), accessory: { type: "checkboxes", action_id: "c", options: [{ text: mrkdwn("*one*"), value: "1" }, { text: plain("two"), value: "2" }], initial_options: [{ text: mrkdwn("*one*"), value: "1" }] } },
    { type: "file", external_id: "F-external", source: "remote" },
    { type: "call", call_id: "R-call" },
  ],
  [{ type: "markdown", text: "## Markdown heading\n\nWith **bold**, *italic*, ~~gone~~ and `code`.\n\n1. one\n   - inner\n2. two\n\n| a | b |\n|---|--:|\n| cell a | cell b |\n\n> quoted\n\n```python\ndef f(x):\n    return x + 1\n```" }],
];

export const ATTACHMENTS: object[] = [
  { color: "#36a64f", pretext: "Before it", author_name: "CI", author_link: "https://ci.example", title: "Build 4711", title_link: "https://ci.example/4711", text: "All *green*.", fields: [{ title: "Branch", value: "main", short: true }, { title: "Took", value: "3 min", short: true }, { title: "Second field of all", value: "long value" }], footer: "ci.example", ts: 1712345678, thumb_url: "https://ci.example/t.png" },
  { color: "danger", fallback: "Tests failed", text: "Two tests *failed*.", blocks: [{ type: "section", text: mrkdwn("In a block: `it`") }] },
];

const LONG = "W".repeat(600);
const SCRIPT = "<script>window.hit=1</script>";
const IMAGE = '<img src=x onerror="window.hit=1">';
const EVIL = "javascript:window.hit=1";

export const HOSTILE_TEXTS: string[] = [
  `${SCRIPT}${IMAGE}<svg onload=window.hit=1>`,
  `&lt;script&gt;window.hit=1&lt;/script&gt; <${EVIL}|click me> <data:text/html,${SCRIPT}|data> <vbscript:x|vb> [md](${EVIL})`,
  LONG,
  `<https://example.org/${LONG}>`,
  `<https://evil.example|https://bank.example/login> looks like a bank`,
  "\u202eevil reversed\u202c and \u2066isolated\u2069 \u202d and \u200f marks, then words that must stay in order",
  `\`\`\`${LONG}\n${SCRIPT}\`\`\``,
  `\`${LONG}\``,
  `*${LONG}* _${LONG}_`,
  "Z̸̧̛̗̹̖̜̮̜̱͓̘̠͉̽̈́̈̓̓͛̕͠a̷̛̜̞̫̙̬͊̈́͗l̴̢̛̳̗̫̱̗̗̩̈́̆̓̑g̸̡̛̠̗͓̥̯̃̂̀o̶̧͖̮͓̝̹̗̿".repeat(20),
  `<@U0000|${IMAGE}> <#C0000|${SCRIPT}> <!subteam^S1|${IMAGE}> <!date^1^{time}^${EVIL}|x> <!date^99999999999999999999^{date}|far>`,
  `:${"x".repeat(90)}: :constructor: :__proto__:`,
  `<https://[|broken> <https://example.org:99999999/|port> <mailto:%E0|mail> http://127.0.0.1/c/%E0%A4%A https://% :toString: <@constructor> <#__proto__|x>`,
  `&gt; ${"&gt; ".repeat(50)}deep`,
  "\u0000\u0001 control \u001b[31m",
];

export function hostileBlocks(): object[][] {
  return [
    [{ type: "rich_text", elements: [section(words(SCRIPT), { type: "link", url: `https://example.org/"><script>window.hit=1</script>`, text: IMAGE }, { type: "color", value: "red;background:url(x)" }, { type: "user", user_id: IMAGE.slice(0, 40) }, { type: "emoji", name: IMAGE }), { type: "rich_text_list", style: "bullet", indent: 8, elements: [section(words(LONG))] }, { type: "rich_text_preformatted", language: "</code>", elements: [words(`${LONG}${SCRIPT}`)] }] }],
    [{ type: "header", text: plain(`${IMAGE}${"H".repeat(100)}`) }, { type: "section", text: mrkdwn(`<${EVIL}|x>${LONG}`), fields: [plain(LONG), mrkdwn(SCRIPT)], accessory: { type: "button", text: plain("M".repeat(75)), url: "https://example.org/x" } }],
    [{ type: "context", elements: [plain(LONG), { type: "image", image_url: "https://x.example/a.png", alt_text: `"><script>window.hit=1</script>` }] }, { type: "image", image_url: `https://x.example/"onerror="window.hit=1`, alt_text: IMAGE, title: plain(LONG), image_width: 100000, image_height: 1 }],
    [{ type: "markdown", text: `# ${LONG}\n\n${SCRIPT}\n\n${IMAGE}\n\n[x](${EVIL}) ![y](${EVIL}) <${EVIL}>\n\n| ${LONG} | b |\n|--|--|\n| ${IMAGE} | ${LONG} |\n\n<iframe src="${EVIL}"></iframe>` }],
    [{ type: "table", rows: [Array.from({ length: 20 }, (_, i) => ({ type: "raw_text", text: `${i} ${IMAGE}` })), [{ type: "raw_text", text: LONG }]] }],
    [{ type: "video", title: plain(LONG.slice(0, 190)), video_url: "https://v.example/1", thumbnail_url: "https://v.example/1.svg", alt_text: IMAGE, description: plain(SCRIPT) }, { type: "alert", text: mrkdwn(`${LONG}${SCRIPT}`) }, { type: "card", title: plain(LONG.slice(0, 150)), body: plain(SCRIPT) }],
  ];
}

export function hostileAttachments(): object[] {
  return [
    { color: "#fff;background:url(javascript:window.hit=1)", author_name: IMAGE, author_link: EVIL, title: SCRIPT, title_link: EVIL, text: `${LONG}${SCRIPT}`, fields: [{ title: LONG, value: LONG, short: true }, { title: IMAGE, value: `<${EVIL}|x>`, short: true }], image_url: "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' onload='window.hit=1'/>", thumb_url: EVIL, footer: LONG, ts: 1e18 },
    { fallback: IMAGE, color: "danger", pretext: `${LONG}` },
  ];
}
