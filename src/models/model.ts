/** The interface of every model: what api, evaluators, pictures and pretraining use, so that none of them names a model. */
import type { z } from "zod";
import type { Graph, Value } from "../graph/index.ts";
import { graph } from "../graph/index.ts";
import type { Interpolation, ParamSpec, Params } from "../nn/index.ts";
import type { Layout, Shapes } from "./layout.ts";

/** A graph and the parameters among its inputs. */
export interface ModelGraph {
  readonly graph: Graph;
  readonly params: readonly ParamSpec[];
}

/** Results as a graph, with the parameters that they need. */
export function modelGraph(
  name: string,
  declared: Params | readonly ParamSpec[],
  outputs: Readonly<Record<string, Value>>,
): ModelGraph {
  const g = graph(name, outputs);
  const specs = "specs" in declared ? declared.specs() : declared;
  return { graph: g, params: specs.filter((spec) => Object.hasOwn(g.inputs, spec.name)) };
}

/** Static sizes of a graph on images. */
export interface ImageGraphSizes {
  readonly batch: number;
  /** Pixels; the model's own size unless said. Another size needs `interpolate`. */
  readonly height?: number;
  readonly width?: number;
  readonly interpolate?: Interpolation;
}

/** Static sizes of a graph on texts. */
export interface TextGraphSizes {
  readonly batch: number;
  readonly textLength: number;
  /** Whether `attention_mask` int32 (B, T) is an input; true unless said. */
  readonly attentionMask?: boolean;
}

/** Static sizes of a graph on pairs. */
export interface PairGraphSizes extends ImageGraphSizes, TextGraphSizes {
  /**
   * Whether the attention of the multimodal encoder is a result: `multimodal_attentions.<layer>` and, before the softmax and with masks,
   * `multimodal_scores.<layer>`, both (B, H, M, M).
   */
  readonly attentions?: boolean;
}

/** What a model reads of a picture that a detector has looked at. */
export interface RegionSizes {
  /** Numbers of a region's feature. */
  readonly features: number;
  /** Numbers of its box: corners; with its area; or with its width and height. */
  readonly box: 4 | 5 | 6;
  /** Whether the mean of all regions comes first. */
  readonly mean: boolean;
  /** Sines, and cosines, of each number of a box, where they are read. */
  readonly waves?: number | undefined;
  /** Whether the names of the objects follow the text. */
  readonly tags: boolean;
}

/** Static sizes of a graph on texts and regions. */
export interface RegionGraphSizes {
  readonly batch: number;
  readonly textLength: number;
  /** Regions of a picture, the mean among them. */
  readonly regions: number;
}

/** What a model was fine-tuned for, as far as its graph is concerned. */
export interface TaskHead {
  readonly inputs: "text" | "image" | "pair";
  /** Whether two texts are read as one: [CLS] a [SEP] b [SEP], with token types. */
  readonly textPairs: boolean;
  /** Classes; 1 where the result is a number. */
  readonly outputs: number;
  /** Width of the head's hidden layer; null: there is none. */
  readonly hidden: number | null;
}

/** What a head reads of a graph's results: (B, D) "whole"; of (B, N, D) the "first" token, or the "mean" over the text's. */
export interface HeadInput {
  readonly result: string;
  readonly take: "whole" | "first" | "mean";
}

/** By the inputs of tasks. */
export type HeadInputs = { readonly [I in TaskHead["inputs"]]?: HeadInput };

/** Sizes of a graph on masked batches, and the fields that its batches carry. */
export interface BatchSizes {
  /** B: samples on this worker. */
  readonly batch: number;
  /** T: tokens in each text, padding included. */
  readonly textLength: number;
  /** Kp: the most masked patches in an image. */
  readonly maskedPatches: number;
  /** Kt: the most masked tokens in a text. */
  readonly maskedTokens: number;
  /** Regions of a picture, the mean among them, for models that read regions. */
  readonly regions?: number | undefined;
  /** Whether batches carry `attention_mask`; true unless said. */
  readonly attentionMask?: boolean;
  /** Whether pairs carry `itm_labels`; true unless said. Without them all pairs count as matched. */
  readonly itmLabels?: boolean;
  /** "codebook": targets come from `codebook_pixel_values` inside the graph (the default); "given": batches carry `mim_labels`. */
  readonly mimTargets?: "codebook" | "given";
}

/** What a masked-prediction head says at the masked positions of a batch; R = B·K rows, K of each sample in turn. */
export interface MaskedPrediction {
  /** (R, V). */
  readonly logits: Value;
  /** int32 (R), 0 in rows of weight 0. */
  readonly targets: Value;
  /** (R): 1 where a row is a masked position, 0 where it is padding. */
  readonly weights: Value;
}

/** The pictures that an image encoder takes. */
export interface PictureSizes {
  readonly channels: number;
  /** Side of `pixel_values` in pixels. */
  readonly size: number;
  /** Side of `codebook_pixel_values`: so that one visual word stands for one patch. 0 where there are none. */
  readonly codebookSize: number;
  /** Patches along a side. */
  readonly grid: number;
  /** Pixels along the side of a patch. */
  readonly patchSize: number;
  /** How many visual words there are to be predicted. */
  readonly words: number;
  /** How a whole picture becomes a square: "stretch" (FLAVA) unless said; "cover": its middle, the shorter side whole (CLIP). */
  readonly fit?: "stretch" | "cover";
}

/** The texts that a text encoder takes. */
export interface TextSizes {
  readonly vocabSize: number;
  readonly maxPositions: number;
  /** Whether padding is hidden everywhere. Where it is not, results depend on how much there is. */
  readonly padHidden: boolean;
}

/** Visual words: from pictures and back. */
export interface Codebook {
  readonly channels: number;
  readonly vocabSize: number;
  /** Pixels along the side of what one word stands for. */
  readonly wordSize: number;
  /** `codebook_pixel_values` (B, C, S, S) → `words` int32 (B, P) and `decoded` (B, C, S, S) in 0..1. `p` is the codebook's root. */
  reconstruct(p: Params, pixels: Value): { readonly words: Value; readonly decoded: Value };
  /** `words` int32 (B, h, w) → pixels in 0..1 (B, C, S, S). */
  decode(p: Params, words: Value): Value;
}

/** Boxes of what is in a picture. */
export interface Detection {
  /** Classes of each task, "none" not among them. */
  readonly labels: Readonly<Record<string, number>>;
  /** `pixel_values` → `scores` (B, Q, labels + 1), softmax with "none" last, and `boxes` (B, Q, 4): centre, width, height as shares. */
  graph(task: string, batch: number): ModelGraph;
}

/** Heads that predict what is masked; `p` is the root, graph inputs are named as the fields of data batches are. */
export interface MaskedHeads {
  /** `words` are those of all patches, int32 (B, P). */
  image?(p: Params, sizes: BatchSizes): { readonly words: Value; readonly image: MaskedPrediction };
  text?(p: Params, sizes: BatchSizes): { readonly text: MaskedPrediction };
  /** `image` and `words` where patches are masked too. */
  pair(
    p: Params,
    sizes: BatchSizes,
  ): { readonly text: MaskedPrediction; readonly image?: MaskedPrediction; readonly words?: Value };
}

/** The parameter that makes cosines into contrastive logits, kept between two bounds. */
export interface LogitScale {
  readonly name: string;
  readonly range: readonly [low: number, high: number];
  /** "log": cosines are multiplied by e to it (CLIP), unless said; "temperature": divided by it (ALBEF, ALIGN). */
  readonly form?: "log" | "temperature" | undefined;
}

/** A model of given sizes. An absent field or method is something that it cannot do. */
export interface Model {
  readonly family: string;
  /** All of its parameters, by the names of the published checkpoint. */
  parameters(): ParamSpec[];
  readonly pictures?: PictureSizes | undefined;
  readonly texts?: TextSizes | undefined;
  /** Of models that read regions instead of pictures. */
  readonly regions?: RegionSizes | undefined;
  readonly logitScale?: LogitScale | undefined;
  /** Why a result is not there, by its name: "image_embeds". */
  readonly lacks?: Readonly<Record<string, string>> | undefined;
  /** `pixel_values` → `image_embeds` (B, E) in the contrastive space, of length 1, and what else the encoder gives. */
  image?(sizes: ImageGraphSizes): ModelGraph;
  /** `input_ids` (B, T) and `attention_mask` → `text_embeds` (B, E), and what else the encoder gives. */
  text?(sizes: TextGraphSizes): ModelGraph;
  /** Both → `itm_logits` (B, 2) with class 1 "matched", and what else the multimodal encoder gives. */
  pair?(sizes: PairGraphSizes): ModelGraph;
  /**
   * Texts and regions → `itm_logits` (B, 2) with class 1 "matched", `mmm_text_logits` (B, T, V), `pooler_output`, and the states
   * `text_embeddings` (B, T, D) and `region_embeddings` (B, R, D).
   */
  regionPair?(sizes: RegionGraphSizes): ModelGraph;
  /** What tasks read that the model has heads of its own for. */
  readonly tasks?: Readonly<Record<string, TaskHead["inputs"]>> | undefined;
  /** Boxes in pictures, by tasks. */
  readonly detection?: Detection | undefined;
  /** `image_mm`, `text_mm` and the text's own inputs → the results of `pair` that the multimodal encoder gives. */
  fusion?(sizes: PairGraphSizes): ModelGraph;
  /** `states` (R, D) → `logits` (R, V) over words: states of the text encoder, or of text tokens in the multimodal one. */
  words?(of: "text" | "pair", rows: number): ModelGraph | undefined;
  /** What heads of tasks read, where they stand on the results of the graphs above. */
  readonly heads?: HeadInputs | undefined;
  /** The inputs of a task → its `logits` (B, outputs). */
  task?(head: TaskHead, sizes: PairGraphSizes): ModelGraph;
  /** Both → `maps` (B, T, P): the last multimodal layer's attention from text tokens to patches, mean over heads. */
  attention?(sizes: PairGraphSizes): ModelGraph;
  /** `pixel_values` → `features` (B, D) for classification, of length 1. `scope` stands before the parameters' names. */
  features?(batch: number, scope?: string): ModelGraph;
  readonly masked?: MaskedHeads | undefined;
  readonly codebook?: Codebook | undefined;
}

/** Which tensors of a model a stage can start from: names by their beginnings. */
export interface ModelPart {
  /** Must be present. */
  readonly needed: string;
  /** Taken too where the source has them. */
  readonly also: readonly string[];
}

/** A config.json, or a part of it, as plain data. */
export type ConfigJson = { readonly [key: string]: unknown };

/** How a config.json is read. */
export interface ConfigReading {
  /** Called, with a sentence, for what is read as something else. */
  readonly note?: ((line: string) => void) | undefined;
}

/** A configuration, and what of it no shape says. */
export interface InferredConfig<C> {
  readonly config: C;
  /** A sentence each. */
  readonly assumed: readonly string[];
}

/** What a model takes from a tokenizer. */
export interface VocabularySizes {
  readonly vocabSize: number;
  readonly padTokenId: number;
  /** Ends every text. */
  readonly endTokenId: number;
}

/** A kind of model: its configuration, and what is asked of models of any size. */
export interface ModelFamily<C> {
  readonly schema: z.ZodType<C>;
  /** Named sizes. */
  readonly variants: Readonly<Record<string, C>>;
  readonly parts: Readonly<Record<string, ModelPart>>;
  /** The code bases whose names files may have, in the order in which they are tried. */
  readonly layouts: Readonly<Record<string, Layout>>;
  /** Whether a tensor has one row a word of the vocabulary. */
  hasWordRows(name: string): boolean;
  /** Whether published weights of a part may come without a tensor, because nothing that they were made for reads it. */
  mayLack(name: string): boolean;
  /** The model of these sizes. */
  of(config: C): Model;
  /** The same sizes with a vocabulary of so many entries. */
  withVocabulary(config: C, vocabulary: VocabularySizes): C;
  /** The same model, so small that a run takes a minute. */
  tiny(config: C): C;
  /** Lines for a plan: the name of a part, and its sizes. `words` describes the vocabulary. */
  describe(config: C, words: string): [label: string, text: string][];
  /** The config.json under which others load a model of this family. */
  configFile(
    config: C,
    made: { readonly lossWeights: Readonly<Record<string, number>>; readonly tensors: readonly string[] },
  ): string;
}

/** A family whose models are opened by their files. */
export interface PublishedFamily<C> extends ModelFamily<C> {
  /** Whether a config.json is one of this family, or of a part of it. */
  isConfig(json: ConfigJson): boolean;
  /** Reads such a config.json. Throws ConfigError for what is not computed here. */
  fromConfig(json: ConfigJson, options?: ConfigReading): C;
  /** The sizes from the shapes of tensors under our names, with what their code base computes differently. Throws CheckpointError. */
  infer(where: string, tensors: Shapes, switches?: unknown): InferredConfig<C>;
}
