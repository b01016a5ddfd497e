import { useCallback, useEffect, useRef, useState } from "react";
import { Icon } from "../../components/Icon";
import { FileCard } from "../../files/FileCard";
import { FilePicture } from "../../files/FilePicture";
import { openLightbox } from "../../files/lightboxState";
import { sortOf, titleOfFile } from "../../files/kinds";
import { goToPlace } from "../../files/FileMenu";
import { sourceOf } from "../../files/thumbs";
import { labelOf, nameOf, useSession, useWorkspace } from "../../store/context";
import { notifyFailure } from "../../store/notice";
import { t } from "../../strings";
import { dateOf } from "../../text/when";
import { isDeleted, placesOf } from "../../wire/files";
import type { FilePlace, SharedFile } from "../../wire/files";
import { PeoplePicker } from "../PeoplePicker";
import { Nothing } from "./Frame";
import { Loading } from "./Loading";
import { useLoaded } from "./load";

const TYPES = ["all", "images", "pdfs", "snippets", "zips"] as const;
type Type = (typeof TYPES)[number];

/** Events about files come in bunches: one reading for all, milliseconds. */
const TOGETHER_MS = 400;

/** The files of a conversation, or all that the person may see, newest first. */
export function FileBrowser({ channel }: { channel?: string }) {
  const session = useSession();
  const [type, setType] = useState<Type>("all");
  const [user, setUser] = useState<string | undefined>(undefined);
  const [picking, setPicking] = useState(false);
  const name = useWorkspace((state) => (user === undefined ? "" : nameOf(state.users[user])));
  const fetch = useCallback(() => session.places.files({ channel, user, types: type, page: 1 }), [session, channel, user, type]);
  const { value, error, reload } = useLoaded(fetch);
  const [older, setOlder] = useState<{ of: typeof fetch; files: SharedFile[]; page: number } | undefined>(undefined);
  const [busy, setBusy] = useState(false);
  useReloadOnChange(reload);
  const more = older?.of === fetch ? older : { of: fetch, files: [], page: 1 };
  const seen = new Set<string>();
  const all = [...(value?.files ?? []), ...more.files].filter((file) => !isDeleted(file) && !seen.has(file.id) && seen.add(file.id));
  const loadMore = () => {
    setBusy(true);
    session.places
      .files({ channel, user, types: type, page: more.page + 1 })
      .then((page) => setOlder({ of: fetch, files: [...more.files, ...page.files], page: more.page + 1 }), notifyFailure)
      .finally(() => setBusy(false));
  };
  const filtered = type !== "all" || user !== undefined;
  return (
    <div className="file-browser">
      <div className="file-filters">
        <div className="segments" role="group" aria-label={t.files.typesLabel}>
          {TYPES.map((it) => (
            <button key={it} type="button" aria-pressed={it === type} onClick={() => setType(it)}>
              {t.files.types[it]}
            </button>
          ))}
        </div>
        <button type="button" className="button small" onClick={() => setPicking(true)}>
          <Icon name="person" />
          <span>{user === undefined ? t.files.from : t.files.fromPerson(name)}</span>
        </button>
        {user !== undefined && (
          <button type="button" className="icon-button" aria-label={t.files.clearPerson(name)} title={t.files.clearPerson(name)} onClick={() => setUser(undefined)}>
            <Icon name="close" />
          </button>
        )}
      </div>
      {value === undefined ? (
        <Loading error={error} onRetry={reload} />
      ) : all.length === 0 ? (
        <Nothing title={filtered ? t.files.noneFiltered : t.files.none} lead={filtered ? t.files.noneFilteredLead : t.files.noneLead} />
      ) : (
        <>
          <p className="file-count" role="status">
            {t.files.found(value.total)}
          </p>
          <ul className={type === "images" ? "file-list file-tiles" : "file-list"}>
            {all.map((file, i) => (
              <li key={file.id}>{type === "images" ? <FilePicture items={viewed(all)} at={i} alone tile /> : <Row file={file} channel={channel} />}</li>
            ))}
          </ul>
          {more.page < value.pages && (
            <div className="place-more">
              <button type="button" className="button" disabled={busy} onClick={loadMore}>
                {busy ? t.loading : t.places.loadMore}
              </button>
            </div>
          )}
        </>
      )}
      {picking && (
        <PeoplePicker
          title={t.files.fromTitle}
          quiet
          onClose={() => setPicking(false)}
          onPick={async (id) => {
            setUser(id);
          }}
        />
      )}
    </div>
  );
}

/** The message to go to: in the conversation that is open, otherwise the newest one. */
function placeOf(file: SharedFile, channel: string | undefined): FilePlace | undefined {
  const places = placesOf(file);
  return places.findLast((it) => it.channel === channel) ?? places.at(-1);
}

function viewed(files: readonly SharedFile[]) {
  return files.map((file) => ({ file, place: placeOf(file, undefined) }));
}

function Row({ file, channel }: { file: SharedFile; channel: string | undefined }) {
  const place = placeOf(file, channel);
  const who = useWorkspace((state) => nameOf(file.user === undefined ? undefined : state.users[file.user]));
  const where = useWorkspace((state) => (place === undefined || channel !== undefined ? "" : labelOf(state, place.channel)));
  const source = sortOf(file) === "picture" ? sourceOf(file) : undefined;
  const facts = [who, file.created ? dateOf(file.created * 1000) : ""].filter(Boolean).join(" · ");
  return (
    <FileCard
      file={file}
      place={place}
      note={
        <>
          {` · ${facts}`}
          {where !== "" && place !== undefined && (
            <>
              {" · "}
              <button type="button" className="link" onClick={() => goToPlace(place)}>
                {where}
              </button>
            </>
          )}
        </>
      }
      face={
        source && (
          <button type="button" className="file-face" aria-label={t.files.view(file.alt_txt || t.files.noAlt(titleOfFile(file)))} onClick={() => openLightbox([{ file, place }], 0)}>
            <img src={source.src} alt="" loading="lazy" />
          </button>
        )
      }
    />
  );
}

/** A file came, changed or went somewhere. */
function useReloadOnChange(reload: () => void): void {
  const changes = useWorkspace((state) => state.fileChanges);
  const first = useRef(changes);
  useEffect(() => {
    if (changes === first.current) return;
    const timer = setTimeout(() => {
      first.current = changes;
      reload();
    }, TOGETHER_MS);
    return () => clearTimeout(timer);
  }, [changes, reload]);
}
