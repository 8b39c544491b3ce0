/** The text encoder: BERT's embeddings before a pre-norm transformer (arXiv:2112.04482 §3.1). */
import { ShapeError } from "../../errors.ts";
import { add, gather, reshape, slice, type Value } from "../../graph/index.ts";
import {
  type Drop,
  type EncoderOutputs,
  embedding,
  encode,
  initialised,
  layerNorm,
  normal,
  type Params,
  paddingMask,
  type Taps,
} from "../../nn/index.ts";
import type { TextConfig } from "./config.ts";

/** Optional inputs of the text encoder. */
export interface TextEncoderOptions {
  /** (B, T), 1 where a token may be attended; without it all are. */
  attention_mask?: Value | undefined;
  /** (B, T) of 0..typeVocabSize − 1; all 0 without it. */
  token_type_ids?: Value | undefined;
  /** (B, T) of 0..maxPositions − 1; 0..T − 1 without it. */
  position_ids?: Value | undefined;
  out?: Taps | undefined;
  drop?: Drop | undefined;
}

/** LayerNorm(word + type + position): ids (B, T) → (B, T, D). The padding word never receives gradient. */
export function textEmbeddings(p: Params, config: TextConfig, ids: Value, options: TextEncoderOptions = {}): Value {
  return p.scope(() => {
    const { hiddenSize: D, vocabSize, maxPositions, typeVocabSize, padTokenId, layerNormEps } = config;
    const T = ids.shape[1]!;
    if (T > maxPositions) throw new ShapeError(`${p.path}: expected at most ${maxPositions} tokens, got ${T}`);
    const words = embedding(p.at("word_embeddings"), ids, vocabSize, D, { paddingId: padTokenId }); // (B, T, D)
    const positions = p.at("position_embeddings").get("weight", [maxPositions, D], p.weightInit);
    const types = p.at("token_type_embeddings").get("weight", [typeVocabSize, D], p.weightInit);
    const { token_type_ids, position_ids } = options;
    const position = position_ids ? gather(positions, position_ids) : slice(positions, 0, 0, T);
    const type = token_type_ids ? gather(types, token_type_ids) : reshape(slice(types, 0, 0, 1), [D]);
    return layerNorm(p.at("LayerNorm"), add(words, add(position, type)), layerNormEps);
  });
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
  const embeddings = textEmbeddings(embeddingScope(scope, config), config, ids, options);
  const { attention_mask, out, drop } = options;
  const mask = attention_mask && scope.scope(() => paddingMask(attention_mask, embeddings));
  return encode(scope, embeddings, config, { mask, out, drop });
}
