/**
 * DINO's vision transformer (facebookresearch/dino, vision_transformer.py; timm's names are the same) as FLAVA's image encoder
 * (arXiv:2112.04482 §3.3): query, key and value are fused there. It has no mask token and no pooler.
 */
import type { Layout, Place } from "../../layout.ts";
import { type Pairs, swapStart } from "../../rename.ts";
import type { FlavaConfigInput } from "../config.ts";

const ENCODER = "flava.image_model.";

const OUTSIDE: Pairs = [
  ["embeddings.cls_token", "cls_token"],
  ["embeddings.position_embeddings", "pos_embed"],
  ["embeddings.patch_embeddings.projection.", "patch_embed.proj."],
  ["layernorm.", "norm."],
];
const BLOCK: Pairs = [
  ["layernorm_before.", "norm1."],
  ["layernorm_after.", "norm2."],
  ["attention.output.dense.", "attn.proj."],
  ["intermediate.dense.", "mlp.fc1."],
  ["output.dense.", "mlp.fc2."],
];
const QKV = ["query", "key", "value"] as const;

/** A student and a teacher in one file: the teacher is the result (arXiv:2104.14294 §4.1). */
const NETWORK = /^(teacher|student)\./;
const BACKBONE = /^(module\.)?(backbone\.|encoder\.)?/;
const SIGN = /^(blocks\.\d+\.attn\.qkv|patch_embed\.proj)\./;

const stripped = (name: string): string => name.replace(NETWORK, "").replace(BACKBONE, "");

export const dino: Layout<FlavaConfigInput> = {
  title: "DINO's ViT",
  recognise(tensors) {
    const names = [...tensors.keys()];
    if (!names.some((name) => SIGN.test(stripped(name)))) return undefined;
    const both = names.some((name) => name.startsWith("teacher.")) && names.some((name) => name.startsWith("student."));
    return {
      what: both ? "the teacher's vision transformer" : "a vision transformer",
      place: (name) =>
        both && !name.startsWith("teacher.") ? { ignored: "tensors of the student" } : place(stripped(name)),
    };
  },
  target(full) {
    if (!full.startsWith(ENCODER)) return undefined;
    const name = full.slice(ENCODER.length);
    const [, layer, rest] = /^encoder\.layer\.(\d+)\.(.+)$/.exec(name) ?? [];
    if (layer === undefined) return named(swapStart(name, OUTSIDE, 0));
    const [, part, kind] = /^attention\.attention\.(query|key|value)\.(weight|bias)$/.exec(rest!) ?? [];
    if (part !== undefined)
      return {
        name: `blocks.${layer}.attn.qkv.${kind}`,
        part: [QKV.indexOf(part as (typeof QKV)[number]), QKV.length],
      };
    return named(swapStart(rest!, BLOCK, 0), `blocks.${layer}.`);
  },
};

const named = (name: string | undefined, prefix = ""): { readonly name: string } | undefined =>
  name === undefined ? undefined : { name: `${prefix}${name}` };

function place(name: string): Place | undefined {
  if (/^head\.(mlp|last_layer)\b/.test(name)) return { ignored: "tensors of DINO's projection head" };
  if (/^(head|fc|fc_norm|linear)\./.test(name)) return { ignored: "tensors of a classifier" };
  const [, layer, rest] = /^blocks\.(\d+)\.(.+)$/.exec(name) ?? [];
  if (layer === undefined) {
    const ours = swapStart(name, OUTSIDE, 1);
    return ours === undefined ? undefined : { to: `${ENCODER}${ours}` };
  }
  const path = `${ENCODER}encoder.layer.${layer}.`;
  const kind = /^attn\.qkv\.(weight|bias)$/.exec(rest!)?.[1];
  if (kind !== undefined) return { split: QKV.map((part) => `${path}attention.attention.${part}.${kind}`) };
  const ours = swapStart(rest!, BLOCK, 1);
  return ours === undefined ? undefined : { to: `${path}${ours}` };
}
