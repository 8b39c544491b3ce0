/** The text encoder: BERT's embeddings before a pre-norm transformer (arXiv:2112.04482 §3.1). */
import type { Value } from "../../graph/index.ts";
import {
  type BertEmbeddingsOptions,
  bertEmbeddings,
  type Drop,
  type EncoderOutputs,
  encode,
  initialised,
  normal,
  type Params,
  paddingMask,
  type Taps,
} from "../../nn/index.ts";
import type { TextConfig } from "./config.ts";

/** Optional inputs of the text encoder. */
export interface TextEncoderOptions extends BertEmbeddingsOptions {
  /** (B, T), 1 where a token may be attended; without it all are. */
  attention_mask?: Value | undefined;
  out?: Taps | undefined;
  drop?: Drop | undefined;
}

const embeddingScope = (p: Params, { embeddingInitializerRange: range }: TextConfig): Params =>
  (range === null ? p : p.withWeights(normal(range))).at("embeddings");

/** Ids (B, T) → states (B, T, D). `p` is the scope `text_model`. */
export function textEncoder(
  p: Params,
  config: TextConfig,
  ids: Value,
  options: TextEncoderOptions = {},
): EncoderOutputs {
  const scope = initialised(p, config);
  const embeddings = bertEmbeddings(embeddingScope(scope, config), config, ids, options);
  const { attention_mask, out, drop } = options;
  const mask = attention_mask && scope.scope(() => paddingMask(attention_mask, embeddings));
  return encode(scope, embeddings, config, { mask, out, drop });
}
