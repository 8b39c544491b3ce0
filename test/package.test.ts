/** What can be imported from the package: an explicit list, documented, and free of Node where it says so. */
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { nodeModulesReached } from "./support/imports.ts";

const pack = JSON.parse(readFileSync("package.json", "utf8"));
const exported: Readonly<Record<string, string>> = pack.exports;

/** Entries that are code: name as it is imported → source file. */
const entries = Object.entries(exported)
  .filter(([, file]) => file.endsWith(".js"))
  .map(([name, file]) => [name.replace(".", "flava"), file.replace("./dist", "src").replace(/\.js$/, ".ts")] as const);

/** The table of docs/package.md: entry → for browsers. */
const documented = new Map(
  [...readFileSync("docs/package.md", "utf8").matchAll(/^\| `(flava[^`]*)` \|.*\| (yes|no) \|$/gm)].map((m) => [
    m[1]!,
    m[2] === "yes",
  ]),
);

/** What a browser's bundler takes for the names of package.json's `imports`. */
const inBrowser = Object.fromEntries(
  Object.entries(pack.imports as Record<string, { browser: string }>).map(([name, { browser }]) => [
    name,
    browser.replace("./dist", "src").replace(/\.js$/, ".ts"),
  ]),
);

const read = (path: string): string => readFileSync(path, "utf8");

describe("the entries of the package", () => {
  it("are a list, without a pattern for code", () => {
    expect(Object.keys(exported).filter((name) => name.includes("*"))).toEqual(["./recipes/*"]);
    expect(entries.length).toBeGreaterThan(20);
  });

  it("have a source each", () => {
    expect(entries.filter(([, source]) => !existsSync(source))).toEqual([]);
  });

  it("are those of docs/package.md", () => {
    const names = [...entries.map(([name]) => name), "flava/recipes/*"];
    expect([...documented.keys()].sort()).toEqual(names.sort());
  });

  it.each(entries.filter(([name]) => documented.get(name)))("%s reaches no module of Node", (_, source) => {
    expect(nodeModulesReached(source, read, inBrowser)).toEqual([]);
  });

  it("reach Node where they say so, which shows that the search finds it", () => {
    for (const name of ["flava", "flava/runtime", "flava/text/node", "flava/data"]) {
      const source = entries.find(([entry]) => entry === name)![1];
      expect(nodeModulesReached(source, read, inBrowser), name).not.toEqual([]);
    }
  });
});
