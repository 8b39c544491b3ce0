/** The sizes of a UniT from the shapes of its tensors, for weights without a config.json. */
import { CheckpointError } from "../../errors.ts";
import type { Shape } from "../../tensor/index.ts";
import { countNumbers, type Shapes } from "../layout.ts";
import type { InferredConfig } from "../model.ts";
import { type UnitConfig, type UnitConfigInput, type UnitTask, unitConfig } from "./config.ts";
import { unitVariants } from "./variants.ts";

/** Heads of DETR's layers, and width of a head of BERT's. */
const HEADS = 8;
const HEAD_WIDTH = 64;

const BASE = "unit_base_model.";
const BODY = `${BASE}backbone.0.body.`;
const BERT = "bert_model.module.";

/** Reads sizes off tensors under our names; rows of task vectors are MMF's for sets that it names. Throws CheckpointError. */
export function inferUnitConfig(where: string, tensors: Shapes): InferredConfig<UnitConfig> {
  const shape = (name: string): Shape | undefined => tensors.get(name)?.shape;
  const count = (start: string): number =>
    countNumbers(tensors, new RegExp(`^${start.replaceAll(".", "\\.")}(\\d+)\\.`));
  const layers = (part: "encoder" | "decoder") => {
    const start = `${BASE}transformer.${part}.layers.`;
    const [intermediateSize, hiddenSize] = shape(`${start}0.linear1.weight`) ?? [];
    return { hiddenSize, intermediateSize, layers: count(start), heads: HEADS };
  };
  const [width, channels] = shape(`${BODY}conv1.weight`) ?? [];
  const stages = [1, 2, 3, 4].map((i) => count(`${BODY}layer${i}.`)) as [number, number, number, number];
  const [vocabSize, hiddenSize] = shape(`${BERT}embeddings.word_embeddings.weight`) ?? [];
  try {
    const config = unitConfig({
      image: { ...layers("encoder"), width, channels, stages },
      text:
        hiddenSize === undefined
          ? undefined
          : {
              ...{ vocabSize, hiddenSize, heads: Math.max(1, Math.round(hiddenSize / HEAD_WIDTH)) },
              layers: count(`${BERT}encoder.layer.`),
              intermediateSize: shape(`${BERT}encoder.layer.0.intermediate.dense.weight`)?.[0],
              maxPositions: shape(`${BERT}embeddings.position_embeddings.weight`)?.[0],
              typeVocabSize: shape(`${BERT}embeddings.token_type_embeddings.weight`)?.[0],
            },
      decoder: layers("decoder"),
      tasks: tasksOf(tensors, shape),
    });
    const assumed = [
      `${HEADS} heads of its transformer and heads of ${HEAD_WIDTH} of its BERT, which no shape says`,
      `pictures of ${config.image.imageSize} pixels, and a dilated last stage`,
    ];
    return { config, assumed };
  } catch (cause) {
    throw new CheckpointError(
      `${where}: expected shapes of a UniT: ${(cause as Error).message}`,
      "put its config.json beside the weights",
      { cause },
    );
  }
}

/** Its tasks by their queries and heads. */
function tasksOf(tensors: Shapes, shape: (name: string) => Shape | undefined): UnitConfigInput["tasks"] {
  const known = unitVariants.base!.tasks;
  const found: Record<string, Omit<UnitTask, "tokens"> & Partial<UnitTask>> = {};
  for (const [
    name,
    {
      shape: [queries],
    },
  ] of tensors) {
    const [, kind, set] = /\.query_embeds\.(detection|vl|glue)\.(\w+)\.weight$/.exec(name) ?? [];
    if (kind === undefined || set === undefined) continue;
    const boxes = shape(`class_embeds.${set}.weight`);
    const labels = boxes ? boxes[0]! - 1 : (shape(`classifiers.${kind}.${set}.1.weight`)?.[0] ?? 0);
    const { index = Object.keys(found).length, tokens = "cls" } = known[set] ?? {};
    found[set] = { kind: kind as UnitTask["kind"], labels, index, tokens, queries: queries! };
  }
  return found;
}
