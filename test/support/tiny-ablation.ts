/** Ablations of tiny models on synthetic data, with tasks of four pictures. */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { readAblation } from "../../src/ablation/file.ts";
import { type AblationPlan, planAblation } from "../../src/ablation/plan.ts";
import { runAblation } from "../../src/ablation/run.ts";
import { COLOURS, colourPicture } from "./colour-pictures.ts";
import { temporaryFolder } from "./data-fixtures.ts";
import { TINY_RUN } from "./tiny-run.ts";

const { codebook, joint, text } = TINY_RUN.stages;
const stages = {
  codebook: { ...codebook, steps: 2 },
  joint: {
    ...joint,
    steps: 5,
    gradientAccumulationSteps: 1,
    init: { codebook: "codebook" },
    every: { log: 1, eval: 0, save: 1 },
  },
};
const BASE = { ...TINY_RUN, stages };
const onlyPairs = {
  extends: "base.yaml",
  stages: {
    codebook: null,
    joint: {
      sampling: { pairs: 0, contrast: 1, images: 0, texts: 0 },
      lossWeights: { mim: 0, mlm: 0, itm: 0, mmmImage: 0, mmmText: 0 },
      init: { codebook: "random" },
    },
  },
};
/** The joint stage with the contrastive loss alone. */
const contrast = (init: object): object => ({
  ...stages.joint,
  ...{ ...onlyPairs.stages.joint, best: null, init },
});
const onlyImages = {
  extends: "base.yaml",
  stages: { joint: { sampling: { pairs: 0, images: 1, texts: 0 }, best: null } },
};

const colours = {
  ...{ name: "colours", title: "Colours", order: 1, group: "vision", protocol: "linear" },
  data: {
    folder: "colours",
    layouts: ["class-folders"],
    classes: Object.keys(COLOURS),
    classCount: 4,
    source: "this test",
    splits: { train: ["train"], test: ["test"] },
  },
  figures: [{ metric: "accuracy" }],
};
const captions = {
  ...{ name: "captions", title: "Captions", order: 2, group: "multimodal", protocol: "retrieval" },
  data: { folder: "captions", layouts: ["karpathy-json"], source: "this test", splits: { test: ["test"] } },
  figures: [{ metric: "text_retrieval_recall@1" }],
};
/** The file of three columns. */
export const TINY_ABLATION = {
  ...{
    name: "tiny",
    samples: 12,
    seeds: [0, 1],
    base: "base.yaml",
    tasks: ["colours.json", "captions.json"],
    difference: ["both", "mim"],
  },
  columns: {
    mim: { number: 1, title: "MIM", recipe: "mim.yaml" },
    pairs: { number: 3, title: "FLAVA_C", recipe: "pairs.yaml" },
    both: { number: 6, title: "FLAVA", recipe: "base.yaml" },
  },
};

/** A file of text, bytes, or JSON. */
export async function writeInto(root: string, path: string, content: string | Uint8Array | object): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(
    join(root, path),
    typeof content === "string" || content instanceof Uint8Array ? content : JSON.stringify(content),
  );
}

/** A folder with recipes, tasks and their data: tiny.yaml has three columns, cheap.yaml two. */
export async function ablationFiles(): Promise<string> {
  const root = await temporaryFolder();
  const write = (path: string, content: string | Uint8Array | object) => writeInto(root, path, content);
  await write("base.yaml", BASE);
  await write("pairs.yaml", onlyPairs);
  await write("mim.yaml", onlyImages);
  await write("colours.json", colours);
  await write("captions.json", captions);
  await write("tiny.yaml", TINY_ABLATION);
  await write("words.yaml", {
    ...BASE,
    stages: { text: { ...text, steps: 2, best: null }, joint: contrast({ text: "text" }) },
  });
  await write("random.yaml", { ...BASE, stages: { joint: contrast({}) } });
  await write("cheap.yaml", {
    ...{ ...TINY_ABLATION, base: "words.yaml", tasks: ["captions.json"], difference: ["words", "random"] },
    columns: {
      random: { number: 5, title: "Random", recipe: "random.yaml" },
      words: { number: 6, title: "Words", recipe: "words.yaml" },
    },
  });
  const images: object[] = [];
  for (const [name, colour] of Object.entries(COLOURS)) {
    for (let i = 0; i < 2; i++) await write(`colours/train/${name}/${i}.ppm`, colourPicture(colour, i));
    await write(`colours/test/${name}/0.ppm`, colourPicture(colour, 9));
    await write(`captions/${name}.ppm`, colourPicture(colour));
    images.push({
      filename: `${name}.ppm`,
      split: "test",
      imgid: images.length,
      sentences: [{ raw: `a ${name} circle` }],
    });
  }
  await write("captions/dataset.json", { images });
  return root;
}

/** The plan of tiny.yaml. */
export const plannedAblation = async (root: string, out: string, more: object = {}): Promise<AblationPlan> =>
  planAblation({ file: await readAblation(join(root, "tiny.yaml")), out, ...more });

/** Runs it; `stop` is what must be going on for it to be stopped. */
export async function run(root: string, plan: AblationPlan, stop?: string) {
  const notes: string[] = [];
  const shares: number[] = [];
  const abort = new AbortController();
  const result = await runAblation(plan, {
    ...{ dataRoot: root, command: "a test", note: (line: string) => void notes.push(line), signal: abort.signal },
    onProgress(done, what) {
      shares.push(done);
      if (stop !== undefined && what.startsWith(stop)) abort.abort(new Error("stopped"));
    },
  }).catch((error: Error) => error);
  return { result, trained: notes.filter((line) => /: (trains|goes on) in /.test(line)), shares };
}

/** Two cheap columns: the contrastive loss, its text encoder from a stage of masked words or from random weights. */
export const cheap = async (root: string, out: string, more: object = {}): Promise<AblationPlan> => {
  const file = await readAblation(join(root, "cheap.yaml"));
  return planAblation({ file, out, ...more });
};
