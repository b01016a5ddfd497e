import { useCallback, useMemo, useRef } from "react";
import { Icon } from "../../components/Icon";
import { attentionOf, isListed, mutedOf } from "../../realtime/attention";
import { hasUnreads } from "../../realtime/state";
import type { Conversation, State } from "../../realtime/state";
import { compareNames, labelOf, titleOf, useSession, useWorkspace } from "../../store/context";
import { notify } from "../../store/notice";
import { navigate } from "../../store/route";
import { t } from "../../strings";
import type { Ts } from "../../wire/types";
import { compareTs } from "../../wire/types";
import { ConversationLink, Excerpt } from "./Excerpt";
import { Frame, Nothing } from "./Frame";
import { Loading } from "./Loading";
import { useLoaded } from "./load";

/** Messages shown of each conversation. */
const SHOWN_MAX = 12;
/** Conversations shown at once; the next ones come when these are read. */
const CONVERSATIONS_MAX = 12;

/** Everything that is unread, conversation by conversation. */
export function Unread() {
  const session = useSession();
  const conversations = useWorkspace((state) => state.conversations);
  const muted = useWorkspace(mutedOf);
  const waiting = useMemo(() => unreadConversations(session.state.get(), conversations, muted), [session, conversations, muted]);
  const readAll = () => {
    for (const it of waiting) session.read(it.channel.id);
    notify(t.places.unread.markedAll);
  };
  return (
    <Frame
      title={t.places.names.unread}
      tools={
        waiting.length > 0 && (
          <button type="button" className="button small quiet" onClick={readAll}>
            <Icon name="check" />
            {t.places.unread.markAll}
          </button>
        )
      }
    >
      {waiting.length === 0 ? <Nothing title={t.places.unread.none} lead={t.places.unread.noneLead} /> : waiting.slice(0, CONVERSATIONS_MAX).map((it) => <Waiting key={it.channel.id} it={it} />)}
    </Frame>
  );
}

/** Mentions and direct messages first, then by name. */
function unreadConversations(state: State, conversations: State["conversations"], muted: ReadonlySet<string>): Conversation[] {
  const rank = (it: Conversation) => (attentionOf(it, false).mentions > 0 ? 0 : it.channel.is_im || it.channel.is_mpim ? 1 : 2);
  return Object.values(conversations)
    .filter((it) => isListed(it) && attentionOf(it, muted.has(it.channel.id)).unread)
    .sort((a, b) => rank(a) - rank(b) || compareNames(titleOf(state, a.channel), titleOf(state, b.channel)));
}

function Waiting({ it }: { it: Conversation }) {
  const session = useSession();
  const id = it.channel.id;
  const label = useWorkspace((state) => labelOf(state, id));
  // New messages are fetched as they come; what was read elsewhere goes.
  const { lastRead, latest } = it;
  const fetch = useCallback(() => load(session, id, lastRead, latest), [session, id, lastRead, latest]);
  const { value, error, reload } = useLoaded(fetch);
  const box = useRef<HTMLElement>(null);
  const messages = value?.messages.filter((message) => compareTs(message.ts, lastRead) > 0) ?? [];
  return (
    <section ref={box} className="waiting-card" aria-label={label} data-waiting={id}>
      <header>
        <ConversationLink channel={id} label={label} />
        {value !== undefined && <small>{t.places.unread.messages(messages.length, value.more)}</small>}
        <span className="grow" />
        {hasUnreads(it) && (
          <button type="button" className="button small quiet" onClick={() => session.read(id)}>
            <Icon name="check" />
            {t.places.conversation.markRead}
          </button>
        )}
      </header>
      {value === undefined ? <Loading error={error} onRetry={reload} /> : messages.map((message) => <Excerpt key={message.ts} channel={id} message={message} />)}
      {value?.more && (
        <button type="button" className="link thread-between" onClick={() => navigate({ name: "channel", channel: id })}>
          {t.places.unread.more(label)}
        </button>
      )}
    </section>
  );
}

/** `_latest` makes it another fetch when something new has come. */
function load(session: ReturnType<typeof useSession>, id: string, lastRead: Ts, _latest: Ts) {
  return session.places.unread(id, lastRead, SHOWN_MAX);
}
