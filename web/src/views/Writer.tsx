import { useRef, useState } from "react";
import { Misused, commandIn, withoutName } from "../composer/commands";
import { Composer } from "../composer/Composer";
import { contentOf } from "../composer/content";
import type { Content } from "../composer/content";
import { isEmpty, richTextOf } from "../composer/lines";
import type { Line } from "../composer/lines";
import { shortcut } from "../composer/keyNames";
import { namesOf } from "../composer/meanings";
import { linesOfMrkdwn } from "../composer/read";
import { mrkdwnOf } from "../composer/write";
import { useAttachments } from "../files/useAttachments";
import { channelOf, threadOf } from "../realtime/state";
import type { LogKey } from "../realtime/state";
import { nameOf, useSession, useWorkspace } from "../store/context";
import { loadDraft, loadDraftLines, saveDraft } from "../store/drafts";
import { notify } from "../store/notice";
import { sameItems } from "../store/signal";
import { t } from "../strings";
import { decodeText, encodeText } from "../text/compose";
import { fullTime } from "../text/time";

/** The composer of a conversation or thread, with its draft and who else types. */
export function Writer({ logKey, placeholder, onEditLast }: { logKey: LogKey; placeholder: string; onEditLast(): void }) {
  const session = useSession();
  const self = useWorkspace((state) => state.self?.id ?? "");
  const typing = useWorkspace((state) => Object.keys(state.typing[logKey] ?? {}).map((id) => nameOf(state.users[id])), sameItems);
  const audience = useWorkspace((state) => state.conversations[channelOf(logKey)]?.channel.num_members);
  const draft = () => {
    const text = loadDraft(self, logKey);
    return { text, lines: loadDraftLines(self, logKey) ?? (text === "" ? [] : linesOfMrkdwn(encodeText(text, namesOf(session.state.get())))) };
  };
  const [initial] = useState(draft);
  const [enterSends, setEnterSends] = useState(true);
  /** The reply is shown in the channel too. */
  const [broadcast, setBroadcast] = useState(false);
  const channelName = useWorkspace((state) => {
    const it = state.conversations[channelOf(logKey)]?.channel;
    return threadOf(logKey) === undefined || it === undefined || it.is_im || it.is_mpim ? undefined : it.name;
  });
  /** What was refused as no command: sent again it is a message. */
  const refused = useRef("");
  /** Commands are carried out one after the other. */
  const commands = useRef<Promise<void>>(Promise.resolve());

  const keep = (lines: readonly Line[], typed = "") => {
    const text = typed || decodeText(mrkdwnOf(richTextOf(lines)), namesOf(session.state.get()));
    saveDraft(self, logKey, isEmpty(lines) && typed.trim() === "" ? "" : text, typed === "" ? lines : undefined);
  };

  const addressed = (content: Content): Content => (broadcast && channelName !== undefined ? { ...content, broadcast: true } : content);
  const withFiles = useAttachments(logKey).length > 0;
  const post = (content: Content) => {
    if (session.uploads.of(logKey).length > 0) session.sendFiles(logKey, content);
    else session.send(logKey, addressed(content));
    setBroadcast(false);
  };

  const send = (lines: Line[], content: Content): void | Promise<void> => {
    const found = commandIn(content.text);
    if (found === undefined) return post(content);
    if ("unknown" in found) {
      if (refused.current === content.text) return post(content);
      refused.current = content.text;
      throw new Misused(t.commands.unknown(found.unknown));
    }
    if (withFiles) throw new Misused(t.files.noCommand);
    const { command, rest } = found;
    const done = commands.current.then(async () => {
      const left = await command.run({ session, key: logKey, rest, lines: withoutName(lines) });
      if (left !== undefined) post(contentOf(left));
    });
    commands.current = done.catch(() => undefined);
    return done;
  };

  const schedule = async (content: Content, at: number) => {
    const command = commandIn(content.text);
    if (command !== undefined && !("unknown" in command)) throw new Misused(t.commands.notLater);
    await session.schedule(logKey, addressed(content), at);
    setBroadcast(false);
    notify(t.composer.scheduled(fullTime(at)));
  };

  return (
    <footer className="writer">
      <Composer
        key={logKey}
        id={logKey}
        initial={initial}
        placeholder={placeholder}
        autoFocus
        channel={channelOf(logKey)}
        files={logKey}
        audience={threadOf(logKey) === undefined ? audience : undefined}
        onChange={(lines, typed) => {
          keep(lines, typed);
          if (lines.length > 0) session.typing(logKey);
        }}
        onReturn={(lines) => keep([...lines, ...draft().lines])}
        onPlace={setEnterSends}
        onSend={send}
        onSchedule={schedule}
        onEditLast={onEditLast}
      />
      {channelName !== undefined && (
        <label className="also-send" title={withFiles ? t.files.onlyThread : undefined}>
          <input type="checkbox" checked={broadcast && !withFiles} disabled={withFiles} onChange={(event) => setBroadcast(event.target.checked)} />
          {withFiles ? t.files.onlyThread : t.composer.alsoSend(channelName)}
        </label>
      )}
      <p className="typing" role="status">
        {typing.length > 0 ? t.composer.typing(typing) : <span className="hint">{enterSends ? t.composer.hint : t.composer.hintHere(shortcut("Enter"))}</span>}
      </p>
    </footer>
  );
}
