import { useRef } from "react";
import { Icon } from "../components/Icon";
import type { IconName } from "../components/Icon";
import { t } from "../strings";
import type { Action, Snapshot } from "./editor";
import { shortcut } from "./keyNames";

type Entry = { action: Action | "link"; icon: IconName; keys: string } | "|";
const ENTRIES: Entry[] = [
  { action: "bold", icon: "bold", keys: shortcut("B") },
  { action: "italic", icon: "italic", keys: shortcut("I") },
  { action: "strike", icon: "strike", keys: shortcut("Shift X") },
  { action: "code", icon: "code", keys: shortcut("Shift C") },
  { action: "link", icon: "link", keys: shortcut("Shift U") },
  "|",
  { action: "ordered", icon: "ordered", keys: shortcut("Shift 7") },
  { action: "bullet", icon: "bullet", keys: shortcut("Shift 8") },
  { action: "quote", icon: "quote", keys: shortcut("Shift 9") },
  { action: "code_block", icon: "codeBlock", keys: "" },
];

/** The formatting of what is being written: one stop for Tab, arrows inside. */
export function Toolbar({ snapshot, onAction, onLink }: { snapshot: Snapshot | undefined; onAction(action: Action): void; onLink(): void }) {
  const bar = useRef<HTMLDivElement>(null);
  const on = (action: Action | "link"): boolean => {
    if (snapshot === undefined) return false;
    if (action === "link") return snapshot.href !== undefined;
    if (action === "code_block") return snapshot.kind === "code";
    return snapshot.kind === action || (snapshot.styles as ReadonlySet<string>).has(action);
  };
  const inCode = snapshot?.kind === "code";
  const step = (by: number) => {
    const buttons = [...(bar.current?.querySelectorAll<HTMLButtonElement>("button:not(:disabled)") ?? [])];
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
    buttons[(at + by + buttons.length) % buttons.length]?.focus();
  };
  return (
    <div
      ref={bar}
      className="format-bar"
      role="toolbar"
      aria-label={t.composer.formatting}
      onKeyDown={(event) => {
        if (event.key === "ArrowRight") step(1);
        else if (event.key === "ArrowLeft") step(-1);
        else return;
        event.preventDefault();
      }}
    >
      {ENTRIES.map((entry, i) =>
        entry === "|" ? (
          <i key={i} />
        ) : (
          <button
            key={entry.action}
            type="button"
            className="icon-button"
            tabIndex={i === 0 ? 0 : -1}
            aria-label={t.composer.format[entry.action]}
            title={`${t.composer.format[entry.action]} ${entry.keys}`.trim()}
            aria-pressed={on(entry.action)}
            disabled={inCode && !["code_block", "ordered", "bullet", "quote"].includes(entry.action)}
            // The caret stays where it is.
            onMouseDown={(event) => event.preventDefault()}
            onClick={() => (entry.action === "link" ? onLink() : onAction(entry.action))}
          >
            <Icon name={entry.icon} />
          </button>
        ),
      )}
    </div>
  );
}
