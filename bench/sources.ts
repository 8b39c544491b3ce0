/**
 * `npm run bench sources RUN [PART…]`: a trained model on parts of the starter data whose captions are names: retrieval both ways, and classes
 * by name (the category of each picture) beside the largest class. Without parts: the validation sources.
 */
import { FlavaModel, pipeline } from "../src/api/index.ts";
import { openData } from "../src/datasets/index.ts";
import { type Pair, readPairs, retrieval } from "../src/evaluators/index.ts";
import { figure } from "./measure.ts";

const PARTS: readonly string[] = ["validation_colours", "validation_lines"];

/** Prints `PART_i2t_r1`, `PART_zero_shot`, … */
export async function sources([run, ...parts]: readonly string[]): Promise<void> {
  if (run === undefined) throw new Error("npm run bench sources RUN [PART…]");
  await using model = await FlavaModel.fromPretrained(run);
  for (const part of parts.length > 0 ? parts : PARTS) {
    const pairs = await readPairs(await openData({ type: "starter", part }), { maxPairs: 5000 });
    await namesOf(model, part, pairs);
    await classesOf(model, part, pairs);
  }
}

async function namesOf(model: FlavaModel, part: string, pairs: readonly Pair[]): Promise<void> {
  const concepts = pairs.map(({ concept }) => concept);
  const captions = pairs.map(({ caption }) => caption);
  const { text_embeds } = await model.encodeText(captions, { outputs: ["text_embeds"] });
  const { image_embeds } = await model.encodeImage(pairs, { outputs: ["image_embeds"] });
  const found = await retrieval(model.device, { embeds: image_embeds, concepts }, { embeds: text_embeds, concepts });
  for (const k of [1, 10] as const) {
    figure(`${part}_i2t_r${k}`, found.text_retrieval_recall[k]);
    figure(`${part}_t2i_r${k}`, found.image_retrieval_recall[k]);
    figure(`${part}_chance_r${k}`, found.chance.text[k]);
  }
}

async function classesOf(model: FlavaModel, part: string, pairs: readonly Pair[]): Promise<void> {
  const filed = pairs.flatMap((pair) => (typeof pair.meta?.category === "string" ? [pair] : []));
  const classes = [...new Set(filed.map(({ meta }) => String(meta!.category)))].sort();
  if (classes.length < 2) return;
  const classify = await pipeline("zero-shot-image-classification", model);
  const said = await classify(filed, classes, { hypothesis_template: "{}" });
  const right = filed.filter(({ meta }, i) => said[i]![0]!.label === meta!.category);
  const sizes = classes.map((name) => filed.filter(({ meta }) => meta!.category === name).length);
  figure(`${part}_zero_shot`, right.length / filed.length);
  figure(`${part}_largest_class`, Math.max(...sizes) / filed.length);
}
