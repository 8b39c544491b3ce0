/**
 * The authors' ViLT (dandelin/ViLT, vilt_module.py): timm's names for the layers, with query, key and value fused. The ViT from which they
 * start has the same names without "transformer.".
 */
import type { Layout, Place, Target } from "../../layout.ts";
import { type Pairs, swapStart } from "../../rename.ts";
import type { ViltConfigInput } from "../config.ts";

const OUTSIDE: Pairs = [
  ["vilt.embeddings.cls_token", "transformer.cls_token"],
  ["vilt.embeddings.position_embeddings", "transformer.pos_embed"],
  ["vilt.embeddings.patch_embeddings.projection.", "transformer.patch_embed.proj."],
  ["vilt.layernorm.", "transformer.norm."],
  ["vilt.embeddings.text_embeddings.", "text_embeddings."],
  ["vilt.embeddings.token_type_embeddings.", "token_type_embeddings."],
  ["vilt.pooler.", "pooler."],
  ["itm_score.", "itm_score."],
  ["mlm_score.", "mlm_score."],
  ["rank_output.", "rank_output."],
];
const LAYERS: Pairs = [["vilt.encoder.layer.", "transformer.blocks."]];
const LAYER: Pairs = [
  ["attention.output.dense.", "attn.proj."],
  ["layernorm_before.", "norm1."],
  ["layernorm_after.", "norm2."],
  ["intermediate.dense.", "mlp.fc1."],
  ["output.dense.", "mlp.fc2."],
];
const QKV = ["query", "key", "value"] as const;

export const original: Layout<ViltConfigInput> = {
  title: "dandelin's ViLT",
  switches: { layerNormEps: 1e-6 },
  recognise(tensors) {
    const has = (name: string): boolean => tensors.has(name);
    if (has("transformer.blocks.0.attn.qkv.weight") && has("token_type_embeddings.weight"))
      return { what: "ViLTransformerSS", place };
    return undefined;
  },
  target(name): Target | undefined {
    const outside = swapStart(name, OUTSIDE, 0);
    if (outside !== undefined) return { name: outside };
    const [, start, rest] = /^(.*?blocks\.\d+\.)(.+)$/.exec(swapStart(name, LAYERS, 0) ?? "") ?? [];
    const [, part, kind] = /^attention\.attention\.(query|key|value)\.(weight|bias)$/.exec(rest ?? "") ?? [];
    if (part !== undefined)
      return { name: `${start}attn.qkv.${kind}`, part: [QKV.indexOf(part as (typeof QKV)[number]), QKV.length] };
    const theirs = rest && swapStart(rest, LAYER, 0);
    return theirs === undefined ? undefined : { name: `${start}${theirs}` };
  },
};

/** A ViT of timm, from which a run may start. */
export const vit: Layout<ViltConfigInput> = {
  title: "a ViT of timm",
  forStarting: true,
  recognise: (tensors) =>
    tensors.has("blocks.0.attn.qkv.weight") && tensors.has("patch_embed.proj.weight")
      ? { what: "a ViT", place: (name) => place(`transformer.${name}`) }
      : undefined,
  target: () => undefined,
};

/** What else their files hold. */
const LEFT: readonly (readonly [RegExp, string])[] = [
  [/^(vqa|nlvr2)_classifier\./, "heads of tasks"],
  [/^transformer\.(head|pre_logits|fc_norm)\./, "heads of tasks"],
  [/^mpp_score\./, "heads of masked patches"],
];

function place(name: string): Place | undefined {
  for (const [sign, ignored] of LEFT) if (sign.test(name)) return { ignored };
  const outside = swapStart(name, OUTSIDE, 1);
  if (outside !== undefined) return { to: outside };
  const [, start, rest] = /^(.*?layer\.\d+\.)(.+)$/.exec(swapStart(name, LAYERS, 1) ?? "") ?? [];
  if (rest === undefined) return undefined;
  const kind = /^attn\.qkv\.(weight|bias)$/.exec(rest)?.[1];
  if (kind !== undefined) return { split: QKV.map((part) => `${start}attention.attention.${part}.${kind}`) };
  const ours = swapStart(rest, LAYER, 1);
  return ours === undefined ? undefined : { to: `${start}${ours}` };
}
