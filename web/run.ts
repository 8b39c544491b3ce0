/**
 * Builds the page with a model and the beginning of a training, and serves it. `npm run web -- [--model FOLDER] [--port N] [--build-only]`.
 * Without --model: the newest of runs/starter and runs/web that has weights, else one that is trained now on drawn scenes.
 */
import { existsSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { preview } from "vite";
import { pretrain, resolveRecipe } from "../src/pretrain/index.ts";
import { buildSite, VITE_CONFIG } from "./build.ts";
import { makeStart } from "./make-start.ts";

const OUT = resolve("web/dist");

const { values } = parseArgs({
  options: { model: { type: "string" }, port: { type: "string" }, "build-only": { type: "boolean" } },
});
const say = (line: string): void => void process.stderr.write(`${line}\n`);
const hasWeights = (folder: string): boolean =>
  existsSync(join(folder, "config.json")) && readdirSync(folder).some((name) => /^model.*\.safetensors/.test(name));

/** A model that is there, or one that is made. */
async function findModel(): Promise<string> {
  if (values.model !== undefined) {
    if (!hasWeights(values.model))
      throw new Error(`--model: expected a folder with config.json and model.safetensors, got ${values.model}`);
    return values.model;
  }
  const found = ["runs/starter", "runs/web"].find(hasWeights);
  if (found) return found;
  say(
    "No model in runs/: training a small one on drawn scenes, a few minutes. (A better one: npm start, a quarter of an hour.)",
  );
  const set = ["runDir=runs/web", "threads=0", "stages.joint.every.save=0"];
  const { recipe } = await resolveRecipe("web/train.yaml", { set });
  const reporter = {
    note: say,
    begin: () => undefined,
    step: (step: number, text: string) => {
      if (step % 100 === 0) say(`step ${step}: ${text}`);
    },
    end: () => undefined,
  };
  await pretrain({ recipe, command: "npm run web" }, { reporter });
  return "runs/web";
}

/** The beginning of a training, made once. */
async function findStart(): Promise<string> {
  const folder = "runs/web-start";
  if (existsSync(join(folder, "decoder.safetensors"))) return folder;
  say("Beginning the training that the page goes on with: its codebook, half a minute.");
  await makeStart(folder);
  return folder;
}

const model = await findModel();
await buildSite({ model, start: await findStart(), outDir: OUT });
say(`Built ${OUT}: static files, with the model of ${model}.`);
if (!values["build-only"]) {
  const server = await preview({
    configFile: VITE_CONFIG,
    build: { outDir: OUT },
    preview: { port: Number(values.port ?? 4173) },
  });
  server.printUrls();
}
