import { memo, useEffect, useRef, useState } from "react";
import { Icon } from "../components/Icon";
import { toClipboard } from "../store/clipboard";
import { t } from "../strings";
import type { Colouring } from "./highlight";

/** Longer code stays plain, characters: colouring it would be felt. */
const COLOURED_MAX = 20_000;
/** Shorter code says too little to guess its language, characters. */
const GUESSED_MIN = 24;
const COPIED_MS = 2_000;

/** Code as it is; coloured when it comes into sight, by a library that is loaded then. */
export const CodeBlock = memo(function CodeBlock({ text, language }: { text: string; language: string | undefined }) {
  const box = useRef<HTMLDivElement>(null);
  const colouring = useColouring(box, text, language);
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), COPIED_MS);
    return () => clearTimeout(timer);
  }, [copied]);
  const label = copied ? t.content.copied : t.content.copyCode;
  return (
    <div ref={box} className="code-block" data-language={colouring?.language}>
      <pre tabIndex={0} role="region" aria-label={t.content.code}>
        <code>{colouring === undefined ? text : colouring.pieces.map((piece, i) => (piece.kind === undefined ? piece.text : <span key={i} className={`code-${piece.kind}`}>{piece.text}</span>))}</code>
      </pre>
      <button type="button" className="icon-button copy-code" aria-label={label} title={label} onClick={() => void toClipboard(text).then(setCopied)}>
        <Icon name={copied ? "check" : "copy"} />
      </button>
    </div>
  );
});

function useColouring(box: React.RefObject<Element | null>, text: string, language: string | undefined): Colouring | undefined {
  const [colouring, setColouring] = useState<{ of: string; is: Colouring | undefined } | undefined>(undefined);
  useEffect(() => {
    const element = box.current;
    if (element === null || text.length > COLOURED_MAX || (language === undefined && text.length < GUESSED_MIN)) return;
    let wanted = true;
    const observer = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      observer.disconnect();
      // Without it the code is plain, and that is all that is lost.
      import("./highlight").then(({ colour }) => wanted && setColouring({ of: text, is: colour(text, language) }), () => {});
    });
    observer.observe(element);
    return () => {
      wanted = false;
      observer.disconnect();
    };
  }, [box, text, language]);
  return colouring?.of === text ? colouring.is : undefined;
}
