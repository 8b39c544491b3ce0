/**
 * Builds the page with a model and the beginning of a training, and serves it. `npm run web -- [--model FOLDER] [--port N] [--build-only]`.
 * Without --model: the newest of runs/starter and runs/web that has weights, else one that is trained now on drawn scenes.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build, preview } from "vite";
import { pretrain, resolveRecipe } from "../dist/pretrain/index.js";
import { makeStart } from "./make-start.mjs";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const DIST = join(ROOT, "web/dist");
/** The files of a run or a repository that the page opens. */
const MODEL = /^(config|preprocessor_config|tokenizer|tokenizer_config)\.json$|^(vocab\.txt|model.*\.safetensors.*)$/;

const { values } = parseArgs({
  options: { model: { type: "string" }, port: { type: "string" }, "build-only": { type: "boolean" } },
});
const say = (line) => console.error(line);
const hasWeights = (folder) =>
  existsSync(join(folder, "config.json")) && readdirSync(folder).some((name) => /^model.*\.safetensors/.test(name));

/** A model that is there, or one that is made. */
async function findModel() {
  if (values.model !== undefined) return values.model;
  const found = ["runs/starter", "runs/web"].map((name) => join(ROOT, name)).find(hasWeights);
  if (found) return found;
  say(
    "No model in runs/: training a small one on drawn scenes, a few minutes. (A better one: npm start, ten minutes.)",
  );
  const runDir = join(ROOT, "runs/web");
  const { recipe } = await resolveRecipe(join(ROOT, "web/train.yaml"), {
    set: [`runDir=${runDir}`, "threads=0", "stages.joint.every.save=0"],
  });
  const reporter = {
    note: say,
    begin: () => undefined,
    step: (step, text) => step % 100 === 0 && say(`step ${step}: ${text}`),
    end: () => undefined,
  };
  await pretrain({ recipe, command: "npm run web" }, { reporter });
  return runDir;
}

/** The beginning of a training, made once. */
async function findStart() {
  const folder = join(ROOT, "runs/web-start");
  if (existsSync(join(folder, "checkpoint/state.json"))) return folder;
  say("Beginning the training that the page goes on with: its codebook, half a minute.");
  await makeStart(folder);
  return folder;
}

const [model, start] = [await findModel(), await findStart()];
await build({ configFile: join(ROOT, "web/vite.config.ts"), logLevel: "warn" });
rmSync(join(DIST, "model"), { recursive: true, force: true });
mkdirSync(join(DIST, "model"), { recursive: true });
for (const name of readdirSync(model).filter((file) => MODEL.test(file)))
  cpSync(join(model, name), join(DIST, "model", name), { dereference: true });
cpSync(start, join(DIST, "start"), { recursive: true });
for (const unused of ["optimizer.safetensors"]) rmSync(join(DIST, "start/checkpoint", unused), { force: true });
say(`Built ${DIST}: static files, with the model of ${model}.`);
if (!values["build-only"]) {
  const server = await preview({
    configFile: join(ROOT, "web/vite.config.ts"),
    preview: { port: Number(values.port ?? 4173) },
  });
  server.printUrls();
}
