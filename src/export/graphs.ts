/** What is exported of a model: graphs with open batch and text length, inputs and outputs named as Hugging Face names them. */
import { CheckpointError } from "../errors.ts";
import {
  cast,
  type DynamicGraph,
  div,
  exp,
  graph,
  input,
  isOp,
  matmul,
  maximum,
  minimum,
  mul,
  reshape,
  rewrite,
  slice,
  type Value,
  withInputs,
} from "../graph/index.ts";
import { dynamicGraph, type Model, type ModelGraph, modelGraph, type OpenSizes } from "../models/index.ts";
import type { ParamSpec } from "../nn/index.ts";

/** The graphs that a model can be exported as. */
export const graphNames = ["image", "text", "multimodal", "full", "words", "regions"] as const;

/** Both encoders, the multimodal encoder on what they gave, all of it in one, masked words from text alone, and texts beside regions. */
export type GraphName = (typeof graphNames)[number];

/** One graph of a model as it is exported. */
export interface ExportGraph {
  readonly name: GraphName;
  /** File name without ending: `vision_model`. */
  readonly file: string;
  readonly graph: DynamicGraph;
  readonly params: readonly ParamSpec[];
  /** Results that are not there, because the weights lack these parameters. */
  readonly missing: Readonly<Record<string, readonly string[]>>;
}

/** The sizes of pictures, where they are not the model's own. */
export interface PictureSize {
  /** Side in pixels, whole patches; position embeddings are interpolated. */
  readonly imageSize?: number | undefined;
}

/** Results by their names in the file, and the parameters that they need. */
type Built = { readonly outputs: Readonly<Record<string, Value>>; readonly params: readonly ParamSpec[] };

interface Kind {
  readonly file: string;
  readonly open: readonly (keyof OpenSizes)[];
  /** Results without which the graph is not worth a file. */
  readonly needs?: readonly string[];
  build(model: Model, sizes: OpenSizes, picture: Picture): Built | undefined;
}

type Picture = ReturnType<typeof pictureSizes>;

const pictureSizes = ({ imageSize }: PictureSize) =>
  imageSize === undefined ? {} : { height: imageSize, width: imageSize, interpolate: "size" as const };

const KINDS: { readonly [N in GraphName]: Kind } = {
  image: {
    file: "vision_model",
    open: ["batch"],
    build: (model, { batch }, picture) => renamed(model.image?.({ batch, ...picture }), "image_embeddings"),
  },
  text: {
    file: "text_model",
    open: ["batch", "textLength"],
    build: (model, sizes) => renamed(model.text?.(sizes), "text_embeddings"),
  },
  multimodal: {
    file: "multimodal_model",
    open: ["batch", "textLength"],
    build: (model, sizes, picture) => renamed(model.fusion?.({ ...sizes, ...picture }), "multimodal_embeddings"),
  },
  full: {
    file: "model",
    open: ["batch", "textLength"],
    needs: ["image_embeddings", "text_embeddings"],
    build: full,
  },
  words: {
    file: "masked_lm_model",
    open: ["batch", "textLength"],
    build(model, sizes) {
      const text = model.text?.(sizes);
      const states = text?.graph.outputs.text_embeddings;
      return states && wordLogits(model, "text", states, text!.params, "mlm_logits");
    },
  },
  regions: {
    file: "region_model",
    open: ["batch", "textLength", "regions"],
    build(model, { regions = 1, ...sizes }) {
      const built = model.regionPair?.({ ...sizes, regions });
      return built && { outputs: built.graph.outputs, params: built.params };
    },
  },
};

/** The encoder's states, where it has its own, under the name that they have in every encoder. */
function renamed(built: ModelGraph | undefined, states: string): Built | undefined {
  if (!built) return undefined;
  const { [states]: last_hidden_state, ...others } = built.graph.outputs;
  return { outputs: { ...(last_hidden_state && { last_hidden_state }), ...others }, params: built.params };
}

function full(model: Model, sizes: OpenSizes, picture: Picture): Built | undefined {
  const pair = model.pair?.({ ...sizes, ...picture });
  if (!pair) return undefined;
  const { image_features: _, text_features: __, pooler_output: ___, ...outputs } = pair.graph.outputs;
  const states = outputs.multimodal_embeddings!;
  const words = wordLogits(model, "pair", slice(states, 1, -sizes.textLength), pair.params, "mmm_text_logits");
  const contrastive = contrastiveLogits(model, outputs.image_embeds!, outputs.text_embeds!);
  return {
    outputs: { ...outputs, ...contrastive?.outputs, ...words?.outputs },
    params: [...(words ?? pair).params, ...(contrastive?.params ?? [])],
  };
}

/** (B, T, V) from states (B, T, D). */
function wordLogits(
  model: Model,
  of: "text" | "pair",
  states: Value,
  params: readonly ParamSpec[],
  name: string,
): Built | undefined {
  const [B, T, D] = states.shape as [number, number, number];
  const head = model.words?.(of, B * T);
  if (!head) return undefined;
  const rows = reshape(states, [B * T, D]);
  const { logits } = rewrite(head.graph, (v, inputs) =>
    isOp(v, "input") && v.attrs.name === "states" ? rows : withInputs(v, inputs),
  ).outputs;
  return { outputs: { [name]: reshape(logits!, [B, T, logits!.shape[1]!]) }, params: [...params, ...head.params] };
}

/** (B, B): cosines of every picture with every text, times the model's factor. */
function contrastiveLogits(model: Model, images: Value, texts: Value): Built | undefined {
  if (!model.logitScale) return undefined;
  const { name, range, form } = model.logitScale;
  const stored = minimum(maximum(input(name, []), range[0]), range[1]);
  const factor = form === "temperature" ? div(1, stored) : exp(stored);
  const logits = (a: Value, b: Value): Value => mul(matmul(a, b, { transposeB: true }), factor);
  return {
    outputs: {
      contrastive_logits_per_image: logits(images, texts),
      contrastive_logits_per_text: logits(texts, images),
    },
    params: model.parameters().filter((spec) => spec.name === name),
  };
}

/**
 * One graph of a model, with the results whose parameters are there. Undefined where the model has no such part; throws CheckpointError
 * where the weights lack what every result needs. Ids and masks are int64, as tokenizers give them.
 */
export function exportGraph(
  model: Model,
  name: GraphName,
  has: (parameter: string) => boolean,
  picture: PictureSize = {},
): ExportGraph | undefined {
  const { file, open, needs = [], build } = KINDS[name];
  const at = (sizes: OpenSizes): Built | undefined => build(model, sizes, pictureSizes(picture));
  const example = at({ batch: 2, textLength: 2, regions: 2 });
  if (!example) return undefined;
  const missing: Record<string, readonly string[]> = {};
  for (const [output, value] of Object.entries(example.outputs)) {
    const { params } = modelGraph(output, example.params, { [output]: value });
    const lacking = params.filter((spec) => !has(spec.name)).map((spec) => spec.name);
    if (lacking.length > 0) missing[output] = lacking;
  }
  const kept = Object.keys(example.outputs).filter((output) => !missing[output]);
  const lacking = kept.length === 0 ? Object.keys(missing)[0] : needs.find((output) => missing[output]);
  if (lacking !== undefined)
    throw new CheckpointError(
      `${name} graph: expected its weights, got none of ${missing[lacking]!.slice(0, 3).join(", ")}`,
      "this checkpoint was saved without them: leave the graph out with --only",
    );
  const exported = dynamicGraph(model, open, (sizes) => {
    const { outputs, params } = at(sizes)!;
    const g = graph(`flava.${name}`, Object.fromEntries(kept.map((key) => [key, outputs[key]!])));
    return modelGraph(g.name, params, longIds(g).outputs);
  });
  return { name, file, ...exported, missing };
}

/** The same graph with int64 inputs where they were int32. */
const longIds = (g: ReturnType<typeof graph>): ReturnType<typeof graph> =>
  rewrite(g, (v, inputs) =>
    isOp(v, "input") && v.dtype === "int32"
      ? cast(input(v.attrs.name, v.shape, "int64"), "int32")
      : withInputs(v, inputs),
  );
