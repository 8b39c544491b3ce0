/** Runs the TypeScript of README.md and docs/*.md, file by file, against the built package, and compares what it prints. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

/** The code of a page: its ```ts blocks in order; one marked ```ts no-run is only for reading. */
const codeOf = (markdown: string): string =>
  [...markdown.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map((m) => m[1]).join("\n");

/** What a page says that its code prints: the text behind `//>`. */
const promised = (code: string): string[] => [...code.matchAll(/\/\/> ?(.*)$/gm)].map((m) => m[1]!.trimEnd());

const pages = ["README.md", ...readdirSync(`${root}docs`).map((name) => `docs/${name}`)].filter((name) =>
  name.endsWith(".md"),
);

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
      const printed = execFileSync(process.execPath, [file], { cwd: root, encoding: "utf8" });
      expect(
        printed
          .split("\n")
          .map((line) => line.trimEnd())
          .filter((line) => line !== ""),
      ).toEqual(promised(code));
    });
  }
});
