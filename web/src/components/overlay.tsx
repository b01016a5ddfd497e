import { useEffect, useLayoutEffect, useRef, useState } from "react";
import type { ReactNode, RefObject } from "react";
import { createPortal } from "react-dom";
import { t } from "../strings";
import { Icon } from "./Icon";

const escapes: { run(): void; inDialog: boolean }[] = [];

/** Esc closes the innermost thing: the one that asked last. Modal dialogs see to themselves, and not to what is open in them. */
export function useEscape(close: () => void, active = true, within?: RefObject<Element | null>): void {
  const latest = useRef(close);
  latest.current = close;
  useEffect(() => {
    if (!active) return;
    const it = { run: () => latest.current(), inDialog: within?.current?.closest("dialog") != null };
    escapes.push(it);
    return () => {
      escapes.splice(escapes.indexOf(it), 1);
    };
  }, [active, within]);
}

if (typeof window !== "undefined") {
  window.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.defaultPrevented || event.isComposing) return;
    const innermost = escapes[escapes.length - 1];
    if (innermost === undefined || (document.querySelector("dialog[open]") !== null && !innermost.inDialog)) return;
    event.preventDefault();
    innermost.run();
  });
}

/** A modal dialog: the browser keeps the focus inside and gives it back. */
export function Dialog({ title, onClose, children, className = "", bare = false }: { title: string; onClose(): void; children: ReactNode; className?: string; bare?: boolean }) {
  const ref = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const dialog = ref.current;
    const before = document.activeElement;
    dialog?.showModal();
    // The browser would take the first thing that can have the focus, which is the way out.
    dialog?.querySelector<HTMLElement>("input, .button.primary, .button.danger")?.focus();
    return () => {
      dialog?.close();
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return createPortal(
    <dialog
      ref={ref}
      className={`dialog ${className}`}
      aria-label={title}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onMouseDown={(event) => {
        if (event.target === ref.current) onClose();
      }}
    >
      <div className="dialog-body">
        {!bare && (
          <header className="dialog-head">
            <h2>{title}</h2>
            <button type="button" className="icon-button" aria-label={t.close} onClick={onClose}>
              <Icon name="close" />
            </button>
          </header>
        )}
        {children}
      </div>
    </dialog>,
    document.body,
  );
}

/** Something small beside what opened it, inside the window. */
export function Popover({ anchor, onClose, children, className = "", label }: { anchor: RefObject<Element | null>; onClose(): void; children: ReactNode; className?: string; label: string }) {
  const ref = useRef<HTMLDivElement>(null);
  const [place, setPlace] = useState<{ left: number; top: number } | undefined>(undefined);
  useEscape(onClose, true, anchor);
  useLayoutEffect(() => {
    const box = ref.current?.getBoundingClientRect();
    const from = anchor.current?.getBoundingClientRect();
    if (!box || !from) return;
    const below = from.bottom + 6 + box.height <= window.innerHeight - 8;
    const top = below ? from.bottom + 6 : Math.max(8, from.top - box.height - 6);
    setPlace({ left: Math.max(8, Math.min(from.right - box.width, window.innerWidth - box.width - 8)), top });
  }, [anchor]);
  useEffect(() => {
    const before = document.activeElement;
    const outside = (event: MouseEvent) => {
      const target = event.target as Node;
      if (!ref.current?.contains(target) && !anchor.current?.contains(target)) onClose();
    };
    document.addEventListener("mousedown", outside);
    return () => {
      document.removeEventListener("mousedown", outside);
      if (before instanceof HTMLElement && document.activeElement === document.body) before.focus();
    };
  }, [anchor, onClose]);
  return createPortal(
    <div ref={ref} className={`popover ${className}`} role="dialog" aria-label={label} style={place ? { left: place.left, top: place.top } : { opacity: 0, left: 0, top: 0 }}>
      {children}
    </div>,
    // Nothing outside of a modal dialog can be reached while it is open.
    anchor.current?.closest("dialog") ?? document.body,
  );
}

export interface MenuItem {
  key: string;
  icon: ReactNode;
  text: string;
  run(): void;
  danger?: boolean;
}

/** A menu of actions in a popover. */
export function Menu({ anchor, onClose, label, items }: { anchor: RefObject<Element | null>; onClose(): void; label: string; items: MenuItem[] }) {
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => list.current?.querySelector("button")?.focus(), []);
  const step = (by: number) => {
    const buttons = [...(list.current?.querySelectorAll("button") ?? [])];
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
    buttons[(at + by + buttons.length) % buttons.length]?.focus();
  };
  return (
    <Popover anchor={anchor} onClose={onClose} label={label} className="menu">
      <div
        ref={list}
        role="menu"
        tabIndex={-1}
        onKeyDown={(event) => {
          if (event.key === "ArrowDown") step(1);
          else if (event.key === "ArrowUp") step(-1);
          else return;
          event.preventDefault();
        }}
      >
        {items.map((item) => (
          <button
            key={item.key}
            type="button"
            role="menuitem"
            className={item.danger ? "menu-item danger" : "menu-item"}
            onClick={() => {
              onClose();
              item.run();
            }}
          >
            {item.icon}
            {item.text}
          </button>
        ))}
      </div>
    </Popover>
  );
}
