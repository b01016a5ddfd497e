import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { workerFiles } from "./dev/worker.ts";

/** `npm run dev` shows the pages and passes the rest on to a running server; see README.md. */
const server = process.env["PARLANCE_URL"] ?? "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [react(), workerFiles()],
  server: { host: "localhost", port: 5173, strictPort: true, proxy: { "/api": server, "/files/": server, "/photos/": server, "/realtime": { target: server, ws: true } } },
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    cssCodeSplit: false,
    sourcemap: false,
    // The worker's address must stay the same and must be at the top: it is asked for by name.
    rolldownOptions: {
      input: { index: "index.html", worker: "src/offline/worker.ts" },
      output: { entryFileNames: (chunk) => (chunk.name === "worker" ? "worker.js" : "assets/[name]-[hash].js") },
    },
  },
  // A property test takes its time on a busy machine.
  test: { include: ["src/**/*.test.{ts,tsx}"], environment: "node", testTimeout: 120_000 },
});
