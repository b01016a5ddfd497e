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
};
