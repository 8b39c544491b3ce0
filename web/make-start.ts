/** Begins the run that the page goes on with: trains the codebook and makes the first step of the joint stage. */
import { cp, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { entriesOf, openSafetensors, saveSafetensors } from "../src/hub/index.ts";
import { pretrain, type RunOptions, resolveRecipe } from "../src/pretrain/index.ts";

/** The files of a run that a tab needs, and those that Node wants to go on with. */
const FILES = ["recipe.json", "run.json", "tokenizer.json"];

/** Writes them to `folder`, with the codebook's decoder, by which the page draws what the model sees. Call it in the package's folder. */
export async function makeStart(folder: string): Promise<void> {
  const place = await mkdtemp(join(tmpdir(), "flava-web-"));
  const runDir = "run"; // what the page saves is unpacked to this folder
  const [target, before] = [resolve(folder), process.cwd()];
  const recipeFile = resolve("web/train.yaml");
  process.chdir(place);
  try {
    const { recipe } = await resolveRecipe(recipeFile, { set: [`runDir=${runDir}`] });
    await pretrain({ recipe, command: "npm run web" }, untilJointStep());
  } finally {
    process.chdir(before);
  }
  await mkdir(target, { recursive: true });
  for (const file of FILES) await cp(join(place, runDir, file), join(target, file));
  await cp(join(place, runDir, "joint", "checkpoint-1"), join(target, "checkpoint"), { recursive: true });
  await saveDecoder(join(place, runDir, "codebook", "checkpoint-80"), join(target, "decoder.safetensors"));
  await rm(place, { recursive: true });
}

/** Stops the run at the first step of the joint stage, which is finished and saved first. */
function untilJointStep(): RunOptions {
  const stop = new AbortController();
  let stage = "";
  const reporter = {
    note: () => undefined,
    begin: (name: string) => {
      stage = name;
    },
    step: () => {
      if (stage === "joint") stop.abort();
    },
    end: () => undefined,
  };
  return { reporter, signal: stop.signal };
}

async function saveDecoder(checkpoint: string, file: string): Promise<void> {
  await using found = await openSafetensors(join(checkpoint, "model.safetensors"));
  const names = [...found.tensors.keys()].filter((name) => name.startsWith("image_decoder."));
  const tensors = await Promise.all(names.map(async (name) => [name, await found.read(name)] as const));
  await saveSafetensors(file, entriesOf(Object.fromEntries(tensors)));
}
