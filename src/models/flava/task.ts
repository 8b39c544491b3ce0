/**
 * FLAVA with a head for one task (arXiv:2112.04482 supplement B.2): classes or a number from a text, a picture, or both.
 * - texts: the text encoder's pooler, then one linear layer, as BERT and RoBERTa are fine-tuned on GLUE
 * - pictures: CLS after the final LayerNorm, then one linear layer, as ViT's classifier
 * - both: the multimodal encoder's pooler, then linear → GELU → LayerNorm → linear, as MMF's VQA models; hidden width 1536 in the paper
 */
import { input, type Value } from "../../graph/index.ts";
import { type Drop, initialised, Params, token } from "../../nn/index.ts";
import { type ModelGraph, modelGraph, type PairGraphSizes, type TaskHead } from "../model.ts";
import { headLogits, type TaskOutputs } from "../task-head.ts";
import type { FlavaConfig } from "./config.ts";
import { flavaImage, flavaMultimodal, flavaText } from "./model.ts";

const KEEP: Drop = (_, x) => x;

/** What the head reads: `pixel_values` (B, C, S, S), and `input_ids`, `attention_mask`, `token_type_ids` (B, T) as the head says. */
function taskInputs(config: FlavaConfig, head: TaskHead, sizes: PairGraphSizes) {
  const { channels, imageSize } = config.image;
  const { batch, textLength, height = imageSize, width = imageSize } = sizes;
  const ids = (name: string): Value => input(name, [batch, textLength], "int32");
  return {
    ...(head.inputs !== "text" && { pixel_values: input("pixel_values", [batch, channels, height, width]) }),
    ...(head.inputs !== "image" && {
      input_ids: ids("input_ids"),
      attention_mask: ids("attention_mask"),
      ...(head.textPairs && { token_type_ids: ids("token_type_ids") }),
    }),
  };
}

/** The encoders that a task needs, and its head on them. `p` is the root. */
export function taskOutputs(
  p: Params,
  config: FlavaConfig,
  head: TaskHead,
  sizes: PairGraphSizes,
  drop: Drop = KEEP,
): TaskOutputs {
  const { pooled, hidden_states, encoder } = encoded(p.at("flava"), config, head, sizes, drop);
  const scope = initialised(p.at("classifier"), encoder);
  return { logits: headLogits(scope, pooled, head, drop), hidden_states };
}

function encoded(p: Params, config: FlavaConfig, head: TaskHead, sizes: PairGraphSizes, drop: Drop) {
  const { pixel_values, input_ids, ...inputs } = taskInputs(config, head, sizes);
  const image = pixel_values && flavaImage(p, config, { pixel_values, interpolate: sizes.interpolate, drop });
  const texts = input_ids && { input_ids, ...inputs, drop };
  const text = texts && flavaText(p, config, texts);
  if (image && text) {
    const fused = flavaMultimodal(p, config, image, text, texts);
    const hidden_states = [...image.hidden_states, ...text.hidden_states, ...fused.hidden_states];
    return { pooled: fused.pooler_output, hidden_states, encoder: config.multimodal };
  }
  if (text) return { pooled: text.pooler_output, hidden_states: text.hidden_states, encoder: config.text };
  const { last_hidden_state, hidden_states } = image!;
  return { pooled: token(last_hidden_state, 0), hidden_states, encoder: config.image };
}

/** The inputs of the task → `logits` (B, outputs). */
export function taskGraph(config: FlavaConfig, head: TaskHead, sizes: PairGraphSizes): ModelGraph {
  const p = new Params();
  return modelGraph("flava.task", p, { logits: taskOutputs(p, config, head, sizes).logits });
}
