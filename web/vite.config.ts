import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { fakeServer } from "./dev/server";

/** `PARLANCE_URL` names a running server; without it the pages talk to the workspace of `dev/fake.ts`. */
const server = process.env["PARLANCE_URL"];
const proxy = server ? { "/api": server, "/realtime": { target: server, ws: true } } : {};

export default defineConfig({
  plugins: [react(), ...(server ? [] : [fakeServer()])],
  server: { proxy },
  preview: { proxy },
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
