/** The small files beside the graphs, as transformers and transformers.js read them: configuration, tokenizer, picture preparation. */
import { ConfigError } from "../errors.ts";
import { imageOptionsToJson } from "../image/index.ts";
import type { Model, PictureSizes } from "../models/index.ts";
import type { TextTokenizer } from "../text/index.ts";

type Json = Readonly<Record<string, unknown>>;

/** What a model was opened with. */
export interface GivenFiles {
  readonly config: unknown;
  readonly tokenizer: unknown;
  readonly tokenizerConfig: unknown;
  readonly preprocessor: unknown;
}

export interface SideFileOptions {
  readonly model: Model;
  readonly tokenizer: TextTokenizer | undefined;
  readonly imageSize?: number | undefined;
  /** Files of graphs, without ending, whose weights lie in a file beside them. */
  readonly external: readonly string[];
}

/** File name → content. What the model came with is kept; what was missing is made from its configuration. */
export function sideFiles(given: GivenFiles, options: SideFileOptions): Record<string, Json> {
  const { model, tokenizer, imageSize, external } = options;
  if (typeof given.config !== "object" || given.config === null)
    throw new ConfigError("config.json: expected an object");
  const useExternal = Object.fromEntries(external.map((file) => [`${file}.onnx`, true]));
  const forJs = external.length > 0 ? { "transformers.js_config": { use_external_data_format: useExternal } } : {};
  const files: Record<string, Json> = { "config.json": { ...(given.config as Json), ...forJs } };
  if (given.tokenizer !== undefined && tokenizer) {
    files["tokenizer.json"] = given.tokenizer as Json;
    files["tokenizer_config.json"] = {
      ...tokenizerConfig(given.tokenizer as Json, model),
      ...(given.tokenizerConfig as Json | undefined),
    };
  }
  if (model.pictures)
    files["preprocessor_config.json"] = {
      ...preprocessor(model.pictures, imageSize ?? model.pictures.size),
      ...(imageSize === undefined ? (given.preprocessor as Json | undefined) : {}),
    };
  return files;
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

/** What FlavaImageProcessor does at inference, at the sizes of this model. */
const preprocessor = ({ codebookSize, grid, size }: PictureSizes, side: number): Json =>
  JSON.parse(imageOptionsToJson({ size: side, codebookSize }, size / grid));
