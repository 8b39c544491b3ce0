import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const isolated = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  base: "./",
  appType: "mpa", // a file that is missing is missing, not the page
  resolve: { alias: { "flava/web": fileURLToPath(new URL("../src/web/index.ts", import.meta.url)) } },
  build: { outDir: "dist", emptyOutDir: true, target: "es2022" },
  worker: { format: "es" },
  preview: { headers: isolated },
  server: { headers: isolated },
});
