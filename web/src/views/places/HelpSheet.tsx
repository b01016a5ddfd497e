import { Fragment } from "react";
import { Dialog } from "../../components/overlay";
import { useSignal } from "../../store/signal";
import { SHORTCUTS, keyName, singleKeys } from "../../store/shortcuts";
import type { Shortcut } from "../../store/shortcuts";
import { t } from "../../strings";

/** The sheet's columns, of about the same height. */
const COLUMNS = [
  ["go", "app"],
  ["conversation", "message"],
] as const;

/** Every key there is. */
export function HelpSheet({ onClose }: { onClose(): void }) {
  const single = useSignal(singleKeys);
  return (
    <Dialog title={t.places.shortcuts.title} onClose={onClose} className="wide">
      {!single && <p className="dialog-lead">{t.places.shortcuts.off}</p>}
      <div className="shortcut-groups" tabIndex={0} role="region" aria-label={t.places.shortcuts.title}>
        {COLUMNS.map((groups) => (
          <div key={groups[0]}>
            {groups.map((group) => (
              <Group key={group} group={group} />
            ))}
          </div>
        ))}
      </div>
    </Dialog>
  );
}

function Group({ group }: { group: Shortcut["group"] }) {
  return (
    <section>
      <h3>{t.places.shortcuts.groups[group]}</h3>
      <dl>
        {SHORTCUTS.filter((it) => it.group === group).map((it) => (
          <div key={it.action}>
            <dt>{t.places.shortcuts.labels[it.action]}</dt>
            <dd>
              {it.keys.map((keys, i) => (
                <Fragment key={keys.join("+")}>
                  {i > 0 && <i>/</i>}
                  <Combination keys={keys} />
                </Fragment>
              ))}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function Combination({ keys }: { keys: readonly string[] }) {
  const sequence = keys.length === 2 && keys[0]!.length === 1;
  return (
    <span className="keys">
      {keys.map((key, i) => (
        <Fragment key={key}>
          {i > 0 && sequence && <small>{t.places.shortcuts.then}</small>}
          <kbd>{keyName(key)}</kbd>
        </Fragment>
      ))}
    </span>
  );
}
