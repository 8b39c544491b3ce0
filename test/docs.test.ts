/**
 * Runs the TypeScript of README.md and docs/*.md, file by file, against the built package, and compares what it prints. It runs in a folder
 * where `runs/starter` is a tiny model and `photos/` has two pictures.
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tinyModelFolder } from "./support/tiny-model.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/** The code of a page: its ```ts blocks in order; one marked ```ts no-run is only for reading. */
const codeOf = (markdown: string): string =>
  [...markdown.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map((m) => m[1]).join("\n");

/** What a page says that its code prints: the text behind `//>`. */
const promised = (code: string): string[] => [...code.matchAll(/\/\/> ?(.*)$/gm)].map((m) => m[1]!.trimEnd());

const pages = ["README.md", ...readdirSync(`${root}docs`).map((name) => `docs/${name}`)].filter((name) =>
  name.endsWith(".md"),
);

let work: string;
beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), "flava-docs-"));
  const model = await tinyModelFolder();
  cpSync(model, join(work, "runs", "starter"), { recursive: true });
  rmSync(model, { recursive: true });
  mkdirSync(join(work, "photos"));
  for (const [name, background] of [
    ["cat", "#c33"],
    ["dog", "#36c"],
  ] as const)
    await sharp({ create: { width: 40, height: 30, channels: 3, background } })
      .png()
      .toFile(join(work, "photos", `${name}.png`));
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

describe("documentation", () => {
  for (const page of pages) {
    const code = codeOf(readFileSync(`${root}${page}`, "utf8"));
    if (code === "") continue;
    it(`${page}: the code runs and prints what the page says`, () => {
      const { outputText } = ts.transpileModule(code, {
        compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
      });
      mkdirSync(`${root}build/docs`, { recursive: true });
      const file = `${root}build/docs/${page.replaceAll("/", "-")}.mjs`;
      writeFileSync(file, outputText);
      const printed = execFileSync(process.execPath, [file], { cwd: work, encoding: "utf8" });
      expect(
        printed
          .split("\n")
          .map((line) => line.trimEnd())
          .filter((line) => line !== ""),
      ).toEqual(promised(code));
    });
  }
});
