import type { ReactNode } from "react";
import { Icon } from "../../components/Icon";
import { useEscape } from "../../components/overlay";
import { t } from "../../strings";

/** A pane beside what is open; in its place where there is no room. */
export function Side({ title, note, onClose, children }: { title: string; note?: string; onClose(): void; children: ReactNode }) {
  useEscape(onClose);
  return (
    <aside className="pane side" aria-label={title}>
      <header className="pane-head">
        <button type="button" className="icon-button back" aria-label={t.back} onClick={onClose}>
          <Icon name="back" />
        </button>
        <h1>
          <span>{title}</span>
        </h1>
        {note && <p className="topic">{note}</p>}
        <span className="grow" />
        <button type="button" className="icon-button close" aria-label={t.close} onClick={onClose}>
          <Icon name="close" />
        </button>
      </header>
      <div className="side-body">{children}</div>
    </aside>
  );
}
