import { Suspense, lazy } from "react";
import type { RefObject } from "react";
import { t } from "../strings";
import { Popover } from "./overlay";

/** Most people read more than they react: the table comes when it is asked for. */
const EmojiTable = lazy(() => import("./EmojiTable"));

/** A table of emoji beside what opened it. `onPick` gets a short name, with the skin tone that was chosen. */
export function EmojiPicker({ anchor, onPick, onClose }: { anchor: RefObject<Element | null>; onPick(name: string): void; onClose(): void }) {
  return (
    <Popover anchor={anchor} onClose={onClose} label={t.emoji.pick} className="emoji-picker">
      <Suspense fallback={<p className="emoji-none">{t.loading}</p>}>
        <EmojiTable
          onPick={(name) => {
            onPick(name);
            onClose();
          }}
        />
      </Suspense>
    </Popover>
  );
}
