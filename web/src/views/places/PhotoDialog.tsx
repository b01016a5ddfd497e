import { useEffect, useRef, useState } from "react";
import { Icon } from "../../components/Icon";
import { Dialog } from "../../components/overlay";
import { ZOOM_MAX, cut, middle, shift, zoomTo } from "../../files/crop";
import type { Crop } from "../../files/crop";
import { useSession } from "../../store/context";
import { notify } from "../../store/notice";
import { t } from "../../strings";
import { errorText } from "../../strings/en";
import { failureOf } from "../../wire/api";

/** Edge of the square on screen, pixels; as in the style sheet. */
const VIEW_PX = 256;
/** A key moves the picture so far, pixels on screen. */
const KEY_PX = 8;
const ZOOM_STEP = 0.2;

/** Chooses which square of a picture is the person's photo. */
export function PhotoDialog({ file, onClose }: { file: File; onClose(): void }) {
  const session = useSession();
  const image = useRef<HTMLImageElement>(null);
  const [url, setUrl] = useState<string | undefined>(undefined);
  const [crop, setCrop] = useState<Crop | undefined>(undefined);
  const [error, setError] = useState<string | undefined>(undefined);
  const [busy, setBusy] = useState(false);
  const drag = useRef<{ x: number; y: number } | undefined>(undefined);
  useEffect(() => {
    const made = URL.createObjectURL(file);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [file]);

  const size = () => ({ width: image.current!.naturalWidth, height: image.current!.naturalHeight });
  const zoomOf = (it: Crop) => Math.min(size().width, size().height) / it.edge;
  const zoom = (to: number) => setCrop((was) => was && zoomTo(was, to, size()));
  // The picture goes where the hand goes: the square the other way.
  const move = (dx: number, dy: number) => setCrop((was) => was && shift(was, (-dx * was.edge) / VIEW_PX, (-dy * was.edge) / VIEW_PX, size()));
  const save = () => {
    if (crop === undefined || image.current === null) return;
    setBusy(true);
    setError(undefined);
    cut(image.current, crop)
      .then((photo) => session.places.setPhoto(photo))
      .then(
        () => {
          notify(t.files.photoSaved);
          onClose();
        },
        (thrown: unknown) => setError(errorText(failureOf(thrown).error)),
      )
      .finally(() => setBusy(false));
  };
  const key = (event: React.KeyboardEvent) => {
    const moves: Record<string, [number, number]> = { ArrowLeft: [KEY_PX, 0], ArrowRight: [-KEY_PX, 0], ArrowUp: [0, KEY_PX], ArrowDown: [0, -KEY_PX] };
    const by = moves[event.key];
    if (by !== undefined) move(...by);
    else if (event.key === "+" || event.key === "=") zoom(crop === undefined ? 1 : zoomOf(crop) + ZOOM_STEP);
    else if (event.key === "-") zoom(crop === undefined ? 1 : zoomOf(crop) - ZOOM_STEP);
    else return;
    event.preventDefault();
  };
  const scale = crop === undefined ? 1 : VIEW_PX / crop.edge;
  return (
    <Dialog title={t.files.photoTitle} onClose={onClose}>
      <p className="dialog-lead" id="photo-hint">
        {t.files.photoHint}
      </p>
      <div
        className="photo-crop"
        role="group"
        tabIndex={0}
        aria-label={t.files.photoArea}
        aria-describedby="photo-hint"
        data-x={crop && Math.round(crop.x)}
        data-y={crop && Math.round(crop.y)}
        onKeyDown={key}
        onPointerDown={(event) => {
          drag.current = { x: event.clientX, y: event.clientY };
          event.currentTarget.setPointerCapture(event.pointerId);
        }}
        onPointerMove={(event) => {
          const from = drag.current;
          if (from === undefined) return;
          drag.current = { x: event.clientX, y: event.clientY };
          move(event.clientX - from.x, event.clientY - from.y);
        }}
        onPointerUp={() => (drag.current = undefined)}
        onPointerCancel={() => (drag.current = undefined)}
        onWheel={(event) => crop && zoom(zoomOf(crop) * Math.exp(-event.deltaY / 400))}
      >
        {url !== undefined && (
          <img
            ref={image}
            src={url}
            alt=""
            draggable={false}
            style={{ transform: crop === undefined ? "scale(0)" : `scale(${scale}) translate(${-crop.x}px, ${-crop.y}px)` }}
            onLoad={(event) => setCrop(middle({ width: event.currentTarget.naturalWidth, height: event.currentTarget.naturalHeight }))}
            onError={() => setError(t.files.photoWrong)}
          />
        )}
      </div>
      <label className="photo-zoom">
        <Icon name="minus" />
        <input type="range" min={1} max={ZOOM_MAX} step={0.05} value={crop === undefined ? 1 : zoomOf(crop)} disabled={crop === undefined} aria-label={t.files.photoZoom} onChange={(event) => zoom(Number(event.target.value))} />
        <Icon name="plus" />
      </label>
      {error !== undefined && (
        <p className="form-error" role="alert">
          {error}
        </p>
      )}
      <div className="dialog-buttons">
        <button type="button" className="button" onClick={onClose}>
          {t.cancel}
        </button>
        <button type="button" className="button primary" disabled={busy || crop === undefined} onClick={save}>
          {t.files.photoSave}
        </button>
      </div>
    </Dialog>
  );
}
