/** What is loaded when it is first wanted: nothing of it is needed to sign in and read. */
export { ChannelDetails } from "./ChannelDetails";
export { Channels } from "./Channels";
export { Drafts } from "./Drafts";
export { Files } from "./Files";
export { HelpSheet } from "./HelpSheet";
export { Mentions } from "./Mentions";
export { PauseDialog } from "./PauseDialog";
export { People } from "./People";
export { PreferencesDialog } from "./PreferencesDialog";
export { ProfileDialog } from "./ProfileDialog";
export { ProfilePanel } from "./ProfilePanel";
export { Scheduled } from "./Scheduled";
export { StatusDialog } from "./StatusDialog";
export { Threads } from "./Threads";
export { Unread } from "./Unread";
