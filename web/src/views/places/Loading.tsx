import { t } from "../../strings";
import { Nothing } from "./Frame";
import { useSlow } from "./load";

/** While something is fetched, or where it could not be. */
export function Loading({ error, onRetry }: { error: string | undefined; onRetry(): void }) {
  const slow = useSlow();
  if (error !== undefined) {
    return (
      <Nothing title={t.places.failed} lead={error}>
        <button type="button" className="button" onClick={onRetry}>
          {t.places.retry}
        </button>
      </Nothing>
    );
  }
  return <div className="place-loading" role="status">{slow && t.loading}</div>;
}
