/** Begins the run that the page goes on with: trains the codebook and makes the first step of the joint stage. `node web/make-start.mjs FOLDER` */
import { cp, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { pretrain, resolveRecipe } from "../dist/pretrain/index.js";

/** The files of a run that a tab needs, and those that Node wants to go on with. */
const FILES = ["recipe.json", "run.json", "tokenizer.json"];

/** Writes them to `folder`; `set` changes the recipe. */
export async function makeStart(folder, set = []) {
  const place = await mkdtemp(join(tmpdir(), "flava-web-"));
  const runDir = "run"; // what the page saves is unpacked to this folder
  const [target, before] = [resolve(folder), process.cwd()];
  process.chdir(place);
  const recipeFile = fileURLToPath(new URL("train.yaml", import.meta.url));
  const { recipe } = await resolveRecipe(recipeFile, { set: [...set, `runDir=${runDir}`] });
  const stop = new AbortController();
  let stage = "";
  const reporter = {
    note: () => undefined,
    begin: (name) => {
      stage = name;
    },
    step: () => stage === "joint" && stop.abort(), // the step is finished and saved first
    end: () => undefined,
  };
  await pretrain({ recipe, command: "npm run web" }, { reporter, signal: stop.signal });
  process.chdir(before);
  await mkdir(target, { recursive: true });
  for (const file of FILES) await cp(join(place, runDir, file), join(target, file));
  await cp(join(place, runDir, "joint", "checkpoint-1"), join(target, "checkpoint"), { recursive: true });
  await rm(place, { recursive: true });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await makeStart(process.argv[2]);
