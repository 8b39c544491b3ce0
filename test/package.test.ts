/** What can be imported from the package: an explicit list, documented, and free of Node where it says so. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type Import, reachedFrom } from "./support/imports.ts";

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

/** Modules of Node that an entry or its types reach in a browser, at once or later. */
const nodeModules = (source: string): string[] =>
  [...reachedFrom(source, { read, follow: () => true, aliases: inBrowser })]
    .filter(([name]) => name.startsWith("node:"))
    .map(([name, chain]) => `${chain} imports ${name}`);

/** Packages with native parts: some machines lack them, and whoever does not use them must not notice. */
const NATIVE = ["sharp", "koffi", "onnxruntime-node"];

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

  it("follow, in a browser, no import of a package with native parts: a bundler such as esbuild would take it in", () => {
    const follow = ({ typeOnly }: Import): boolean => !typeOnly;
    const found = entries
      .filter(([name]) => documented.get(name))
      .flatMap(([, source]) => [...reachedFrom(source, { read, follow, aliases: inBrowser })])
      .filter(([name]) => NATIVE.includes(name))
      .map(([name, chain]) => `${chain} imports ${name}`);
    expect(found).toEqual([]);
  });

  it("are every room's but those of the command", () => {
    const rooms = readdirSync("src").filter((room) => existsSync(`src/${room}/index.ts`));
    const names = new Set(entries.map(([name]) => name));
    expect(rooms.filter((room) => !names.has(`flava/${room}`))).toEqual(["pictures"]);
  });

  it.each(entries.filter(([name]) => documented.get(name)))("%s reaches no module of Node", (_, source) => {
    expect(nodeModules(source)).toEqual([]);
  });

  it("reach Node where they say so, which shows that the search finds it", () => {
    for (const name of ["flava", "flava/text/node", "flava/data"])
      expect(nodeModules(entries.find(([entry]) => entry === name)![1]), name).not.toEqual([]);
  });

  it.each(entries)("%s loads no native package before it is needed", (_, source) => {
    const atOnce = reachedFrom(source, { read, follow: ({ typeOnly, later }) => !typeOnly && !later });
    expect(NATIVE.flatMap((name) => atOnce.get(name) ?? [])).toEqual([]);
  });
});

describe("the built files", () => {
  it("import no .ts file, late imports beside `await using` included, which TypeScript 6 leaves as they are", () => {
    const files = readdirSync("dist", { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".js"));
    const left = files.filter((file) => /(?:from |import\()"\.[^"]*\.ts"/.test(read(`dist/${file}`)));
    expect(files.length).toBeGreaterThan(100);
    expect(left).toEqual([]);
  });
});
