/**
 * Layers on two modalities: single-stream, dual-stream (intra- and inter-modal) and gated, as one kind of sub-layer with four gates (Bugliarello
 * et al., "Multimodal Pretraining Unmasked", arXiv:2011.15124; names are those of its code, VOLTA). Post-norm, as BERT.
 */
import { ShapeError } from "../errors.ts";
import {
  add,
  broadcastTo,
  concat,
  constant,
  gelu,
  matmul,
  mul,
  permute,
  reshape,
  softmax,
  type Value,
} from "../graph/index.ts";
import type { Taps } from "./attention.ts";
import type { Drop } from "./dropout.ts";
import { linear } from "./linear.ts";
import { layerNorm } from "./norm.ts";
import type { Params } from "./params.ts";

/** Who reads whom: `textVision` is open where text asks and vision answers. */
export interface Gates {
  readonly textText: boolean;
  readonly textVision: boolean;
  readonly visionText: boolean;
  readonly visionVision: boolean;
}

/** The four kinds of bimodal layers, by their gates. The gated one is any others. */
export const bimodalGates: Readonly<Record<"single-stream" | "intra-modal" | "inter-modal", Gates>> = {
  "single-stream": { textText: true, textVision: true, visionText: true, visionVision: true },
  "intra-modal": { textText: true, textVision: false, visionText: false, visionVision: true },
  "inter-modal": { textText: false, textVision: true, visionText: true, visionVision: false },
};

/** A sub-layer. `shared`: both modalities have one set of weights. */
export type BimodalSublayer =
  | {
      readonly kind: "attention";
      readonly gates: Gates;
      readonly shared: boolean;
      readonly heads: number;
      /** Of queries, keys and values, all heads together; each modality's own unless said. */
      readonly width?: number | undefined;
    }
  | {
      readonly kind: "feed-forward";
      readonly shared: boolean;
      /** Width between its two layers; absent: the modality passes as it is. */
      readonly text?: number | undefined;
      readonly vision?: number | undefined;
    };

/** States of both modalities, (B, T, D) and (B, R, D'). */
export interface Bimodal {
  readonly text: Value;
  readonly vision: Value;
}

export interface BimodalOptions {
  /** Additive masks of the keys of each modality, (B, 1, 1, T) and (B, 1, 1, R). */
  readonly masks?: { readonly text?: Value | undefined; readonly vision?: Value | undefined };
  readonly eps?: number;
  /**
   * Receives `<path>.text_scores` (B, H, T, …), `<path>.vision_scores` (B, H, R, …), both without masks, and `…_probabilities`: open
   * blocks side by side, text first.
   */
  readonly out?: Taps | undefined;
  /** Applied to what each sub-layer adds, as BERT's hidden dropout is. */
  readonly drop?: Drop | undefined;
}

/** All sub-layers in turn, each in its scope `encoder.layer.N`. */
export function bimodalStack(
  p: Params,
  states: Bimodal,
  sublayers: readonly BimodalSublayer[],
  options: BimodalOptions = {},
): Bimodal {
  return sublayers.reduce(
    (x, sublayer, i) => bimodalSublayer(p.at(`encoder.layer.${i}`), x, sublayer, options),
    states,
  );
}

/** One sub-layer: attention through its gates, or a feed-forward of either modality. */
export const bimodalSublayer = (p: Params, x: Bimodal, sublayer: BimodalSublayer, options: BimodalOptions): Bimodal =>
  p.scope(() =>
    sublayer.kind === "attention" ? gatedAttention(p, x, sublayer, options) : feedForward(p, x, sublayer, options),
  );

type Modality = keyof Bimodal;
type Attention = Extract<BimodalSublayer, { kind: "attention" }>;

/** What the layers of a modality are called: vision's have "v_" in front where it has its own. */
const named =
  (modality: Modality, shared: boolean) =>
  (name: string): string =>
    modality === "vision" && !shared ? `v_${name}` : name;

/** The modalities that one reads, text first. */
const reads = (asker: Modality, { textText, textVision, visionText, visionVision }: Gates): Modality[] => {
  const [text, vision] = asker === "text" ? [textText, textVision] : [visionText, visionVision];
  return [...(text ? (["text"] as const) : []), ...(vision ? (["vision"] as const) : [])];
};

/** LN(dense(softmax over all open blocks · values) + x); a modality that reads none passes as it is. */
function gatedAttention(
  p: Params,
  x: Bimodal,
  { gates, shared, heads, width }: Attention,
  options: BimodalOptions,
): Bimodal {
  const { masks = {}, out } = options;
  const made = new Map<string, Value>();
  const projected = (modality: Modality, what: "query" | "key" | "value"): Value => {
    const key = `${modality} ${what}`;
    const known =
      made.get(key) ?? split(p.at("attention_self").at(named(modality, shared)(what)), x[modality], heads, width);
    made.set(key, known);
    return known;
  };
  const attend = (modality: Modality): Value => {
    const sources = reads(modality, gates);
    if (sources.length === 0) return x[modality];
    const keys = concat(
      sources.map((source) => projected(source, "key")),
      2,
    );
    const values = concat(
      sources.map((source) => projected(source, "value")),
      2,
    );
    const q = projected(modality, "query"); // (B, H, N, K)
    const scores = mul(matmul(q, keys, { transposeB: true }), q.shape[3]! ** -0.5); // (B, H, N, M)
    out?.set(`${p.path}.${modality}_scores`, scores);
    const mask = maskOf(sources, x, masks);
    const probabilities = softmax(mask ? add(scores, mask) : scores);
    out?.set(`${p.path}.${modality}_probabilities`, probabilities);
    const context = matmul(probabilities, values);
    const { B, H, N, K } = context.dims("B H N K");
    const joined = reshape(permute(context, [0, 2, 1, 3]), [B, N, H * K]);
    return addNorm(p.at("attention_output"), joined, x[modality], options, named(modality, shared));
  };
  return { text: attend("text"), vision: attend("vision") };
}

/** (B, N, D) → (B, H, N, K). */
function split(p: Params, x: Value, heads: number, width = x.shape[2]!): Value {
  const { B, N } = x.dims("B N D");
  if (width % heads) throw new ShapeError(`${p.path}: width ${width} does not divide among ${heads} heads`);
  return permute(reshape(linear(p, x, width), [B, N, heads, width / heads]), [0, 2, 1, 3]);
}

/** The masks of the keys, side by side; undefined where none has one. */
function maskOf(
  sources: readonly Modality[],
  x: Bimodal,
  masks: NonNullable<BimodalOptions["masks"]>,
): Value | undefined {
  if (sources.every((source) => !masks[source])) return undefined;
  const none = (source: Modality): Value => {
    const { B, N } = x[source].dims("B N D");
    return broadcastTo(constant(0, x[source].dtype), [B, 1, 1, N]);
  };
  return concat(
    sources.map((source) => masks[source] ?? none(source)),
    3,
  );
}

/** LN(W2·gelu(W1·x) + x) of either modality. */
function feedForward(
  p: Params,
  x: Bimodal,
  { shared, ...widths }: Extract<BimodalSublayer, { kind: "feed-forward" }>,
  options: BimodalOptions,
): Bimodal {
  const apply = (modality: Modality): Value => {
    const width = widths[modality];
    if (width === undefined) return x[modality];
    const name = named(modality, shared);
    const h = gelu(linear(p.at("intermediate").at(name("dense")), x[modality], width));
    return addNorm(p.at("output"), h, x[modality], options, name);
  };
  return { text: apply("text"), vision: apply("vision") };
}

function addNorm(
  p: Params,
  h: Value,
  x: Value,
  { eps = 1e-12, drop = (_, value) => value }: BimodalOptions,
  name: (what: string) => string,
): Value {
  const dense = p.at(name("dense"));
  return layerNorm(p.at(name("LayerNorm")), add(drop(dense, linear(dense, h, x.shape[2]!)), x), eps);
}

/** Which sub-layers a model has, by their numbers, as VOLTA's configurations list them. */
export interface BimodalControl {
  readonly textText: readonly number[];
  readonly visionVision: readonly number[];
  /** Text reads vision, and vision reads text. */
  readonly cross: readonly number[];
  readonly textFeedForward: readonly number[];
  readonly visionFeedForward: readonly number[];
  readonly shared: readonly number[];
}

interface Sizes {
  readonly heads: number;
  readonly crossHeads?: number | undefined;
  /** Of queries, keys and values of sub-layers that only cross. */
  readonly crossWidth?: number | undefined;
  /** Widths between the layers of a feed-forward. */
  readonly text: number;
  readonly vision: number;
}

/** The sub-layers that the lists name, in their order. Throws ShapeError for a number in two kinds of lists or in none. */
export function sublayersOf(control: BimodalControl, sizes: Sizes): BimodalSublayer[] {
  const last = Math.max(...Object.values(control).flat());
  return Array.from({ length: last + 1 }, (_, n): BimodalSublayer => {
    const has = (list: keyof BimodalControl): boolean => control[list].includes(n);
    const [tt, vv, cross] = [has("textText"), has("visionVision"), has("cross")];
    const [text, vision] = [has("textFeedForward"), has("visionFeedForward")];
    const shared = has("shared");
    if ((tt || vv || cross) === (text || vision))
      throw new ShapeError(`sub-layer ${n}: expected attention or a feed-forward, got ${text ? "both" : "neither"}`);
    if (text || vision)
      return {
        kind: "feed-forward",
        shared,
        ...(text && { text: sizes.text }),
        ...(vision && { vision: sizes.vision }),
      };
    const alone = cross && !tt && !vv;
    return {
      kind: "attention",
      gates: { textText: tt, textVision: cross, visionText: cross, visionVision: vv },
      shared,
      heads: alone ? (sizes.crossHeads ?? sizes.heads) : sizes.heads,
      ...(alone && { width: sizes.crossWidth }),
    };
  });
}
