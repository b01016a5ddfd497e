import { useEffect, useLayoutEffect, useRef, useState } from "react";
import { createPortal } from "react-dom";
import { Icon } from "../components/Icon";
import type { IconName } from "../components/Icon";
import { nameOf, useWorkspace } from "../store/context";
import { t } from "../strings";
import { fullTime } from "../text/time";
import { ownPath } from "../wire/files";
import { FileMenu, goToPlace } from "./FileMenu";
import { nameParts, sizeText, titleOfFile } from "./kinds";
import type { Viewed } from "./lightboxState";
import { sourceOf } from "./thumbs";
import { FITTED, STEP, moved, zoomed } from "./zoom";
import type { View } from "./zoom";

/** A finger that goes so far sideways turns the page, pixels. */
const SWIPE_PX = 60;
/** Closer to where it began than this a pointer has not moved, pixels. */
const STILL_PX = 6;
/** Keys move a picture so far, pixels. */
const KEY_PX = 80;

interface Props {
  items: readonly Viewed[];
  first: number;
  onClose(): void;
}

/** Pictures over the whole window, one at a time. The browser keeps the focus inside; it goes back to where it was. */
export default function Lightbox({ items: all, first, onClose }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const stage = useRef<HTMLDivElement>(null);
  const [at, setAt] = useState(first);
  const [view, setView] = useState(FITTED);
  // What was deleted here is gone from here.
  const [gone, setGone] = useState<readonly string[]>([]);
  const items = all.filter((it) => !gone.includes(it.file.id));
  const index = Math.min(at, items.length - 1);
  const it = items[index];
  const many = items.length > 1;

  useLayoutEffect(() => {
    const before = document.activeElement;
    const box = dialog.current;
    box?.showModal();
    stage.current?.focus();
    return () => {
      // Nothing outside of it can have the focus while it is open.
      box?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true });
    };
  }, []);
  // Each picture has a stage of its own: with the one before it the focus would fall out of the window.
  useLayoutEffect(() => {
    if (document.activeElement === document.body || document.activeElement === dialog.current) stage.current?.focus();
  }, [it?.file.id]);
  useEffect(() => {
    if (it === undefined) onClose();
  }, [it, onClose]);
  if (it === undefined) return null;
  const { file, place } = it;
  const title = titleOfFile(file);

  const go = (by: number) => {
    if (!many) return;
    setAt((index + by + items.length) % items.length);
    setView(FITTED);
  };
  const zoom = (factor: number, point?: { x: number; y: number }) => setView((was) => within(zoomed(was, factor, point), stage.current));
  const shift = (dx: number, dy: number) => setView((was) => within(was, stage.current, dx, dy));

  const key = (event: React.KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    // A menu over it has its own keys.
    if (event.target instanceof Element && event.target.closest(".popover, dialog dialog")) return;
    const large = view.scale > 1;
    const actions: Record<string, (() => void) | undefined> = {
      ArrowLeft: large ? () => shift(KEY_PX, 0) : () => go(-1),
      ArrowRight: large ? () => shift(-KEY_PX, 0) : () => go(1),
      ArrowUp: large ? () => shift(0, KEY_PX) : undefined,
      ArrowDown: large ? () => shift(0, -KEY_PX) : undefined,
      Home: () => go(-index),
      End: () => go(items.length - 1 - index),
      "+": () => zoom(STEP),
      "=": () => zoom(STEP),
      "-": () => zoom(1 / STEP),
      "0": () => setView(FITTED),
    };
    const run = actions[event.key];
    if (run === undefined) return;
    event.preventDefault();
    run();
  };

  const tool = (icon: IconName, label: string, run: () => void, off = false) => (
    <button type="button" className="icon-button" aria-label={label} title={label} disabled={off} onClick={run}>
      <Icon name={icon} />
    </button>
  );
  return createPortal(
    <dialog
      ref={dialog}
      className="lightbox"
      aria-label={t.files.viewer}
      onCancel={(event) => {
        event.preventDefault();
        if (event.target === dialog.current) onClose();
      }}
      onKeyDown={key}
    >
      <header className="lightbox-head">
        <Facts it={it} position={many ? t.files.position(index + 1, items.length) : undefined} />
        {tool("minus", t.files.zoomOut, () => zoom(1 / STEP), view.scale <= 1)}
        {tool("plus", t.files.zoomIn, () => zoom(STEP))}
        {tool("fit", t.files.zoomReset, () => setView(FITTED), view.scale <= 1)}
        {place !== undefined &&
          tool("thread", t.files.goToMessage, () => {
            onClose();
            goToPlace(place);
          })}
        <a className="icon-button" href={ownPath(file.url_private_download)} download="" aria-label={t.files.downloadNamed(title)} title={t.files.download}>
          <Icon name="download" />
        </a>
        <FileMenu key={file.id} file={file} onDeleted={() => setGone((ids) => [...ids, file.id])} />
        {tool("close", t.close, onClose)}
      </header>
      <Stage key={file.id} ref={stage} it={it} view={view} onZoom={zoom} onShift={shift} onGo={go} onClose={onClose} />
      {many && (
        <>
          <span className="lightbox-side before">{tool("back", t.files.previous, () => go(-1))}</span>
          <span className="lightbox-side after">{tool("forward", t.files.next, () => go(1))}</span>
        </>
      )}
      <p className="sr-only" role="status">
        {many ? `${t.files.position(index + 1, items.length)}: ` : ""}
        {file.alt_txt || title}
      </p>
    </dialog>,
    document.body,
  );
}

function Facts({ it: { file }, position }: { it: Viewed; position: string | undefined }) {
  const user = useWorkspace((state) => (file.user === undefined ? undefined : state.users[file.user]));
  const title = titleOfFile(file);
  const [start, end] = nameParts(title);
  return (
    <div className="lightbox-facts">
      <h2 className="file-name" title={title}>
        <bdi>{start}</bdi>
        <span>{end}</span>
      </h2>
      <small>
        {[position, nameOf(user), file.created ? fullTime(file.created * 1000) : "", sizeText(file.size ?? 0)].filter(Boolean).join(" · ")}
      </small>
    </div>
  );
}

interface StageProps {
  ref: React.RefObject<HTMLDivElement | null>;
  it: Viewed;
  view: View;
  onZoom(factor: number, at?: { x: number; y: number }): void;
  onShift(dx: number, dy: number): void;
  onGo(by: number): void;
  onClose(): void;
}

/** The picture itself: wheel and two fingers zoom, a pointer moves what is zoomed, a swipe turns the page. */
function Stage({ ref, it: { file }, view, onZoom, onShift, onGo, onClose }: StageProps) {
  const pointers = useRef(new Map<number, { x: number; y: number }>());
  const began = useRef<{ x: number; y: number; moved: boolean } | undefined>(undefined);
  const [failed, setFailed] = useState(false);
  const [loaded, setLoaded] = useState(false);
  const latest = useRef(onZoom);
  latest.current = onZoom;
  // React's own listener may not keep the page from being zoomed.
  useEffect(() => {
    const box = ref.current;
    if (!box) return;
    const wheel = (event: WheelEvent) => {
      event.preventDefault();
      const { left, top, width, height } = box.getBoundingClientRect();
      latest.current(Math.exp(-event.deltaY / 300), { x: event.clientX - left - width / 2, y: event.clientY - top - height / 2 });
    };
    box.addEventListener("wheel", wheel, { passive: false });
    return () => box.removeEventListener("wheel", wheel);
  }, [ref]);
  const small = sourceOf(file);
  const full = ownPath(file.url_private);
  const down = (event: React.PointerEvent) => {
    pointers.current.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (pointers.current.size === 1) began.current = { x: event.clientX, y: event.clientY, moved: false };
    event.currentTarget.setPointerCapture(event.pointerId);
  };
  const move = (event: React.PointerEvent) => {
    const before = pointers.current.get(event.pointerId);
    if (before === undefined) return;
    const now = { x: event.clientX, y: event.clientY };
    const other = [...pointers.current].find(([id]) => id !== event.pointerId)?.[1];
    pointers.current.set(event.pointerId, now);
    const start = began.current;
    if (start && Math.hypot(now.x - start.x, now.y - start.y) > STILL_PX) start.moved = true;
    if (other !== undefined) {
      const distance = (a: { x: number; y: number }) => Math.max(1, Math.hypot(a.x - other.x, a.y - other.y));
      const { left, top, width, height } = event.currentTarget.getBoundingClientRect();
      onZoom(distance(now) / distance(before), { x: (now.x + other.x) / 2 - left - width / 2, y: (now.y + other.y) / 2 - top - height / 2 });
      began.current = undefined;
    } else if (view.scale > 1) onShift(now.x - before.x, now.y - before.y);
  };
  const up = (event: React.PointerEvent) => {
    const start = began.current;
    pointers.current.delete(event.pointerId);
    if (start === undefined || pointers.current.size > 0) return;
    began.current = undefined;
    const dx = event.clientX - start.x;
    if (event.pointerType === "touch" && view.scale === 1 && Math.abs(dx) > SWIPE_PX && Math.abs(dx) > 2 * Math.abs(event.clientY - start.y)) return onGo(dx < 0 ? 1 : -1);
    // Beside the picture is out of it.
    if (!start.moved && event.type === "pointerup" && document.elementFromPoint(event.clientX, event.clientY) === ref.current) onClose();
  };
  return (
    <div ref={ref} className={view.scale > 1 ? "lightbox-stage large" : "lightbox-stage"} tabIndex={-1} onPointerDown={down} onPointerMove={move} onPointerUp={up} onPointerCancel={up} onDoubleClick={() => onZoom(view.scale > 1 ? 0 : 2.5)}>
      {failed || full === undefined ? (
        <p>{t.files.failed}</p>
      ) : (
        <img
          src={loaded || small === undefined ? full : small.src}
          alt={file.alt_txt || t.files.noAlt(titleOfFile(file))}
          width={file.original_w}
          height={file.original_h}
          draggable={false}
          style={{ transform: `translate(${view.x}px, ${view.y}px) scale(${view.scale})` }}
          onLoad={() => setLoaded(true)}
          onError={() => setFailed(true)}
        />
      )}
    </div>
  );
}

/** A view that is not out of sight. */
function within(view: View, stage: HTMLElement | null, dx = 0, dy = 0): View {
  const image = stage?.querySelector("img");
  if (!stage || !image) return view;
  return moved(view, dx, dy, { width: image.offsetWidth, height: image.offsetHeight }, { width: stage.clientWidth, height: stage.clientHeight });
}
