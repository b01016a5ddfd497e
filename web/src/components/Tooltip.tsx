import { useEffect, useId, useLayoutEffect, useRef, useState } from "react";
import type { ReactNode, RefObject } from "react";
import { createPortal } from "react-dom";

/** The pointer rests this long before it means something, milliseconds. */
const REST_MS = 350;

/** What an element needs to have a tooltip. */
export interface TooltipAnchor {
  ref: RefObject<HTMLButtonElement | null>;
  "aria-describedby": string;
  onPointerEnter(event: React.PointerEvent): void;
  onPointerLeave(): void;
  onFocus(event: React.FocusEvent<HTMLElement>): void;
  onBlur(): void;
}

/** A word about a button, for who rests on it or comes to it by keyboard; a screen reader has it as its description. */
export function Tooltip({ text, children }: { text: string; children(anchor: TooltipAnchor): ReactNode }) {
  const id = useId();
  const ref = useRef<HTMLButtonElement>(null);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const [shown, setShown] = useState(false);
  useEffect(() => () => clearTimeout(timer.current), []);
  const hide = () => {
    clearTimeout(timer.current);
    setShown(false);
  };
  return (
    <>
      {children({
        ref,
        "aria-describedby": id,
        onPointerEnter: (event) => {
          if (event.pointerType === "touch") return;
          timer.current = setTimeout(() => setShown(true), REST_MS);
        },
        onPointerLeave: hide,
        onFocus: (event) => event.currentTarget.matches(":focus-visible") && setShown(true),
        onBlur: hide,
      })}
      <span id={id} hidden>
        {text}
      </span>
      {shown && <Bubble anchor={ref} text={text} onClose={hide} />}
    </>
  );
}

function Bubble({ anchor, text, onClose }: { anchor: RefObject<Element | null>; text: string; onClose(): void }) {
  const ref = useRef<HTMLDivElement>(null);
  const [place, setPlace] = useState<{ left: number; top: number } | undefined>(undefined);
  useLayoutEffect(() => {
    const box = ref.current?.getBoundingClientRect();
    const from = anchor.current?.getBoundingClientRect();
    if (!box || !from) return;
    const above = from.top - box.height - 6;
    const left = from.left + from.width / 2 - box.width / 2;
    setPlace({ left: Math.max(8, Math.min(left, innerWidth - box.width - 8)), top: above >= 8 ? above : from.bottom + 6 });
  }, [anchor, text]);
  // What it speaks of moves away under it.
  useEffect(() => {
    window.addEventListener("scroll", onClose, { capture: true, once: true });
    return () => window.removeEventListener("scroll", onClose, { capture: true });
  }, [onClose]);
  return createPortal(
    <div ref={ref} className="tooltip" role="tooltip" aria-hidden="true" style={place ?? { left: 0, top: 0, opacity: 0 }}>
      {text}
    </div>,
    document.body,
  );
}
