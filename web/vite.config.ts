import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

/** `npm run dev` shows the pages and passes the rest on to a running server; see README.md. */
const server = process.env["PARLANCE_URL"] ?? "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [react()],
  server: { host: "localhost", port: 5173, strictPort: true, proxy: { "/api": server, "/files/": server, "/realtime": { target: server, ws: true } } },
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    cssCodeSplit: false,
    sourcemap: false,
  },
  // A property test takes its time on a busy machine.
  test: { include: ["src/**/*.test.{ts,tsx}"], environment: "node", testTimeout: 120_000 },
});
