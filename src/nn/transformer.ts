/** The pre-norm transformer (ViT, arXiv:2010.11929; FLAVA's three encoders, arXiv:2112.04482 §3.1). Names are those of FLAVA's checkpoint. */
import { add, cast, constant, equal, gelu, mul, reshape, slice, sum, tanh, type Value } from "../graph/index.ts";
import { fromNumbers } from "../tensor/index.ts";
import { attention, type Taps } from "./attention.ts";
import type { Drop } from "./dropout.ts";
import { type Init, normal, zeros } from "./init.ts";
import { linear } from "./linear.ts";
import { layerNorm } from "./norm.ts";
import type { Params } from "./params.ts";

export interface TransformerConfig {
  readonly hiddenSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly intermediateSize: number;
  readonly layerNormEps: number;
  readonly qkvBias: boolean;
  /** Standard deviation of the weights at the start. */
  readonly initializerRange: number;
}

export interface EncoderOutputs {
  /** The embeddings, then the raw result of each layer; no final LayerNorm on any of them. Each (B, N, D). */
  readonly hidden_states: readonly Value[];
  /** The final LayerNorm of the last hidden state, (B, N, D). */
  readonly last_hidden_state: Value;
  /** tanh(dense(CLS)), (B, D). No pretraining loss reads it. */
  readonly pooler_output: Value;
}

interface EncoderOptions {
  /** Additive, broadcast to (B, H, N, N). */
  mask?: Value | undefined;
  out?: Taps | undefined;
  /** Applied to the embeddings and to what each half of a layer adds, as BERT's hidden dropout is, and to the probabilities of attention. */
  drop?: Drop | undefined;
}

const KEEP: Drop = (_, x) => x;

/** One layer: y = x + Wo·Attention(LN(x)); z = y + W2·GELU(W1·LN(y)). */
export function encoderLayer(
  p: Params,
  x: Value,
  config: TransformerConfig,
  { mask, out, drop = KEEP }: EncoderOptions = {},
): Value {
  return p.scope(() => {
    const { hiddenSize, intermediateSize, layerNormEps, heads, qkvBias } = config;
    const normed = layerNorm(p.at("layernorm_before"), x, layerNormEps);
    const context = attention(p.at("attention.attention"), normed, { heads, mask, qkvBias, out, drop });
    const attended = p.at("attention.output.dense");
    const y = add(x, drop(attended, linear(attended, context, hiddenSize)));

    const h = linear(p.at("intermediate.dense"), layerNorm(p.at("layernorm_after"), y, layerNormEps), intermediateSize);
    const output = p.at("output.dense");
    return add(y, drop(output, linear(output, gelu(h), hiddenSize)));
  });
}

/** All layers, the final LayerNorm and the pooler on embeddings (B, N, D). `p` is the encoder's own scope. */
export function encode(
  p: Params,
  embeddings: Value,
  config: TransformerConfig,
  options: EncoderOptions = {},
): EncoderOutputs {
  const { drop = KEEP } = options;
  const hidden_states = [drop(p.at("embeddings"), embeddings)];
  for (let i = 0; i < config.layers; i++)
    hidden_states.push(encoderLayer(p.at(`encoder.layer.${i}`), hidden_states.at(-1)!, config, options));
  const last_hidden_state = layerNorm(p.at("layernorm"), hidden_states.at(-1)!, config.layerNormEps);
  return { hidden_states, last_hidden_state, pooler_output: pooler(p.at("pooler"), last_hidden_state) };
}

/** tanh(dense(first token)): (B, N, D) → (B, D). */
export function pooler(p: Params, x: Value): Value {
  return p.scope(() => tanh(linear(p.at("dense"), token(x, 0), x.shape[2]!)));
}

/** One token of each sequence: (B, N, D) → (B, D). */
export function token(x: Value, index: number): Value {
  const { B, D } = x.dims("B N D");
  return reshape(slice(x, 1, index, index + 1), [B, D]);
}

/**
 * The token of each sequence at its own place: (B, N, D) and places int32 (B) → (B, D). Works for any N up to `longest`, which may be
 * left open.
 */
export function tokenAt(x: Value, places: Value, longest: number = x.shape[1]!): Value {
  const { B, N } = x.dims("B N D");
  const all = constant(
    fromNumbers(
      Array.from({ length: longest }, (_, i) => i),
      [1, longest],
      "int32",
    ),
  );
  const chosen = cast(equal(slice(all, 1, 0, N), reshape(places, [B, 1])), x.dtype); // (B, N)
  return sum(mul(x, reshape(chosen, [B, N, 1])), [1]);
}

/** The parameters with this encoder's initialiser for weights. */
export const initialised = (p: Params, config: TransformerConfig): Params =>
  p.withWeights(normal(config.initializerRange));

/** What tokens that are parameters start from: zeros, or a normal distribution. */
export const tokenInitializer = (range: number): Init => (range === 0 ? zeros : normal(range));
