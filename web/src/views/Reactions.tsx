import { useRef, useState } from "react";
import { EmojiPicker } from "../components/EmojiPicker";
import { Icon } from "../components/Icon";
import { Tooltip } from "../components/Tooltip";
import { nameOf, useSession, useWorkspace } from "../store/context";
import { notifyFailure } from "../store/notice";
import { sameItems } from "../store/signal";
import { t } from "../strings";
import { Emoji } from "../text/Mrkdwn";
import type { Message, Reaction } from "../wire/types";

/** Names listed under an emoji. */
const NAMES_MAX = 12;

export function Reactions({ channel, message, reactions, canWrite }: { channel: string; message: Message; reactions: readonly Reaction[]; canWrite: boolean }) {
  const session = useSession();
  const self = useWorkspace((state) => state.self?.id ?? "");
  const [picking, setPicking] = useState(false);
  const more = useRef<HTMLButtonElement>(null);
  const react = (name: string, added: boolean) => void session.react(channel, message.ts, name, added).catch(notifyFailure);
  return (
    <div className="reactions">
      {reactions.map((it) => {
        const mine = it.users.includes(self);
        return <ReactionChip key={it.name} reaction={it} mine={mine} disabled={!canWrite} onToggle={() => react(it.name, !mine)} />;
      })}
      {canWrite && (
        <button ref={more} type="button" className="reaction add" aria-label={t.message.react} aria-expanded={picking} onClick={() => setPicking(!picking)}>
          <Icon name="smile" />
        </button>
      )}
      {picking && <EmojiPicker anchor={more} onClose={() => setPicking(false)} onPick={(name) => react(name, true)} />}
    </div>
  );
}

function ReactionChip({ reaction, mine, disabled, onToggle }: { reaction: Reaction; mine: boolean; disabled: boolean; onToggle(): void }) {
  const names = useWorkspace((state) => reaction.users.slice(0, NAMES_MAX).map((id) => (id === state.self?.id ? t.you : nameOf(state.users[id]))), sameItems);
  const label = t.message.reactedWith(t.people(names, reaction.count - names.length), reaction.name);
  return (
    <Tooltip text={label}>
      {(anchor) => (
        // Not `disabled`: who may not react may still learn who did.
        <button {...anchor} type="button" className={mine ? "reaction mine" : "reaction"} aria-pressed={mine} aria-disabled={disabled} data-reaction={reaction.name} onClick={() => disabled || onToggle()}>
          <Emoji name={reaction.name} />
          <span className="count">{reaction.count}</span>
        </button>
      )}
    </Tooltip>
  );
}
