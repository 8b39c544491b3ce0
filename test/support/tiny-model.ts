/** A tiny FLAVA with drawn weights as a folder that `fromPretrained` opens. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type EncodeOptions, entriesOf, saveSafetensors } from "../../src/hub/index.ts";
import { type FlavaConfig, flavaFamily, toHuggingFaceConfig, variants } from "../../src/models/flava/index.ts";
import { initialize } from "../../src/nn/index.ts";
import type { Tensor } from "../../src/tensor/index.ts";
import { bertTokenizer, type TextTokenizer } from "../../src/text/index.ts";

const WORDS = "a cat dog on the red blue beach ball of and is in house photo this tree ##s ,".split(" ");

/** The words of the tiny model. */
export const tinyTokenizer = (): TextTokenizer =>
  bertTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ...WORDS]);

/** Weights drawn from a seed, wide enough that results differ. */
export function tinyWeights(config: FlavaConfig = variants.tiny, seed = 1): Record<string, Tensor> {
  const model = flavaFamily.of(config);
  const wide = model.parameters().map((spec) => ({ ...spec, init: spec.init }));
  const weights = initialize(wide, seed);
  for (const { data } of Object.values(weights)) for (let i = 0; i < data.length; i++) (data as Float32Array)[i]! *= 5;
  return { ...weights, "flava.logit_scale": { dtype: "float32", shape: [], data: Float32Array.of(2.6592) } };
}

export interface TinyModelOptions {
  readonly config?: FlavaConfig;
  readonly weights?: Readonly<Record<string, Tensor>>;
  readonly metadata?: EncodeOptions["metadata"];
}

/** Writes the folder. */
export async function tinyModelFolder({
  config = variants.tiny,
  weights = tinyWeights(config),
}: TinyModelOptions = {}): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "flava-model-"));
  writeFileSync(join(folder, "config.json"), JSON.stringify(toHuggingFaceConfig(config)));
  writeFileSync(join(folder, "tokenizer.json"), JSON.stringify(tinyTokenizer().json));
  await saveSafetensors(join(folder, "model.safetensors"), entriesOf(weights));
  return folder;
}
