import { useRef, useState } from "react";
import { Avatar } from "../../components/Avatar";
import { useSession, useWorkspace } from "../../store/context";
import { notify, notifyFailure } from "../../store/notice";
import { t } from "../../strings";
import { PhotoDialog } from "./PhotoDialog";

/** The person's photo, in their profile. */
export function PhotoField() {
  const session = useSession();
  const self = useWorkspace((state) => state.self);
  const input = useRef<HTMLInputElement>(null);
  const [chosen, setChosen] = useState<File | undefined>(undefined);
  const has = self?.profile?.is_custom_image === true;
  const remove = () => {
    session.places.deletePhoto().then(() => notify(t.files.photoDeleted), notifyFailure);
  };
  return (
    <div className="photo-field" role="group" aria-label={t.files.photo}>
      <Avatar user={self} size={72} />
      <div>
        <button type="button" className="button small" onClick={() => input.current?.click()}>
          {has ? t.files.photoChange : t.files.photoChoose}
        </button>
        {has && (
          <button type="button" className="button small" onClick={remove}>
            {t.files.photoDelete}
          </button>
        )}
        <input
          ref={input}
          type="file"
          hidden
          tabIndex={-1}
          accept="image/png,image/jpeg,image/gif,image/webp"
          aria-label={t.files.photoChoose}
          onChange={(event) => {
            setChosen(event.target.files?.[0]);
            event.target.value = "";
          }}
        />
      </div>
      {chosen !== undefined && <PhotoDialog file={chosen} onClose={() => setChosen(undefined)} />}
    </div>
  );
}
