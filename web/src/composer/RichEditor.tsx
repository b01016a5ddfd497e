import { useEffect, useImperativeHandle, useLayoutEffect, useRef } from "react";
import type { Ref } from "react";
import { nameOf, useSession } from "../store/context";
import { useSignal } from "../store/signal";
import { emojiChar, emojiTable } from "../text/emoji";
import { t } from "../strings";
import { Editor } from "./editor";
import type { EditorHost } from "./editor";
import type { Line } from "./lines";
import { labels } from "./schema";

export interface RichProps {
  ref: Ref<Editor>;
  host: EditorHost;
  initial: readonly Line[];
  /** Takes the caret as soon as it is there. */
  takeFocus: boolean;
  attributes: Record<string, string>;
}

/** The editor in the page. Loaded apart, when there is time: `loadRich`. */
export default function RichEditor({ ref, host, initial, takeFocus, attributes }: RichProps) {
  const session = useSession();
  const place = useRef<HTMLDivElement>(null);
  const editor = useRef<Editor | undefined>(undefined);
  const latest = useRef(host);
  latest.current = host;
  // Emoji are drawn when their table has come; until then by their names.
  const table = useSignal(emojiTable);

  useLayoutEffect(() => {
    labels.user = (id) => nameOf(session.state.get().users[id]);
    labels.channel = (id) => session.state.get().conversations[id]?.channel.name ?? t.unknownChannel;
    labels.emoji = (name, tone) => emojiChar(emojiTable.get(), tone === null ? name : `${name}::skin-tone-${tone}`);
  }, [session]);

  useLayoutEffect(() => {
    const made = new Editor(
      place.current!,
      {
        meanings: () => latest.current.meanings(),
        enterSends: () => latest.current.enterSends(),
        changed: (snapshot) => latest.current.changed(snapshot),
        key: (event) => latest.current.key(event),
        submit: () => latest.current.submit(),
        askLink: () => latest.current.askLink(),
      },
      initial,
      attributes,
    );
    editor.current = made;
    if (takeFocus) made.focus();
    return () => {
      editor.current = undefined;
      made.destroy();
    };
    // What it began with is its own affair from here on, and `table` draws it anew below.
    // oxlint-disable-next-line react-hooks/exhaustive-deps
  }, []);

  useImperativeHandle(ref, () => editor.current!, []);
  useEffect(() => editor.current?.attributes(attributes), [attributes]);
  useEffect(() => editor.current?.redraw(), [table]);
  return <div ref={place} className="rich" data-placeholder={attributes["aria-label"]} />;
}
