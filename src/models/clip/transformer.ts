/** CLIP's pre-norm layers, with Hugging Face's names and OpenAI's first weights (arXiv:2103.00020; openai/CLIP, model.py). */
import { add, type Value } from "../../graph/index.ts";
import { activations, attention, layerNorm, linear, normal, type Params, type Taps } from "../../nn/index.ts";

interface LayersConfig {
  readonly hiddenSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly intermediateSize: number;
  readonly layerNormEps: number;
}

interface LayersOptions {
  readonly activation: "quickGelu" | "gelu";
  /** Additive, broadcast to (B, H, N, N). */
  readonly mask?: Value | undefined;
  readonly out?: Taps | undefined;
}

/** What the three layers of attention are called. */
export const PROJECTIONS = ["q_proj", "k_proj", "v_proj"] as const;

/** All layers: states (B, N, D) before the first and after each. `p` is the tower's scope. */
export function clipLayers(p: Params, x: Value, config: LayersConfig, options: LayersOptions): Value[] {
  const states = [x];
  for (let i = 0; i < config.layers; i++)
    states.push(clipLayer(p.at(`encoder.layers.${i}`), states.at(-1)!, config, options));
  return states;
}

/** y = x + Wo·Attention(LN(x)); z = y + W2·act(W1·LN(y)): (B, N, D) → (B, N, D). */
function clipLayer(p: Params, x: Value, config: LayersConfig, { activation, mask, out }: LayersOptions): Value {
  return p.scope(() => {
    const { hiddenSize: D, layers, heads, intermediateSize, layerNormEps: eps } = config;
    const weights = (variance: number): Params => p.withWeights(normal(Math.sqrt(variance)));
    const [inner, outer, widening] = [weights(1 / D), weights(1 / (2 * D * layers)), weights(1 / (2 * D))];

    const normed = layerNorm(p.at("layer_norm1"), x, eps);
    const context = attention(inner.at("self_attn"), normed, { heads, mask, names: PROJECTIONS, out });
    const y = add(x, linear(outer.at("self_attn.out_proj"), context, D));

    const h = linear(widening.at("mlp.fc1"), layerNorm(p.at("layer_norm2"), y, eps), intermediateSize);
    return add(y, linear(outer.at("mlp.fc2"), activations[activation](h), D));
  });
}
