/** The multimodal encoder: a transformer on [CLS_M, image tokens, text tokens], without positions (arXiv:2112.04482 §3.1). */
import { broadcastTo, cast, concat, constant, type Value } from "../../graph/index.ts";
import {
  type Drop,
  type EncoderOutputs,
  encode,
  initialised,
  type Params,
  paddingMask,
  type Taps,
  tokenInitializer,
} from "../../nn/index.ts";
import { bimodalEncoder, bimodalLayers } from "./bimodal-layers.ts";
import type { MultimodalConfig } from "./config.ts";

/** Optional inputs of the multimodal encoder. */
export interface MultimodalEncoderOptions {
  /** (B, T) of the text tokens, 1 where one may be attended; without it all are. Image tokens always are. */
  attention_mask?: Value | undefined;
  out?: Taps | undefined;
  drop?: Drop | undefined;
}

/** Projected tokens of both modalities, (B, N, D) and (B, T, D) → states (B, 1 + N + T, D). `p` is `multimodal_model`. */
export function multimodalEncoder(
  p: Params,
  config: MultimodalConfig,
  image: Value,
  text: Value,
  { attention_mask, out, drop }: MultimodalEncoderOptions = {},
): EncoderOutputs {
  const scope = initialised(p, config);
  return scope.scope(() => {
    const { B, D } = image.dims("B N D");
    const parts = [image, text];
    const init = tokenInitializer(config.tokenInitializerRange);
    if (config.clsToken) parts.unshift(broadcastTo(scope.get("cls_token", [1, 1, D], init), [B, 1, D]));
    const kinds = bimodalLayers(config);
    if (kinds) {
      const vision = concat(parts.slice(0, -1), 1);
      const masks = attention_mask && { text: paddingMask(attention_mask, text) };
      return bimodalEncoder(scope, config, kinds, { text, vision }, { masks, out, drop });
    }
    const x = concat(parts, 1); // (B, M, D)
    const M = x.shape[1]!;
    const visible = broadcastTo(constant(1, x.dtype), [B, M - text.shape[1]!]);
    const mask = attention_mask ? paddingMask(concat([visible, cast(attention_mask, x.dtype)], 1), x) : undefined;
    return encode(scope, x, config, { mask, out, drop });
  });
}
