/**
 * torchmultimodal's FLAVA (facebookresearch/multimodal, models/flava and modules/losses/flava.py): FLAVAForPreTraining, FLAVAModel, an
 * encoder alone. Encoders are under `model.`, heads and the temperature under `loss.`; later versions moved the contrastive projections
 * from the loss to the model.
 */
import type { Layout, Place } from "../../layout.ts";
import { type Pairs, swapStart } from "../../rename.ts";
import type { FlavaConfigInput } from "../config.ts";
import { codebookName, openaiName } from "./openai-dvae.ts";

/** Roots. The first that fits is taken, so the longer ones are first. */
const ROOTS: Pairs = [
  ["flava.image_model.", "model.image_encoder."],
  ["flava.text_model.", "model.text_encoder."],
  ["flava.multimodal_model.", "model.mm_encoder."],
  ["flava.image_to_mm_projection.", "model.image_to_mm_projection."],
  ["flava.text_to_mm_projection.", "model.text_to_mm_projection."],
  ["flava.image_projection.", "model.image_projection."],
  ["flava.text_projection.", "model.text_projection."],
  ["flava.logit_scale", "loss.contrastive_loss.logit_scale"],
  ["mmm_image_head.", "loss.mmm_loss.mim.cls."],
  ["mmm_text_head.", "loss.mmm_loss.mlm.cls."],
  ["mim_head.", "loss.mim_loss.cls."],
  ["mlm_head.", "loss.mlm_loss.cls."],
  ["itm_head.pooler.", "loss.itm_loss.pooler."],
  ["itm_head.", "loss.itm_loss.cls."],
];

/** Where files of other versions have the same: read, not written. */
const OLDER: Pairs = [
  ["flava.image_projection.", "loss.contrastive_loss.image_projection."],
  ["flava.text_projection.", "loss.contrastive_loss.text_projection."],
];

/** In a layer of an encoder. */
const LAYER: Pairs = [
  ["attention.attention.query.", "attention.query."],
  ["attention.attention.key.", "attention.key."],
  ["attention.attention.value.", "attention.value."],
  ["attention.output.dense.", "attention.output."],
  ["intermediate.dense.", "feedforward.model.0."],
  ["output.dense.", "feedforward.model.2."],
  ["layernorm_before.", "attention_layernorm."],
  ["layernorm_after.", "feedforward_layernorm."],
];

/** Other versions of the layer: projections named by letters, dropout between the two linear layers. */
const OLDER_LAYER: Pairs = [
  ["attention.attention.query.", "attention.q_proj."],
  ["attention.attention.key.", "attention.k_proj."],
  ["attention.attention.value.", "attention.v_proj."],
  ["attention.output.dense.", "attention.output_proj."],
  ["output.dense.", "feedforward.model.3."],
];

const HEAD: Pairs = [
  ["transform.dense.", "dense."],
  ["transform.LayerNorm.", "layer_norm."],
];

const LAYER_NAME = /^(flava\.\w+_model\.encoder\.layer\.\d+\.)(.+)$/;
const HEAD_NAME = /^((?:mim|mlm|mmm_image|mmm_text)_head\.)(.+)$/;
const TEXT_NORM: Pairs = [["flava.text_model.embeddings.LayerNorm.", "flava.text_model.embeddings.layer_norm."]];

interface Class {
  readonly what: string;
  readonly sign: RegExp;
  readonly prefix: string;
}

const CLASSES: readonly Class[] = [
  { what: "FLAVAForPreTraining", sign: /^model\.(image|text|mm)_encoder\./, prefix: "" },
  { what: "FLAVAModel", sign: /^(image|text|mm)_encoder\./, prefix: "model." },
  { what: "an image encoder", sign: /^embeddings\.patch_embeddings\./, prefix: "model.image_encoder." },
  { what: "a text encoder", sign: /^embeddings\.word_embeddings\./, prefix: "model.text_encoder." },
  { what: "a multimodal encoder", sign: /^cls_token$/, prefix: "model.mm_encoder." },
];

/** What tells it from Hugging Face's names: the feed-forward layers of an encoder. */
const SIGN = /(^|\.)encoder\.layer\.\d+\.feedforward\.model\.0\.weight$/;

export const torchmultimodal: Layout<FlavaConfigInput> = {
  title: "torchmultimodal's FLAVA",
  recognise(tensors) {
    const names = [...tensors.keys()];
    if (!names.some((name) => SIGN.test(name))) return undefined;
    const nested = names.some((name) => name.startsWith("model.model.")); // the attribute of a Lightning module
    const short = (name: string): string => (nested ? name.replace(/^model\./, "") : name);
    const found = CLASSES.find(({ sign }) => names.some((name) => sign.test(short(name))));
    if (!found) return undefined;
    return { what: found.what, place: (name) => place(`${found.prefix}${short(name)}`) };
  },
  target(name) {
    const codebook = /^image_codebook\.(.+)$/.exec(name)?.[1];
    if (codebook !== undefined) return { name: `image_codebook.encoder.${openaiName(codebook)}` };
    const theirs = swapStart(inside(name, 0), ROOTS, 0);
    return theirs === undefined ? undefined : { name: theirs };
  },
  switches: { headLayerNormEps: 1e-5, textPadMask: "ids", multimodalPadMask: false },
};

/** The names below a root, on the way from (0) or to (1) ours. */
function inside(name: string, from: 0 | 1): string {
  const layer = LAYER_NAME.exec(name);
  if (layer) {
    const swapped = swapStart(layer[2]!, from === 1 ? [...LAYER, ...OLDER_LAYER] : LAYER, from);
    return `${layer[1]}${swapped ?? layer[2]}`;
  }
  const head = HEAD_NAME.exec(name);
  if (head) return `${head[1]}${swapStart(head[2]!, HEAD, from) ?? head[2]}`;
  return swapStart(name, TEXT_NORM, from) ?? name;
}

function place(name: string): Place | undefined {
  const codebook = /^image_codebook\.(?:encoder\.)?(blocks\..+)$/.exec(name)?.[1];
  if (codebook !== undefined) return { to: `image_codebook.${codebookName(codebook)}` };
  if (/^(model\.)?classifier\./.test(name)) return { ignored: "tensors of a classifier" };
  const ours = swapStart(name, ROOTS, 1) ?? swapStart(name, OLDER, 1);
  if (ours === undefined) return undefined;
  const fused =
    /^(flava\.\w+_model\.encoder\.layer\.\d+\.attention\.)(?:input_proj|qkv|in_proj)[._](weight|bias)$/.exec(ours);
  if (fused) return { split: ["query", "key", "value"].map((part) => `${fused[1]}attention.${part}.${fused[2]}`) };
  return { to: inside(ours, 1) };
}
