import { Icon } from "../components/Icon";
import type { MenuItem } from "../components/overlay";
import { attentionOf, mutedOf } from "../realtime/attention";
import type { Session } from "../realtime/session";
import { copyText } from "../store/clipboard";
import { notify, notifyFailure } from "../store/notice";
import { navigate, pathOf, route } from "../store/route";
import { t } from "../strings";

/** What one can do with a conversation from the list or its head. `onLeave` asks first. */
export function conversationActions(session: Session, id: string, onLeave: () => void): MenuItem[] {
  const state = session.state.get();
  const it = state.conversations[id];
  if (it === undefined) return [];
  const { channel } = it;
  const direct = channel.is_im || channel.is_mpim;
  const muted = mutedOf(state).has(id);
  const { unread, mentions } = attentionOf(it, false);
  const items: MenuItem[] = [];
  if (unread || mentions > 0) items.push({ key: "read", icon: <Icon name="check" />, text: t.places.conversation.markRead, run: () => session.read(id) });
  items.push({
    key: "mute",
    icon: <Icon name={muted ? "bell" : "muted"} />,
    text: muted ? t.places.conversation.unmute : t.places.conversation.mute,
    run: () => void session.places.mute(id, !muted).catch(notifyFailure),
  });
  items.push({ key: "link", icon: <Icon name="link" />, text: t.places.conversation.copyLink, run: () => void copyText(location.origin + pathOf({ name: "channel", channel: id })) });
  if (channel.is_im && channel.user !== undefined) {
    const person = channel.user;
    items.push({ key: "profile", icon: <Icon name="person" />, text: t.places.conversation.profile, run: () => navigate({ name: "channel", channel: id, person }) });
  } else {
    items.push({ key: "details", icon: <Icon name="info" />, text: t.places.conversation.details, run: () => navigate({ name: "channel", channel: id, details: "about" }) });
  }
  if (direct) items.push({ key: "close", icon: <Icon name="close" />, text: t.places.conversation.close, run: () => void session.places.closeDirect(id).then(() => leaveView(id), notifyFailure) });
  else if (!channel.is_general) items.push({ key: "leave", icon: <Icon name="exit" />, text: t.places.conversation.leave, danger: true, run: onLeave });
  return items;
}

/** Leaves a channel. A private one is asked for first, because there is no way back. */
export function leaveChannel(session: Session, id: string, name: string): void {
  session.leave(id).then(() => {
    leaveView(id);
    notify(t.places.conversation.left(name));
  }, notifyFailure);
}

/** Whoever looks at what is not theirs any more goes home. */
function leaveView(id: string): void {
  const at = route.get();
  if (at.name === "channel" && at.channel === id) navigate({ name: "home" });
}
