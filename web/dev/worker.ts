import { createHash } from "node:crypto";
import type { Plugin } from "vite";

/** Tells the service worker which files there are and what this version is called. */
export function workerFiles(): Plugin {
  return {
    name: "worker-files",
    apply: "build",
    enforce: "post",
    generateBundle(_options, bundle) {
      const worker = bundle["worker.js"];
      if (worker?.type !== "chunk") throw new Error("worker.js was not built");
      const hash = createHash("sha256");
      for (const name of Object.keys(bundle).sort()) {
        const it = bundle[name]!;
        hash.update(name).update("\0").update(it.type === "chunk" ? it.code : it.source);
      }
      const files = Object.keys(bundle).filter((name) => name.startsWith("assets/")).sort();
      worker.code = worker.code
        .replaceAll("PARLANCE_FILES", JSON.stringify([...files.map((name) => `/${name}`), "/icon.svg"]))
        .replaceAll("PARLANCE_VERSION", JSON.stringify(hash.digest("hex").slice(0, 16)));
    },
  };
}
