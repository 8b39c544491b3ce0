/** The small files beside the graphs, as transformers and transformers.js read them: configuration, tokenizer, picture preparation. */
import { type FlavaImageOptions, imageOptionsToJson } from "../image/index.ts";
import type { Model } from "../models/index.ts";
import type { TextTokenizer } from "../text/index.ts";

type Json = Readonly<Record<string, unknown>>;

export interface SideFileParts {
  /** As it was read. */
  readonly config: Json;
  readonly model: Model;
  readonly tokenizer: TextTokenizer | undefined;
  /** How pictures are prepared. */
  readonly image: FlavaImageOptions | undefined;
  /** Files of graphs, without ending, whose weights lie in a file beside them. */
  readonly external: readonly string[];
}

/** File name → content. */
export function sideFiles({ config, model, tokenizer, image, external }: SideFileParts): Record<string, Json> {
  const useExternal = Object.fromEntries(external.map((file) => [`${file}.onnx`, true]));
  const forJs = external.length > 0 ? { "transformers.js_config": { use_external_data_format: useExternal } } : {};
  return {
    "config.json": { model_type: "flava", ...config, ...forJs },
    ...(tokenizer && {
      "tokenizer.json": tokenizer.json,
      "tokenizer_config.json": tokenizerConfig(tokenizer.json, model),
    }),
    ...(image &&
      model.pictures && {
        "preprocessor_config.json": JSON.parse(imageOptionsToJson(image, model.pictures.patchSize)) as Json,
      }),
  };
}

const BOUND = { cls_token: "[CLS]", mask_token: "[MASK]", pad_token: "[PAD]", sep_token: "[SEP]", unk_token: "[UNK]" };

function tokenizerConfig({ normalizer }: Json, { texts }: Model): Json {
  const { lowercase = true, strip_accents = null, handle_chinese_chars = true } = (normalizer ?? {}) as Json;
  return {
    tokenizer_class: "BertTokenizer",
    do_lower_case: lowercase,
    strip_accents,
    tokenize_chinese_chars: handle_chinese_chars,
    model_max_length: texts?.maxPositions,
    clean_up_tokenization_spaces: true,
    ...BOUND,
  };
}
