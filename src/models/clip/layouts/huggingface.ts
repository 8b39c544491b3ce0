/** Hugging Face's CLIP (transformers' modeling_clip): its names are ours, those of a ResNet tower included. */
import type { Layout } from "../../layout.ts";
import type { ClipConfigInput } from "../config.ts";

/** Signs of a tower; SigLIP's has other norms. */
const VISION = /^vision_model\.(pre_layrnorm|attnpool)\./;
const TEXT = /^text_model\.encoder\.layers\.\d+\.self_attn\.q_proj\./;

export const huggingface: Layout<ClipConfigInput> = {
  title: "Hugging Face's CLIP",
  recognise(tensors) {
    const names = [...tensors.keys()];
    const [vision, text] = [VISION, TEXT].map((sign) => names.some((name) => sign.test(name)));
    if (!vision && (!text || names.some((name) => name.startsWith("vision_model.")))) return undefined;
    return {
      what: vision && text ? "CLIPModel" : vision ? "CLIPVisionModel" : "CLIPTextModel",
      place: (name) => ({ to: name }),
    };
  },
  target: (name) => ({ name }),
};
