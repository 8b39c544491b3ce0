/**
 * What `flava export` writes, opened by transformers.js: examples/transformers-js in a project of its own. Slow because it installs that
 * package with its engine from the registry: without one it is skipped.
 */
import { copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FlavaModel } from "../src/api/index.ts";
import { exportOnnx } from "../src/export/index.ts";
import { COLOURS, colourPicture } from "./support/colour-pictures.ts";
import { installedProject, isOffline, run } from "./support/npm.ts";
import { tinyModelFolder } from "./support/tiny-model.ts";

const EXAMPLE = "examples/transformers-js";
const CAPTIONS = ["a red ball on the beach", "a blue house"];
const COMPILER = {
  strict: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: true,
  module: "nodenext",
  target: "es2022",
  types: ["node"],
};
const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
const offline = isOffline();

describe.skipIf(offline)("an export", () => {
  it("is opened by transformers.js, and gives the model's own cosines", async () => {
    const model = await tinyModelFolder();
    const { dependencies } = JSON.parse(readFileSync(`${EXAMPLE}/package.json`, "utf8"));
    const packages = Object.entries(dependencies).map(([name, range]) => `${name}@${range}`);
    const project = installedProject(packages, ["--ignore-scripts"]);
    await exportOnnx(model, join(project, "exported"), { only: ["image", "text"] });
    const picture = join(project, "picture.ppm");
    writeFileSync(picture, colourPicture(COLOURS.red!));
    copyFileSync(`${EXAMPLE}/main.ts`, join(project, "main.ts"));
    const compilerOptions = { ...COMPILER, typeRoots: [join(process.cwd(), "node_modules/@types")] };
    writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["main.ts"] }));
    expect(run(project, process.execPath, tsc, "-p", ".").output).toBe("");
    const ran = run(project, process.execPath, "main.js", "exported", picture, ...CAPTIONS);
    expect(ran.status, ran.output).toBe(0);
    const cosines = ran.stdout.trim().split("\n");
    await using ours = await FlavaModel.fromPretrained(model, { threads: 1 });
    const { similarity } = await ours.similarity(picture, CAPTIONS);
    expect(cosines.map((line) => line.replace(/^\S+ /, ""))).toEqual(CAPTIONS);
    expect(cosines.map((line) => Number(line.split(" ")[0]))).toBeAllclose([...similarity.data] as number[], {
      atol: 2e-4,
    });
    for (const folder of [model, project]) rmSync(folder, { recursive: true, force: true });
  });
});

it.runIf(offline)("transformers.js could not be installed: the npm registry cannot be reached", (context) =>
  context.skip("the npm registry cannot be reached"),
);
