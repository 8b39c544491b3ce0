/** The small files beside the graphs, as transformers and transformers.js read them: configuration, tokenizer, picture preparation. */
import { type FlavaImageOptions, imageOptionsToJson } from "../image/index.ts";
import type { ConfigJson, Model } from "../models/index.ts";
import { huggingFaceJson } from "../models/index.ts";
import { type TextTokenizer, tokenizerFiles } from "../text/index.ts";

/** What the files are made of. */
export interface SideFileParts {
  /** As it was read. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly model: Model;
  readonly tokenizer: TextTokenizer | undefined;
  /** How pictures are prepared. */
  readonly image: FlavaImageOptions | undefined;
  /** Files of graphs, without ending, whose weights lie in a file beside them. */
  readonly external: readonly string[];
}

/** File name → text. */
export function sideFiles({ config, model, tokenizer, image, external }: SideFileParts): Record<string, string> {
  const { pictures, texts } = model;
  const useExternal = Object.fromEntries(external.map((file) => [`${file}.onnx`, true]));
  const forJs = external.length > 0 ? { "transformers.js_config": { use_external_data_format: useExternal } } : {};
  const whole: ConfigJson = { model_type: "flava", ...config, ...forJs };
  return {
    "config.json": huggingFaceJson(whole),
    ...(tokenizer && texts && tokenizerFiles(tokenizer, texts.maxPositions)),
    ...(image && pictures && { "preprocessor_config.json": imageOptionsToJson(image, pictures.patchSize) }),
  };
}
