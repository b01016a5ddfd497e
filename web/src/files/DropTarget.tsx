import { useEffect, useRef, useState } from "react";
import { Icon } from "../components/Icon";
import { useSession } from "../store/context";
import { t } from "../strings";
import { attach } from "./useAttachments";

/** While something is dragged, browsers tell so at least this often, milliseconds. */
const DRAG_TICK_MS = 600;

function hasFiles(event: DragEvent): boolean {
  return event.dataTransfer?.types.includes("Files") ?? false;
}

/** The pane that this stands in takes files that are dropped anywhere on it. */
export function DropTarget({ owner, label }: { owner: string; label: string }) {
  const session = useSession();
  const mark = useRef<HTMLSpanElement>(null);
  const [over, setOver] = useState(false);
  useEffect(() => {
    const pane = mark.current?.parentElement;
    if (!pane) return;
    let timer: ReturnType<typeof setTimeout>;
    const hide = () => {
      clearTimeout(timer);
      setOver(false);
    };
    // Leaving a part of the pane for another one is no leaving: what counts is that the pane was told of no drag for a while.
    const dragged = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      event.stopPropagation();
      if (event.dataTransfer) event.dataTransfer.dropEffect = "copy";
      clearTimeout(timer);
      timer = setTimeout(() => setOver(false), DRAG_TICK_MS);
      setOver(true);
    };
    const left = (event: DragEvent) => {
      const to = event.relatedTarget;
      if (to instanceof Node && !pane.contains(to)) hide();
    };
    const dropped = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      event.stopPropagation();
      hide();
      attach(session, owner, event.dataTransfer?.files ?? []);
      pane.querySelector<HTMLElement>(".writer [role=textbox], .writer textarea")?.focus();
    };
    // Beside the pane a file that is dropped would replace the page.
    const elsewhere = (event: DragEvent) => {
      if (!hasFiles(event) || event.defaultPrevented) return;
      event.preventDefault();
      if (event.dataTransfer) event.dataTransfer.dropEffect = "none";
    };
    pane.addEventListener("dragenter", dragged, true);
    pane.addEventListener("dragover", dragged, true);
    pane.addEventListener("dragleave", left, true);
    pane.addEventListener("drop", dropped, true);
    window.addEventListener("dragover", elsewhere);
    window.addEventListener("drop", elsewhere);
    return () => {
      hide();
      pane.removeEventListener("dragenter", dragged, true);
      pane.removeEventListener("dragover", dragged, true);
      pane.removeEventListener("dragleave", left, true);
      pane.removeEventListener("drop", dropped, true);
      window.removeEventListener("dragover", elsewhere);
      window.removeEventListener("drop", elsewhere);
    };
  }, [session, owner]);
  return (
    <span ref={mark} className="drop-mark">
      {over && (
        <span className="drop-target" role="status">
          <Icon name="clip" />
          <b>{t.files.drop(label)}</b>
          <small>{t.files.dropLead}</small>
        </span>
      )}
    </span>
  );
}
