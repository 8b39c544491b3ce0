export * from "./coverage.ts";
export * from "./mask.ts";
export * from "./match.ts";
export * from "./pack.ts";
export * from "./reduce.ts";
export * from "./select.ts";
export * from "./tokenizer.ts";
export { TOKENIZER_FILES, type TokenizerFiles, tokenizerFiles, tokenizerFromFiles } from "./tokenizer-files.ts";
export * from "./tokenizer-hash.ts";
export {
  type BertNormalization,
  bertTokenizerJson,
  normalizationOf,
  parseTokenizerConfig,
  type TokenizerConfig,
  type TokenizerJson,
} from "./tokenizer-json.ts";
export { type Truncation, truncatePair } from "./truncation.ts";
export * from "./unknown-words.ts";
export * from "./vocabulary.ts";
