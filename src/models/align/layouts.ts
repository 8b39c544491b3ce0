/** The code base whose files are read: Hugging Face's ALIGN (transformers' modeling_align). Its names are ours. */
import type { Layout, Place } from "../layout.ts";
import type { AlignConfigInput } from "./config.ts";

/** How a file names the tensors of an ALIGN. */
export type AlignLayout = "huggingface-align";

const VISION = "vision_model.";
const SIGN = /^(vision_model\.)?encoder\.blocks\.0\.squeeze_excite\./;

const huggingface: Layout<AlignConfigInput> = {
  title: "Hugging Face's ALIGN",
  recognise(tensors) {
    const sign = [...tensors.keys()].find((name) => SIGN.test(name));
    if (sign === undefined) return undefined;
    // Their class for the image tower alone saves it without its scope.
    const whole = sign.startsWith(VISION);
    return {
      what: whole ? "AlignModel" : "AlignVisionModel",
      place: (name): Place =>
        name.endsWith("embeddings.token_type_ids")
          ? { ignored: "token type ids" }
          : { to: whole ? name : `${VISION}${name}` },
    };
  },
  target: (name) => ({ name }),
};

export const alignLayouts: { readonly [L in AlignLayout]: Layout<AlignConfigInput> } = {
  "huggingface-align": huggingface,
};
