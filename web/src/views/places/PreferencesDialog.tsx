import { Dialog } from "../../components/overlay";
import { useSession } from "../../store/context";
import { look } from "../../store/look";
import { notifyFailure } from "../../store/notice";
import { setSingleKeys, singleKeys } from "../../store/shortcuts";
import { useSignal } from "../../store/signal";
import { t } from "../../strings";

/** How it looks and which keys it takes. Each change is there at once. */
export function PreferencesDialog({ onClose }: { onClose(): void }) {
  const session = useSession();
  const { theme, density } = useSignal(look);
  const keys = useSignal(singleKeys);
  const set = (name: string, value: string) => void session.places.setPreference(name, value).catch(notifyFailure);
  return (
    <Dialog title={t.places.preferences.title} onClose={onClose}>
      <fieldset className="preference">
        <legend>{t.places.preferences.theme}</legend>
        <div className="theme-choices">
          {(["system", "light", "dark", "contrast"] as const).map((it) => (
            <label key={it} className={it === theme ? "theme-choice chosen" : "theme-choice"}>
              <input type="radio" name="theme" value={it} checked={it === theme} onChange={() => set("ui_theme", it)} />
              <span className={`swatch swatch-${it}`} aria-hidden="true">
                <i />
                <i />
              </span>
              {t.places.preferences.themes[it]}
            </label>
          ))}
        </div>
      </fieldset>
      <fieldset className="preference">
        <legend>{t.places.preferences.density}</legend>
        {(["comfortable", "dense"] as const).map((it) => (
          <label key={it} className="check">
            <input type="radio" name="density" value={it} checked={it === density} onChange={() => set("ui_density", it)} />
            {t.places.preferences.densities[it]}
          </label>
        ))}
      </fieldset>
      <fieldset className="preference">
        <legend>{t.places.shortcuts.title}</legend>
        <label className="check">
          <input type="checkbox" checked={keys} onChange={(event) => setSingleKeys(event.target.checked)} aria-describedby="keys-hint" />
          {t.places.preferences.keys}
        </label>
        <small id="keys-hint">{t.places.preferences.keysLead}</small>
      </fieldset>
      <p className="preference-note">
        {t.places.preferences.synced} {t.places.preferences.motion}
      </p>
    </Dialog>
  );
}
