/**
 * OpenAI's dVAE (openai/DALL-E): encoder and decoder, each a file with the same names, `w` and `b` for weight and bias. Hugging Face's
 * FlavaImageCodebook, whose names are ours, puts `group` and `path` in between.
 */
import type { Layout } from "../../layout.ts";
import type { FlavaConfigInput } from "../config.ts";
import { codebookPrefix } from "./huggingface.ts";

const ENDS: Readonly<Record<string, string>> = { w: "weight", b: "bias" };

/** OpenAI's name → ours, without the prefix. A name that is ours already stays. */
export const codebookName = (name: string): string =>
  name
    .replace(/^(blocks\.group_\d+)\.block_/, "$1.group.block_")
    .replace(/\.res_path\.conv_/, ".res_path.path.conv_")
    .replace(/\.([wb])$/, (_, end: string) => `.${ENDS[end]}`);

/** The way back. */
export const openaiName = (name: string): string =>
  name
    .replace(/^(blocks\.group_\d+)\.group\./, "$1.")
    .replace(".res_path.path.", ".res_path.")
    .replace(/\.(weight|bias)$/, (_, end: string) => (end === "weight" ? ".w" : ".b"));

const NAME = /^(?:image_codebook\.)?(encoder\.|decoder\.)?(blocks\..+\.[wb])$/;

export const openaiDvae: Layout<FlavaConfigInput> = {
  title: "OpenAI's dVAE",
  recognise(tensors) {
    if (![...tensors.keys()].some((name) => NAME.test(name))) return undefined;
    const alone = codebookPrefix(tensors, "blocks.input.w");
    return {
      what: alone === "image_decoder." ? "the decoder" : "the encoder",
      place(full) {
        const [, half, name] = NAME.exec(full) ?? [];
        if (name === undefined) return undefined;
        const prefix = half === "decoder." ? "image_decoder." : half === "encoder." ? "image_codebook." : alone;
        return { to: `${prefix}${codebookName(name)}` };
      },
    };
  },
  target(name) {
    const [, half, rest] = /^image_(codebook|decoder)\.(.+)$/.exec(name) ?? [];
    if (rest === undefined) return undefined;
    return { name: `${half === "decoder" ? "decoder." : "encoder."}${openaiName(rest)}` };
  },
};
