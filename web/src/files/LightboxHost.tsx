import { Suspense, lazy } from "react";
import { useSignal } from "../store/signal";
import { lightbox } from "./lightboxState";

const Lightbox = lazy(() => import("./Lightbox"));
const close = () => lightbox.set(undefined);

/** Where pictures are looked at, whoever opened them. Loaded with the first one. */
export function LightboxHost() {
  const open = useSignal(lightbox);
  return open === undefined ? null : (
    <Suspense>
      <Lightbox items={open.items} first={open.at} onClose={close} />
    </Suspense>
  );
}
