/** The rooms under src/ import each other only as docs/architecture.md permits, and keep to the sizes of the house. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { findCycle, type Import, importsOf, onlyReexports } from "./support/imports.ts";

const MAX_LINES = 500;

/** Rooms that run in browsers too, so nothing of Node; what only Node can do is in files that are called so, `x.node.ts`. */
const ANYWHERE = [
  "errors.ts",
  "tensor",
  "graph",
  "lower",
  "nn",
  "models",
  "objectives",
  "optim",
  "image",
  "text",
  "api",
  "web",
];

type Files = ReadonlyMap<string, string>;
type Imports = ReadonlyMap<string, readonly Import[]>;

/** TypeScript files below some folders, by path from the root. */
function readAll(...folders: string[]): Files {
  const paths = folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: "utf8" }).map((p) => `${folder}/${p.replaceAll("\\", "/")}`),
  );
  const sources = paths.filter((p) => p.endsWith(".ts") && !p.endsWith(".d.ts")).sort();
  return new Map(sources.map((p) => [p, readFileSync(p, "utf8")]));
}

/** The room of a file: "src/graph/passes/cse.ts" is in "graph", "src/errors.ts" is "errors.ts". */
const roomOf = (path: string): string => path.split("/")[1]!;

const isTest = (path: string): boolean => /\.(test|bench)\.ts$/.test(path);

/** Imports of the files that are shipped. */
const importMap = (files: Files): Imports =>
  new Map([...files].filter(([path]) => !isTest(path)).map(([path, text]) => [path, importsOf(path, text)]));

/** "| `graph/` | what | tensor, errors |" → graph: [tensor, errors]. */
function readArrows(markdown: string): Map<string, string[]> {
  const arrows = new Map<string, string[]>();
  for (const [, room, list] of markdown.matchAll(/^\| `([\w.]+)\/?` \|.*\| ([^|]+) \|$/gm))
    arrows.set(
      room!,
      list!.split(", ").map((name) => (name === "errors" ? "errors.ts" : name)),
    );
  return arrows;
}

/** What a room may import: the rooms of its row, and what those may. */
function reachable(arrows: ReadonlyMap<string, readonly string[]>, room: string): Set<string> {
  if (arrows.get(room)?.includes("everything")) return new Set(arrows.keys());
  const found = new Set<string>([room, "errors.ts"]);
  for (const next of arrows.get(room) ?? []) if (next !== "–") for (const r of reachable(arrows, next)) found.add(r);
  return found;
}

/** Imports that the arrows do not permit. `src/index.ts`, the face of the package, may import every room. */
function forbidden(imports: Imports, arrows: ReadonlyMap<string, readonly string[]>): string[] {
  const bad: string[] = [];
  for (const path of imports.keys()) {
    const room = roomOf(path);
    if (room === "index.ts") continue;
    const allowed = reachable(arrows, room);
    for (const { file, specifier } of imports.get(path)!) {
      if (!file?.endsWith(".ts")) continue;
      if (!file.startsWith("src/")) bad.push(`${path} leaves src/: ${specifier}`);
      else if (!allowed.has(roomOf(file))) bad.push(`${path}: ${room} may not import ${roomOf(file)}`);
    }
  }
  return bad;
}

/** Imports of Node's own modules, where the code must also run in a browser. */
const nodeImports = (imports: Imports): string[] =>
  [...imports]
    .filter(([path]) => ANYWHERE.includes(roomOf(path)) && !path.endsWith(".node.ts"))
    .flatMap(([path, list]) => list.map(({ specifier }) => `${path} imports ${specifier}`))
    .filter((line) => line.includes(" imports node:"));

const tooLong = (files: Files): string[] =>
  [...files]
    .map(([path, text]) => ({ path, lines: text.trimEnd().split("\n").length }))
    .filter(({ lines }) => lines > MAX_LINES)
    .map(({ path, lines }) => `${path} has ${lines} lines`);

describe("the sources", () => {
  const files = readAll("src");
  const imports = importMap(files);
  const arrows = readArrows(readFileSync("docs/architecture.md", "utf8"));

  it("have a row in docs/architecture.md for every room", () => {
    const rooms = new Set([...files.keys()].map(roomOf));
    rooms.delete("index.ts");
    expect([...rooms].filter((room) => !arrows.has(room))).toEqual([]);
  });

  it("import only along the arrows of docs/architecture.md", () => {
    expect(forbidden(imports, arrows).join("\n")).toBe("");
  });

  it("import nothing in a circle", () => {
    expect(findCycle(imports)).toBeUndefined();
  });

  it("import nothing of Node in rooms that run in browsers", () => {
    expect(nodeImports(imports)).toEqual([]);
  });

  it("keep the index.ts of a room to re-exports", () => {
    const indexes = [...files].filter(([path]) => /^src\/\w+\/index\.ts$/.test(path));
    expect(indexes.filter(([path, text]) => !onlyReexports(path, text)).map(([path]) => path)).toEqual([]);
    expect(indexes.length).toBeGreaterThan(5);
  });
});

describe("all files", () => {
  it(`have at most ${MAX_LINES} lines`, () => {
    expect(tooLong(readAll("src", "test", "bench"))).toEqual([]);
  });
});

describe("the rules find what breaks them", () => {
  const arrows = readArrows(
    [
      "| `errors.ts` | e | – |",
      "| `tensor/` | t | errors |",
      "| `graph/` | g | tensor |",
      "| `cli/` | c | everything |",
    ].join("\n"),
  );
  const files = (record: Record<string, string>): Files => new Map(Object.entries(record));
  const project = (record: Record<string, string>): Imports => importMap(files(record));

  it("reads the table", () => {
    expect(Object.fromEntries(arrows)).toEqual({
      "errors.ts": ["–"],
      tensor: ["errors.ts"],
      graph: ["tensor"],
      cli: ["everything"],
    });
    expect(reachable(arrows, "graph")).toEqual(new Set(["graph", "tensor", "errors.ts"]));
    expect(reachable(arrows, "cli").has("graph")).toBe(true);
  });

  it.each([
    ["upwards", 'import { x } from "../graph/index.ts";'],
    ["a type", 'import type { X } from "../graph/index.ts";'],
    ["a type in place", 'export const x: import("../graph/index.ts").X = 1;'],
    ["a re-export", 'export * from "../graph/index.ts";'],
    ["later", 'export const load = () => import("../graph/index.ts");'],
    ["by its address", 'export const url = new URL("../graph/worker.ts", import.meta.url);'],
    ["out of src", 'import { x } from "../../test/x.ts";'],
  ])("an import %s", (_, text) => {
    expect(forbidden(project({ "src/tensor/a.ts": text }), arrows)).toHaveLength(1);
  });

  it("an arrow that is permitted only the other way round, and none that is permitted through another room", () => {
    const text = 'import { E } from "../errors.ts"; import { t } from "../tensor/index.ts"; import z from "zod";';
    expect(forbidden(project({ "src/graph/a.ts": text }), arrows)).toEqual([]);
    expect(forbidden(project({ "src/errors.ts": 'import "./tensor/index.ts";' }), arrows)).toHaveLength(1);
  });

  it("a cycle, unless a type closes it", () => {
    const [a, b] = ['import { b } from "./b.ts";', 'export { c } from "./c.ts";'];
    const cycle = (c: string) =>
      findCycle(project({ "src/x/a.ts": a, "src/x/b.ts": b, "src/x/c.ts": c, "src/x/d.ts": a }));
    expect(cycle('import "./a.ts";')).toEqual(["src/x/a.ts", "src/x/b.ts", "src/x/c.ts", "src/x/a.ts"]);
    expect(cycle('import type { A } from "./a.ts";')).toBeUndefined();
  });

  it("Node in rooms that run in browsers, and not elsewhere", () => {
    const text = 'import { readFile } from "node:fs/promises";';
    const [found, fine] = [
      ["src/nn/a.ts", "src/text/a.ts"],
      ["src/hub/a.ts", "src/nn/a.test.ts", "src/text/a.node.ts"],
    ];
    const all = Object.fromEntries([...found, ...fine].map((path) => [path, text]));
    expect(nodeImports(project(all))).toEqual(found.map((path) => `${path} imports node:fs/promises`));
  });

  it("a file that is too long, and an index.ts with code of its own", () => {
    expect(tooLong(files({ "src/a.ts": "x\n".repeat(501), "src/b.ts": "x\n".repeat(500) }))).toHaveLength(1);
    expect(onlyReexports("index.ts", 'export * from "./a.ts"; export type { B } from "./b.ts";')).toBe(true);
    expect(onlyReexports("index.ts", 'export * from "./a.ts"; export const x = 1;')).toBe(false);
    expect(onlyReexports("index.ts", 'import { x } from "./a.ts"; export { x };')).toBe(false);
  });
});
