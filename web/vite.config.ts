import react from "@vitejs/plugin-react";
import optimizeLocales from "@react-aria/optimize-locales-plugin";
import { defineConfig } from "vitest/config";

/** The server that `parley serve --dev` starts, or another one for a second working copy. */
const SERVER = process.env.PARLEY_SERVER ?? "http://127.0.0.1:7880";

export default defineConfig({
  plugins: [
    react(),
    // React Aria carries its own texts in 30 languages; only ours go into the bundle.
    { ...optimizeLocales.vite({ locales: ["en-US", "de-DE", "fr-FR", "es-ES", "ar-AE"] }), enforce: "pre" },
  ],
  build: {
    target: "es2022",
    sourcemap: false,
    // Inlined files would need data: in every directive of the content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // livekit-client is one file of 540 kB, loaded only on the way into a call.
    chunkSizeWarningLimit: 600,
    rolldownOptions: {
      output: {
        // Each icon would be a file of its own otherwise, and a page asks for twenty.
        codeSplitting: { groups: [{ name: "icons", test: /node_modules[\\/]lucide-react/ }] },
      },
    },
  },
  server: {
    port: 5173,
    proxy: {
      // The host stays as the browser sees it: the server compares it with the origin.
      "/api": { target: SERVER, changeOrigin: false },
      "/rtc": { target: SERVER, changeOrigin: false, ws: true },
    },
  },
  test: {
    environment: "jsdom",
    include: ["src/**/*.test.{ts,tsx}"],
    restoreMocks: true,
    // Fixed, so that a test means the same on every machine.
    env: { TZ: "Europe/Berlin" },
  },
});
