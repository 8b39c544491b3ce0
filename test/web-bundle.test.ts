/** What a bundler makes of `flava/web` without a word of configuration: no module of Node, and a size that a page can carry. */
import { gzipSync } from "node:zlib";
import { build } from "vite";
import { expect, it } from "vitest";

interface Chunk {
  readonly type: "chunk" | "asset";
  readonly fileName: string;
  readonly code?: string;
  readonly imports?: readonly string[];
}

it("flava/web is bundled to less than 300 kB, compressed and without the engine, and asks for nothing of Node", async () => {
  const read: string[] = [];
  const built = await build({
    configFile: false,
    logLevel: "silent",
    plugins: [{ name: "modules", moduleParsed: ({ id }) => void read.push(id) }],
    build: {
      write: false,
      rollupOptions: {
        input: "src/web/index.ts",
        preserveEntrySignatures: "strict",
        external: /^onnxruntime-web\//,
      },
    },
  });
  const chunks = ([built].flat() as { output: Chunk[] }[]).flatMap(({ output }) => output);
  const code = chunks.flatMap(({ type, code = "" }) => (type === "chunk" ? [code] : []));
  expect(code.reduce((sum, text) => sum + gzipSync(text).length, 0)).toBeLessThan(300_000);
  expect(chunks.flatMap(({ imports = [] }) => imports).filter((name) => name.startsWith("node:"))).toEqual([]);
  expect(code.filter((text) => text.includes("__vite-browser-external"))).toEqual([]);
  // Vite leaves out what is read and not used; esbuild fails at it.
  expect(read.length).toBeGreaterThan(100);
  expect(read.filter((id) => /koffi|__vite-browser-external/.test(id))).toEqual([]);
});
