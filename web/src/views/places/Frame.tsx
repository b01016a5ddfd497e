import type { ReactNode } from "react";
import { Icon } from "../../components/Icon";
import { navigate } from "../../store/route";
import { t } from "../../strings";

/** The frame of a place: its head with the way back on a phone, and what is in it. */
export function Frame({ title, tools, children, scroll = true }: { title: string; tools?: ReactNode; children: ReactNode; scroll?: boolean }) {
  return (
    <main className="pane conversation place" aria-label={title}>
      <header className="pane-head">
        <button type="button" className="icon-button back" aria-label={t.back} onClick={() => navigate({ name: "home" })}>
          <Icon name="back" />
        </button>
        <h1>
          <span>{title}</span>
        </h1>
        <span className="grow" />
        {tools}
      </header>
      {scroll ? <div className="place-body">{children}</div> : children}
    </main>
  );
}

/** Nothing is here, and what that means. */
export function Nothing({ title, lead, children }: { title: string; lead: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <h2>{title}</h2>
      <p>{lead}</p>
      {children}
    </div>
  );
}
