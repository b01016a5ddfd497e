import { useEffect, useLayoutEffect, useRef } from "react";

interface Props {
  text: string;
  label: string;
  takeFocus: boolean;
  invalid: boolean;
  onText(text: string): void;
  /** An input method is in the middle of a word. */
  onComposing(composing: boolean): void;
  onSend(): void;
  /** True: it was used. */
  onKey(event: KeyboardEvent): boolean;
  enterSends: boolean;
}

/** Serves until the editor has come: what is typed here can be sent, and the editor takes it over. */
export function PlainArea({ text, label, takeFocus, invalid, onText, onComposing, onSend, onKey, enterSends }: Props) {
  const area = useRef<HTMLTextAreaElement>(null);
  useLayoutEffect(() => {
    const it = area.current;
    if (!it) return;
    it.style.height = "auto";
    it.style.height = `${it.scrollHeight}px`;
  }, [text]);
  useEffect(() => {
    const it = area.current;
    if (!it || !takeFocus) return;
    it.focus({ preventScroll: true });
    it.setSelectionRange(it.value.length, it.value.length);
  }, [takeFocus]);
  return (
    <textarea
      ref={area}
      rows={1}
      value={text}
      placeholder={label}
      aria-label={label}
      aria-invalid={invalid}
      dir="auto"
      autoComplete="off"
      onChange={(event) => onText(event.target.value)}
      onCompositionStart={() => onComposing(true)}
      onCompositionEnd={() => onComposing(false)}
      onKeyDown={(event) => {
        if (event.nativeEvent.isComposing) return;
        if (onKey(event.nativeEvent)) event.preventDefault();
        else if (event.key === "Enter" && (event.metaKey || event.ctrlKey || (enterSends && !event.shiftKey && !event.altKey))) {
          event.preventDefault();
          onSend();
        }
      }}
    />
  );
}
