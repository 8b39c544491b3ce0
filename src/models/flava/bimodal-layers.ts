/**
 * Other layers for FLAVA's multimodal encoder: the four kinds of "Multimodal Pretraining Unmasked" (arXiv:2011.15124), post-norm, in place of
 * its own pre-norm ones. CLS_M and the image tokens are one modality, the text tokens the other.
 */
import { broadcastTo, concat, constant, slice, type Value } from "../../graph/index.ts";
import {
  type Bimodal,
  type BimodalOptions,
  type BimodalSublayer,
  bimodalGates,
  bimodalSublayer,
  type Drop,
  type EncoderOutputs,
  type Gates,
  layerNorm,
  type Params,
  pooler,
  type Taps,
} from "../../nn/index.ts";
import type { BimodalLayer, MultimodalConfig } from "./config.ts";

/** The kinds of the layers that are not FLAVA's own, the first layer's first; undefined where all are its own. */
export function bimodalLayers({ layer, layers }: MultimodalConfig): readonly BimodalLayer[] | undefined {
  if (layer === "flava") return undefined;
  return typeof layer === "string" ? new Array<BimodalLayer>(layers).fill(layer) : layer;
}

/** Which blocks of the score matrix a layer has: those of its kind, or the configuration's where it is gated. */
export const gatesOf = (kind: BimodalLayer, { gates }: Pick<MultimodalConfig, "gates">): Gates =>
  kind === "gated" ? gates : bimodalGates[kind];

export interface BimodalEncoderOptions {
  /** Additive masks of the keys of each modality. */
  readonly masks: BimodalOptions["masks"];
  /** Receives `<layer>.scores`, with masks, and `<layer>.probabilities`, both (B, H, M, M); closed blocks are left out of the softmax. */
  readonly out?: Taps | undefined;
  readonly drop?: Drop | undefined;
}

/** All layers on tokens (B, V, D) and (B, T, D) → states (B, V + T, D), vision first. `p` is `multimodal_model`, in whose scope it runs. */
export function bimodalEncoder(
  p: Params,
  config: MultimodalConfig,
  kinds: readonly BimodalLayer[],
  tokens: Bimodal,
  { masks = {}, out, drop }: BimodalEncoderOptions,
): EncoderOutputs {
  const scope = p.at("embeddings");
  let x = drop
    ? { text: drop(scope.at("text"), tokens.text), vision: drop(scope.at("vision"), tokens.vision) }
    : tokens;
  const hidden_states = [joined(x)];
  for (const [i, kind] of kinds.entries()) {
    const layer = p.at(`encoder.layer.${i}`);
    const taps: Taps | undefined = out && new Map();
    const options = { masks, eps: config.layerNormEps, out: taps, drop };
    for (const sublayer of sublayers(kind, config)) x = bimodalSublayer(layer, x, sublayer, options);
    for (const [name, closed] of [
      ["scores", CLOSED],
      ["probabilities", 0],
    ] as const)
      if (out) out.set(`${layer.path}.${name}`, matrix(layer.path, taps!, name, gatesOf(kind, config), x, closed));
    hidden_states.push(joined(x));
  }
  const last_hidden_state = layerNorm(p.at("layernorm"), hidden_states.at(-1)!, config.layerNormEps);
  return { hidden_states, last_hidden_state, pooler_output: pooler(p.at("pooler"), last_hidden_state) };
}

/** What stands in closed blocks of a score matrix: what masks put there too. */
const CLOSED = -3.4028234663852886e38;

/** Attention and feed-forward; only the single stream shares its weights between the modalities. */
function sublayers(kind: BimodalLayer, config: MultimodalConfig): BimodalSublayer[] {
  const { heads, intermediateSize: width } = config;
  const shared = kind === "single-stream";
  return [
    { kind: "attention", gates: gatesOf(kind, config), shared, heads },
    { kind: "feed-forward", shared, text: width, vision: width },
  ];
}

const joined = ({ text, vision }: Bimodal): Value => concat([vision, text], 1);

/** The four quarters (B, H, V + T, V + T), vision first, of what a layer showed by rows, text first. */
function matrix(path: string, taps: Taps, what: string, gates: Gates, x: Bimodal, closed: number): Value {
  const lengths = { text: x.text.shape[1]!, vision: x.vision.shape[1]! };
  const row = (asker: keyof Bimodal): Value | undefined => {
    const found = taps.get(`${path}.${asker}_${what}`); // (B, H, N, open columns)
    if (!found) return undefined;
    const [toText, toVision] =
      asker === "text" ? [gates.textText, gates.textVision] : [gates.visionText, gates.visionVision];
    const start = toText ? lengths.text : 0;
    const text = toText ? slice(found, 3, 0, lengths.text) : filled(found, lengths.text, closed);
    const vision = toVision ? slice(found, 3, start, start + lengths.vision) : filled(found, lengths.vision, closed);
    return concat([vision, text], 3);
  };
  const [text, vision] = [row("text"), row("vision")];
  const none = (of: Value, rows: number): Value => {
    const [B, H, , M] = of.shape as [number, number, number, number];
    return broadcastTo(constant(closed, of.dtype), [B, H, rows, M]);
  };
  return concat([vision ?? none(text!, lengths.vision), text ?? none(vision!, lengths.text)], 2);
}

function filled(like: Value, columns: number, value: number): Value {
  const [B, H, N] = like.shape as [number, number, number, number];
  return broadcastTo(constant(value, like.dtype), [B, H, N, columns]);
}
