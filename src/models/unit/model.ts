/**
 * UniT (Hu & Singh, arXiv:2102.10772; MMF, models/unit): an encoder of pictures and one of texts, each told which task it serves, and a decoder
 * that all tasks share. Names are MMF's.
 */
import {
  add,
  broadcastTo,
  cast,
  concat,
  constant,
  gelu,
  permute,
  relu,
  reshape,
  sigmoid,
  slice,
  stopGradient,
  type Value,
} from "../../graph/index.ts";
import {
  bertEmbeddings,
  bertLayer,
  conv,
  fanInUniform,
  fanOutNormal,
  layerNorm,
  linear,
  normal,
  type Params,
  paddingMask,
  resnetStage,
  resnetStem,
  token,
  xavierUniform,
} from "../../nn/index.ts";
import { tensor } from "../../tensor/index.ts";
import type { UnitConfig, UnitTask } from "./config.ts";
import { sinePositions } from "./positions.ts";
import { type DecoderMemory, decode, encoderLayer } from "./transformer.ts";

/** Rows of the tables of task vectors. */
const TASKS = 256;

/** Pixels (B, C, H, W) → the backbone's features (B, 32·width, h, w); norms are constants. `p` is the root. */
export function unitBackbone(p: Params, { image }: UnitConfig, pixels: Value): Value {
  const { width, stages, dilated, frozenStem } = image;
  const body = p.withWeights(fanOutNormal).at("unit_base_model.backbone.0.body");
  return body.scope(() => {
    let x = resnetStem(body, pixels, width, "frozen");
    for (const [i, blocks] of stages.entries()) {
      x = resnetStage(body.at(`layer${i + 1}`), x, {
        ...{ blocks, channels: 4 * width * 2 ** i, stride: i === 0 ? 1 : 2, statistics: "frozen" },
        dilated: dilated && i === 3,
      });
      if (i === 0 && frozenStem) x = stopGradient(x);
    }
    return x;
  });
}

/** Features of pictures, and which places are theirs. */
export interface ImageInputs {
  /** (B, C, h, w). */
  readonly features: Value;
  /** (B, h·w, D), and 1 where a place is one, (B, h·w); every place is one where they are absent. */
  readonly padded?: { readonly positions: Value; readonly keep: Value } | undefined;
}

/** The encoder of pictures on the backbone's features, as the decoder reads it. `p` is the root. */
export function unitImageMemory(p: Params, config: UnitConfig, task: UnitTask, inputs: ImageInputs): DecoderMemory {
  const { image, decoder } = config;
  const base = p.withWeights(xavierUniform).at("unit_base_model");
  const transformer = base.at("transformer");
  return base.scope(() => {
    const narrow = base.withWeights(fanInUniform).at("input_proj");
    const projected = conv(narrow, inputs.features, image.hiddenSize, { kernel: 1, bias: true });
    const { B, D, h, w } = projected.dims("B D h w");
    const places = permute(reshape(projected, [B, D, h * w]), [0, 2, 1]); // (B, P, D)
    const positions = inputs.padded?.positions ?? wholePositions(B, D, h, w);
    const keep = inputs.padded?.keep;
    const asked = taskVector(transformer.at("task_embeddings_enc"), task, D, B);
    const first = broadcastTo(constant(0, places.dtype), [B, 1, D]);
    const options = { positions: concat([first, positions], 1), mask: keep && maskBehind(keep, places) };
    let x = concat([asked, places], 1);
    for (let i = 0; i < image.layers; i++) x = encoderLayer(transformer.at(`encoder.layers.${i}`), x, image, options);
    const memory = add(places, slice(x, 1, 1));
    return {
      states: linear(transformer.at("enc2dec_proj"), memory, decoder.hiddenSize),
      positions: linear(transformer.at("pos_embed_proj"), positions, decoder.hiddenSize),
      mask: keep && paddingMask(keep, places),
    };
  });
}

/** Positions of pictures that fill all places, (B, h·w, D). */
function wholePositions(B: number, D: number, h: number, w: number): Value {
  const all = tensor("int32", [1, h, w], new Int32Array(h * w).fill(1));
  return broadcastTo(constant(sinePositions(all, D), "float32"), [B, h * w, D]);
}

/** Positions of such pictures as the decoder reads them. `p` is the root. */
export function imagePositions(
  p: Params,
  { image, decoder }: UnitConfig,
  { batch, h, w }: { readonly batch: number; readonly h: number; readonly w: number },
): Value {
  const projection = p.withWeights(xavierUniform).at("unit_base_model.transformer.pos_embed_proj");
  return linear(projection, wholePositions(batch, image.hiddenSize, h, w), decoder.hiddenSize);
}

/** BERT's positions of T tokens, (T, D). `p` is the root. */
export function textPositions(p: Params, { text }: UnitConfig, T: number): Value {
  const scope = p.withWeights(normal(0.02)).at("bert_model.module.embeddings.position_embeddings");
  return slice(scope.get("weight", [text.maxPositions, text.hiddenSize], scope.weightInit), 0, 0, T);
}

/** The vector of a task, (B, 1, D). */
function taskVector(p: Params, { index }: UnitTask, D: number, B: number): Value {
  const table = p.get("weight", [TASKS, D], normal(1));
  return broadcastTo(reshape(slice(table, 0, index, index + 1), [1, 1, D]), [B, 1, D]);
}

/** The mask of (B, N) behind one place that is always seen. */
function maskBehind(keep: Value, like: Value): Value {
  const first = broadcastTo(constant(1, like.dtype), [keep.shape[0]!, 1]);
  return paddingMask(concat([first, cast(keep, like.dtype)], 1), like);
}

/** Ids and what goes with them, int (B, T). */
export interface TextInputs {
  readonly ids: Value;
  readonly keep: Value;
  readonly types?: Value | undefined;
}

/** States of a text's tokens, and what the decoder is told of their places. */
export interface TextStates {
  /** (B, T, D). */
  readonly states: Value;
  /** (T, D). */
  readonly positions: Value;
  /** (B, T). */
  readonly keep: Value;
}

/** BERT on a task's vector and a text. `p` is the root. */
export function unitText(p: Params, config: UnitConfig, task: UnitTask, { ids, keep, types }: TextInputs): TextStates {
  const { text } = config;
  const root = p.withWeights(normal(0.02));
  const bert = root.at("bert_model.module");
  return bert.scope(() => {
    const [B, T] = ids.shape as [number, number];
    const words = bertEmbeddings(bert.at("embeddings"), text, ids, { token_type_ids: types });
    let x = concat([taskVector(root.at("task_embeddings_lang"), task, text.hiddenSize, B), words], 1);
    const mask = maskBehind(keep, words);
    for (let i = 0; i < text.layers; i++) x = bertLayer(bert.at(`encoder.layer.${i}`), x, text, { mask });
    return { states: slice(x, 1, 1), positions: textPositions(p, config, T), keep };
  });
}

/** A text as the decoder reads it: all tokens, or the first. `p` is the root. */
export function unitTextMemory(
  p: Params,
  { decoder }: UnitConfig,
  { tokens }: UnitTask,
  { states, positions, keep }: TextStates,
): DecoderMemory {
  const root = p.withWeights(xavierUniform);
  const cut = (x: Value, axis: number): Value => (tokens === "cls" ? slice(x, axis, 0, 1) : x);
  const [seen, kept] = [cut(states, 1), cut(keep, 1)];
  const projected = linear(root.at("bert_projection"), seen, decoder.hiddenSize);
  const placed = linear(root.at("bert_pos_projection"), cut(positions, 0), decoder.hiddenSize); // (T, D)
  return {
    states: projected,
    positions: broadcastTo(reshape(placed, [1, ...placed.shape]), projected.shape),
    mask: paddingMask(kept, projected),
  };
}

/** Pictures and texts one after the other; what has no mask is all seen. */
export function joinedMemory(parts: readonly DecoderMemory[]): DecoderMemory {
  if (parts.length === 1) return parts[0]!;
  const mask = ({ states, mask: own }: DecoderMemory): Value =>
    own ?? broadcastTo(constant(0, states.dtype), [states.shape[0]!, 1, 1, states.shape[1]!]);
  return {
    states: concat(
      parts.map(({ states }) => states),
      1,
    ),
    positions: concat(
      parts.map(({ positions }) => positions),
      1,
    ),
    mask: parts.some((part) => part.mask) ? concat(parts.map(mask), 3) : undefined,
  };
}

/** Which sets of each kind of task are called what in MMF's names. */
const scopeOf = (name: string, { kind }: UnitTask): string => `${kind}.${name}`;

/** The decoder's states after each layer, (B, Q, D). `p` is the root. */
export function unitDecode(p: Params, config: UnitConfig, name: string, memory: DecoderMemory): Value[] {
  const task = config.tasks[name]!;
  const base = p.at("unit_base_model");
  const D = config.decoder.hiddenSize;
  const queries = base.at("query_embeds").at(scopeOf(name, task)).get("weight", [task.queries, D], normal(1));
  return decode(base.withWeights(xavierUniform).at("transformer.decoder"), queries, memory, config.decoder);
}

/** States (B, Q, D) → `logits` (B, Q, labels + 1), the last "none", and `boxes` (B, Q, 4): centre, width and height as shares. */
export function unitBoxes(
  p: Params,
  { tasks }: UnitConfig,
  name: string,
  states: Value,
): { readonly logits: Value; readonly boxes: Value } {
  const root = p.withWeights(fanInUniform);
  const logits = linear(root.at("class_embeds").at(name), states, tasks[name]!.labels + 1);
  const layers = root.at("bbox_embeds").at(name).at("layers");
  const D = states.shape[2]!;
  let h = states;
  for (let i = 0; i < 2; i++) h = relu(linear(layers.at(i), h, D));
  return { logits, boxes: sigmoid(linear(layers.at(2), h, 4)) };
}

/** States (B, Q, D) → logits (B, labels), read off the first query. */
export function unitLabels(p: Params, { tasks }: UnitConfig, name: string, states: Value): Value {
  const task = tasks[name]!;
  const head = p.withWeights(normal(0.02)).at("classifiers").at(scopeOf(name, task));
  const x = token(states, 0);
  const h = layerNorm(head.at("0.LayerNorm"), gelu(linear(head.at("0.dense"), x, x.shape[1]!)), 1e-12);
  return linear(head.at("1"), h, task.labels);
}

/** What a task reads. */
export interface TaskInputs {
  /** (B, C, H, W). */
  readonly pixels?: Value | undefined;
  readonly text?: TextInputs | undefined;
}

/** The decoder's states after each layer for one task on its inputs. `p` is the root. */
export function unitStates(p: Params, config: UnitConfig, name: string, { pixels, text }: TaskInputs): Value[] {
  const task = config.tasks[name]!;
  const image = pixels && unitImageMemory(p, config, task, { features: unitBackbone(p, config, pixels) });
  const words = text && unitTextMemory(p, config, task, unitText(p, config, task, text));
  return unitDecode(p, config, name, joinedMemory([image, words].filter((part) => part !== undefined)));
}
