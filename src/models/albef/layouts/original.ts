/** The authors' ALBEF (salesforce/ALBEF, models/model_pretrain.py), whose names are ours, and the two models that it starts from. */
import type { Layout, Place } from "../../layout.ts";
import type { AlbefConfigInput } from "../config.ts";

/** What else their files hold. */
const LEFT: readonly (readonly [RegExp, string])[] = [
  [/^(visual_encoder|vision_proj|text_encoder|text_proj|text_decoder)_m\./, "averages of its momentum"],
  [/^(image_queue|text_queue|idx_queue|queue_ptr|ptr_queue)$/, "queues"],
  [/^(text_decoder|cls_head|fc|share_cross_attention)\./, "heads of tasks"],
];

/** Fine-tuned models have a BERT without its head, and so without the scope that the head stands beside. */
const HEADLESS = /^text_encoder\.(?=embeddings\.|encoder\.)/;

const place = (name: string): Place => {
  for (const [sign, ignored] of LEFT) if (sign.test(name)) return { ignored };
  // The matrix and the bias of words are stored under a second name.
  if (/^text_encoder\.cls\.predictions\.decoder\.(weight|bias)$/.test(name)) return { ignored: "tied tensors" };
  return { to: name.replace(HEADLESS, "text_encoder.bert.") };
};

export const original: Layout<AlbefConfigInput> = {
  title: "salesforce's ALBEF",
  recognise(tensors) {
    const names = [...tensors.keys()];
    const sign = (pattern: RegExp): boolean => names.some((name) => pattern.test(name));
    if (!sign(/^visual_encoder\.blocks\.0\.attn\.qkv\./) || !sign(/^text_encoder\.(bert\.)?encoder\.layer\.0\./))
      return undefined;
    return { what: "ALBEF", place };
  },
  target: (name) => ({ name }),
};

/** A ViT of timm: DeiT, from which the image encoder starts. */
export const deit: Layout<AlbefConfigInput> = {
  title: "a ViT of timm",
  forStarting: true,
  recognise(tensors) {
    if (!tensors.has("blocks.0.attn.qkv.weight") || !tensors.has("patch_embed.proj.weight")) return undefined;
    return {
      what: "a ViT",
      place: (name) =>
        /^(head|head_dist|pre_logits|fc_norm)\./.test(name)
          ? { ignored: "heads of tasks" }
          : { to: `visual_encoder.${name}` },
    };
  },
  target: () => undefined,
};

/** BERT, from which the text encoder starts. */
export const bert: Layout<AlbefConfigInput> = {
  title: "BERT",
  forStarting: true,
  recognise(tensors) {
    if (!tensors.has("bert.embeddings.word_embeddings.weight")) return undefined;
    return {
      what: "BERT",
      place(name) {
        if (/^(cls\.seq_relationship|bert\.pooler)\./.test(name)) return { ignored: "heads of tasks" };
        if (/^cls\.predictions\.decoder\./.test(name)) return { ignored: "tied tensors" };
        return { to: `text_encoder.${name.replace(/\.gamma$/, ".weight").replace(/\.beta$/, ".bias")}` };
      },
    };
  },
  target: () => undefined,
};
