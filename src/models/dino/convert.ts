/** Published DINO (and timm) ViT weights as FLAVA's image encoder: names rewritten, the fused qkv split. */
import { CheckpointError } from "../../errors.ts";
import { formatShape, type Shape, type Tensor } from "../../tensor/index.ts";

const ENCODER = "flava.image_model";

const FIXED: Readonly<Record<string, string>> = {
  cls_token: "embeddings.cls_token",
  pos_embed: "embeddings.position_embeddings",
  "patch_embed.proj.weight": "embeddings.patch_embeddings.projection.weight",
  "patch_embed.proj.bias": "embeddings.patch_embeddings.projection.bias",
  "norm.weight": "layernorm.weight",
  "norm.bias": "layernorm.bias",
};
const IN_BLOCK: Readonly<Record<string, string>> = {
  norm1: "layernorm_before",
  norm2: "layernorm_after",
  "attn.proj": "attention.output.dense",
  "mlp.fc1": "intermediate.dense",
  "mlp.fc2": "output.dense",
};
const QKV = ["query", "key", "value"] as const;

/**
 * Tensors of a DINO ViT by FLAVA's names. Heads are dropped; the mask token and the pooler, which DINO does not have, are not
 * in the result and keep their first values. Nothing is copied: the parts of qkv are views. Throws CheckpointError for a
 * name that no such ViT has.
 */
export function fromDino(tensors: Readonly<Record<string, Tensor>>): Record<string, Tensor> {
  const result: Record<string, Tensor> = {};
  for (const [full, t] of Object.entries(tensors)) {
    const name = full.replace(/^(module\.)?(backbone\.)?/, "");
    if (/^(head|fc)\./.test(name)) continue;
    if (FIXED[name]) result[`${ENCODER}.${FIXED[name]}`] = t;
    else Object.assign(result, fromBlock(name, full, t));
  }
  return result;
}

function fromBlock(name: string, full: string, t: Tensor): Record<string, Tensor> {
  const [, layer, part, kind] = /^blocks\.(\d+)\.(.+)\.(weight|bias)$/.exec(name) ?? [];
  const path = `${ENCODER}.encoder.layer.${layer}`;
  if (part === "attn.qkv")
    return Object.fromEntries(
      splitRows(full, t, 3).map((third, i) => [`${path}.attention.attention.${QKV[i]}.${kind}`, third]),
    );
  if (part === undefined || !IN_BLOCK[part])
    throw new CheckpointError(`"${full}": expected a tensor of a DINO vision transformer`);
  return { [`${path}.${IN_BLOCK[part]}.${kind}`]: t };
}

/** Equal parts of a tensor along axis 0, without copies. */
function splitRows(name: string, t: Tensor, parts: number): Tensor[] {
  const rows = t.shape[0] ?? 0;
  if (rows % parts) throw new CheckpointError(`${name}: ${formatShape(t.shape)} does not divide into ${parts} parts`);
  const shape: Shape = [rows / parts, ...t.shape.slice(1)];
  const length = t.data.length / parts;
  return Array.from({ length: parts }, (_, i) => ({
    dtype: t.dtype,
    shape,
    data: t.data.subarray(i * length, (i + 1) * length),
  })) as Tensor[];
}
