/** The tuned model as a folder that others load: weights with the head, config.json with the names of classes, and its processors. */
import { join } from "node:path";
import { saveSafetensors, type TensorEntry } from "../hub/index.ts";
import { type FlavaImageOptions, imageOptionsToJson } from "../image/index.ts";
import { saveFile } from "../io/index.ts";
import { huggingFaceJson } from "../models/index.ts";
import { storeEntries } from "../record/index.ts";
import type { State } from "../runtime/index.ts";
import type { Tensor } from "../tensor/index.ts";
import { type TextTokenizer, tokenizerFiles } from "../text/index.ts";
import type { Problem, Target } from "./problem.ts";
import type { Settings } from "./settings.ts";
import type { Tunable } from "./tunable.ts";

/** What is saved. */
export interface Tuned {
  readonly tunable: Tunable;
  readonly problem: Problem;
  readonly settings: Pick<Settings, "headHidden" | "textLength">;
  readonly state: State;
  /** The parameters. */
  readonly names: readonly string[];
  readonly tokenizer: TextTokenizer | undefined;
  readonly image: FlavaImageOptions | undefined;
}

/** Writes the folder's files. Throws FileError. */
export async function saveTuned(folder: string, tuned: Tuned): Promise<void> {
  const { tunable, problem, state, names, tokenizer, image } = tuned;
  const { pictures, texts } = tunable.model;
  const entries = storeEntries(state, names).map((entry) =>
    inLabelUnits(entry, problem.target, tuned.settings.headHidden),
  );
  await saveSafetensors(join(folder, "model.safetensors"), entries, { metadata: { format: "pt" } });
  await saveFile(join(folder, "config.json"), configJson(tuned, entries));
  if (image && problem.inputs !== "text")
    await saveFile(join(folder, "preprocessor_config.json"), imageOptionsToJson(image, pictures!.patchSize));
  if (!tokenizer || problem.inputs === "image") return;
  for (const [name, text] of Object.entries(tokenizerFiles(tokenizer, texts!.maxPositions)))
    await saveFile(join(folder, name), text);
}

/** Training learns (label − mean) / scale; the saved head gives the label itself: its last layer is multiplied and shifted. */
function inLabelUnits(entry: TensorEntry, target: Target, hidden: number | null): TensorEntry {
  if (target.kind !== "number") return entry;
  const layer = hidden === null ? "classifier" : "classifier.3";
  const { mean, scale } = target;
  const change = { [`${layer}.weight`]: (w: number) => w * scale, [`${layer}.bias`]: (b: number) => b * scale + mean }[
    entry.name
  ];
  if (!change) return entry;
  return { ...entry, read: async () => changed(await entry.read(), change) };
}

const changed = (t: Tensor, change: (value: number) => number): Tensor =>
  ({ ...t, data: (t.data as Float32Array).map(change) }) as Tensor;

/** Hugging Face's keys for a head (`id2label`, `label2id`, `problem_type`), and `flava_task` for what it has none for. */
function configJson({ tunable, problem, settings }: Tuned, entries: readonly TensorEntry[]): string {
  const { inputs, textPairs, target } = problem;
  const labels = target.kind === "number" ? [target.name] : target.names;
  return huggingFaceJson({
    ...tunable.config(entries.map(({ name }) => name)),
    id2label: Object.fromEntries(labels.map((label, id) => [id, label])),
    label2id: Object.fromEntries(labels.map((label, id) => [label, id])),
    problem_type: {
      classes: "single_label_classification",
      number: "regression",
      answers: "multi_label_classification",
    }[target.kind],
    flava_task: { inputs, text_pairs: textPairs, hidden: settings.headHidden, text_length: settings.textLength },
  });
}
