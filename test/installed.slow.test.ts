/**
 * The package as a stranger gets it: packed, installed from the registry into an empty project with npm's own settings,
 * type-checked by a strict consumer of every entry, and a tiny pretraining run from code. Half a minute, and it needs the
 * registry: elsewhere skipped. `.ci/run` runs it.
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { installedProject, isOffline, run } from "./support/npm.ts";

const root = process.cwd();
const pack = JSON.parse(readFileSync("package.json", "utf8"));
const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");

const offline = isOffline();

const entries = Object.entries(pack.exports as Record<string, string>)
  .filter(([, file]) => file.endsWith(".js"))
  .map(([name]) => name.replace(".", "flava"));
const CONSUMER = `${entries.map((name, i) => `import * as entry${i} from "${name}";`).join("\n")}
import { compile, openDevice, type Recipe } from "flava";
import { graph, input, mul } from "flava/graph";

export const all: readonly object[] = [${entries.map((_, i) => `entry${i}`).join(", ")}];
export const seedOf = (recipe: Recipe): number => recipe.seed;
export async function twice(): Promise<number> {
  using run = await compile(graph("g", { y: mul(input("x", []), 2) }), await openDevice("cpu"));
  const { y } = await run.run({ x: { dtype: "float32", shape: [], data: new Float32Array([21]) } });
  return Number(y!.data[0]);
}
`;

const TRAINING = `
import { fileURLToPath } from "node:url";
import { all, twice } from "./consumer.js";
import { pretrain, resolveRecipe } from "flava/pretrain";

const starter = fileURLToPath(import.meta.resolve("flava/recipes/starter.yaml"));
const few = ["codebook", "text", "image", "joint"].map((stage) => "stages." + stage + ".steps=2");
const { recipe } = await resolveRecipe(starter, { tiny: true, set: ["runDir=run", "data.workers=0", ...few] });
const { status, environment } = await pretrain({ recipe, command: "node training.js" });
console.log(JSON.stringify({ status, entries: all.length, twice: await twice(), engine: environment.engine }));
`;

const COMPILER = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  verbatimModuleSyntax: true,
  skipLibCheck: false,
  module: "nodenext",
  target: "es2022",
  lib: ["es2023", "esnext.disposable", "dom", "dom.asynciterable"],
  types: ["node"],
  typeRoots: [join(root, "node_modules/@types")],
};

describe.skipIf(offline)("the package, installed from the registry into an empty project", () => {
  let folder: string;
  beforeAll(() => {
    folder = installedProject([]);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("brings its engine", () => {
    const names = readdirSync(join(folder, "node_modules"));
    expect(names).toContain("koffi");
    expect(names.filter((name) => name.startsWith("sherpa-onnx-"))).toHaveLength(1);
    expect(existsSync(join(folder, "node_modules/.bin/flava"))).toBe(true);
  });

  it("holds nothing that publint finds fault with", async () => {
    const { messages } = await publint({ pkgDir: join(folder, "node_modules/flava"), strict: true, pack: false });
    expect(messages.map((message) => formatMessage(message, pack))).toEqual([]);
  });

  it("compiles in a strict project that imports every entry, and trains a tiny FLAVA from code", () => {
    writeFileSync(join(folder, "consumer.ts"), CONSUMER);
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: COMPILER, files: ["consumer.ts"] }));
    expect(run(folder, process.execPath, tsc, "-p", ".").output).toBe("");
    writeFileSync(join(folder, "training.js"), TRAINING);
    const trained = run(folder, process.execPath, "training.js");
    expect(trained.status, trained.output).toBe(0);
    const printed = JSON.parse(trained.stdout.trim().split("\n").at(-1)!);
    expect(printed).toMatchObject({ status: "done", entries: entries.length, twice: 42 });
    expect(printed.engine).toMatch(/^ONNX Runtime \d/);
  });
});

it.runIf(offline)("the package could not be installed: the npm registry cannot be reached", (context) =>
  context.skip("the npm registry cannot be reached"),
);
