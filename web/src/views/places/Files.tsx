import { t } from "../../strings";
import { FileBrowser } from "./FileBrowser";
import { Frame } from "./Frame";

/** Every file that the person may see. */
export function Files() {
  return (
    <Frame title={t.files.title}>
      <FileBrowser />
    </Frame>
  );
}
