/** Texts of what a message shows and of the ways to one. */
export const content = {
  dates: {
    today: "Today",
    yesterday: "Yesterday",
    tomorrow: "Tomorrow",
  },

  content: {
    copyCode: "Copy code",
    copied: "Copied",
    code: "Code",
    table: "Table",
    showImage: "Show image",
    alwaysFrom: (host: string) => `Always from ${host}`,
    imageFrom: (host: string) => `Image on ${host}. It is not loaded before you ask, because that site would learn that you read this.`,
    imageAlt: "Image",
    imageFailed: "The image could not be loaded.",
    forApps: "This is for the app that sent it. This server does not run apps' buttons and menus yet.",
    watch: "Watch",
    file: "File",
    call: "Call",
    field: "Field",
    menu: "Menu",
    level: { info: "Note", warning: "Warning", error: "Error", success: "Done" } as Record<string, string>,
  },

  actions: {
    more: "More actions",
    copyLink: "Copy link",
    linkCopied: "The link was copied.",
    markUnread: "Mark unread from here",
    pin: "Pin to the channel",
    unpin: "Take the pin off",
    pinned: "Pinned",
    alsoSent: "also sent to the channel",
    repliedTo: (text: string) => `replied to a thread: ${text}`,
    deletedMessage: "Deleted message",
    reactions: (list: string) => `Reactions: ${list}`,
    repliesShort: (count: number) => (count === 1 ? "1 reply" : `${count} replies`),
    said: (author: string) => `${author}:`,
  },

  pins: {
    title: "Pinned messages",
    none: "Nothing is pinned here.",
    noneLead: "Pin a message to keep it at hand for everybody in this conversation.",
    failed: "The pinned messages could not be loaded.",
    again: "Try again",
    by: (name: string) => `pinned by ${name}`,
    jump: "Go to message",
  },

  jump: {
    toDate: "Jump to date",
    date: "Date",
    go: "Go",
    presets: { yesterday: "Yesterday", week: "A week ago", month: "A month ago", beginning: "The very beginning" },
    newSince: (count: string, since: string) => `${count} new since ${since}`,
    newMessages: "New messages",
    up: "Jump to the first new message",
    markRead: "Mark as read",
    missing: "This message was deleted, or it never was here.",
  },

  notices: {
    renamed: (before: string, now: string) => (before ? `renamed the channel from ${before} to ${now}` : `renamed the channel to ${now}`),
    archived: "archived this channel",
    unarchived: "brought this channel back from the archive",
    madePrivate: "made this channel private",
    madePublic: "made this channel public",
    pinned: "pinned a message",
  },
};
