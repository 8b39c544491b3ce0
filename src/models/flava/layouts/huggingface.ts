/** Hugging Face's FLAVA (transformers' modeling_flava): the names of the published checkpoint, which are ours, whole or of one class. */
import type { Layout, Shapes } from "../../layout.ts";
import type { FlavaConfigInput } from "../config.ts";

interface Class {
  readonly what: string;
  /** A name that this class has and those above do not. */
  readonly sign: RegExp;
  /** Taken off, where the class has it in front. */
  readonly strip?: RegExp;
  /** What the whole model's names have in front; "blocks": by the shapes. */
  readonly prefix: string | "blocks";
}

const LAYER = "encoder\\.layer\\.\\d+\\.attention\\.attention\\.query\\.weight$";

/** From the whole to the parts: a part's names are ends of the whole's. */
const CLASSES: readonly Class[] = [
  {
    what: "FlavaForPreTraining",
    sign: /^(teacher\.)?(flava|(mim|mlm|mmm_image|mmm_text|itm)_head|image_codebook\.blocks|image_decoder\.blocks)\./,
    prefix: "",
  },
  { what: "FlavaModel", sign: new RegExp(`^(image|text|multimodal)_model\\.${LAYER}`), prefix: "flava." },
  { what: "FlavaImageModel", sign: /^embeddings\.patch_embeddings\.projection\./, prefix: "flava.image_model." },
  {
    what: "ViTModel",
    sign: /^vit\.embeddings\.patch_embeddings\.projection\./,
    strip: /^vit\./,
    prefix: "flava.image_model.",
  },
  { what: "FlavaTextModel", sign: /^embeddings\.word_embeddings\./, prefix: "flava.text_model." },
  { what: "FlavaMultimodalModel", sign: new RegExp(`^${LAYER}`), prefix: "flava.multimodal_model." },
  { what: "FlavaImageCodebook", sign: /^blocks\.group_\d+\.group\./, prefix: "blocks" },
];

/** ViltModel has such layers too, and ALBEF a head of this name. */
const OTHERS = /^(embeddings\.text_embeddings|visual_encoder)\./;

/** What other tasks put on these encoders. */
const HEADS = /^(classifier|lm_head|pooler_head)\./;

export const huggingface: Layout<FlavaConfigInput> = {
  title: "Hugging Face's FLAVA",
  recognise(tensors) {
    const names = [...tensors.keys()];
    if (names.some((name) => OTHERS.test(name))) return undefined;
    const found = CLASSES.find(({ sign }) => names.some((name) => sign.test(name)));
    if (!found || (found.what === "FlavaTextModel" && !names.some((name) => new RegExp(`^${LAYER}`).test(name))))
      return undefined;
    const prefix = found.prefix === "blocks" ? codebookPrefix(tensors) : found.prefix;
    return {
      what: prefix === "image_decoder." ? "the codebook's decoder" : found.what,
      place(full) {
        const name = found.strip ? full.replace(found.strip, "") : full;
        if (prefix !== "" && HEADS.test(name)) return { ignored: "tensors of a classifier" };
        return { to: `${prefix}${name}` };
      },
    };
  },
  target: (name) => ({ name }),
};

/** Encoder and decoder of the codebook have the same names; the encoder begins with a convolution of 7 × 7, the decoder with one of 1 × 1. */
export function codebookPrefix(tensors: Shapes, first = "blocks.input.weight"): "image_codebook." | "image_decoder." {
  const shape = tensors.get(first)?.shape;
  return shape && shape[2] === 1 ? "image_decoder." : "image_codebook.";
}
