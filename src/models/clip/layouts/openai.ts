/** OpenAI's CLIP (openai/CLIP, model.py) and open_clip, which has the same names: query, key and value are fused, projections lie (in, out). */

import type { Layout, Place, Target } from "../../layout.ts";
import { type Pairs, swapStart } from "../../rename.ts";
import type { ClipConfigInput } from "../config.ts";

const OUTSIDE: Pairs = [
  ["vision_model.embeddings.class_embedding", "visual.class_embedding"],
  ["vision_model.embeddings.patch_embedding.", "visual.conv1."],
  ["vision_model.embeddings.position_embedding.weight", "visual.positional_embedding"],
  ["vision_model.pre_layrnorm.", "visual.ln_pre."],
  ["vision_model.post_layernorm.", "visual.ln_post."],
  ["text_model.embeddings.token_embedding.", "token_embedding."],
  ["text_model.embeddings.position_embedding.weight", "positional_embedding"],
  ["text_model.final_layer_norm.", "ln_final."],
  ["logit_scale", "logit_scale"],
];
const LAYERS: Pairs = [
  ["vision_model.encoder.layers.", "visual.transformer.resblocks."],
  ["text_model.encoder.layers.", "transformer.resblocks."],
];
const LAYER: Pairs = [
  ["self_attn.out_proj.", "attn.out_proj."],
  ["layer_norm1.", "ln_1."],
  ["layer_norm2.", "ln_2."],
  ["mlp.fc1.", "mlp.c_fc."],
  ["mlp.fc2.", "mlp.c_proj."],
];
const PROJECTIONS: Pairs = [
  ["visual_projection.weight", "visual.proj"],
  ["text_projection.weight", "text_projection"],
];
const QKV = ["q_proj", "k_proj", "v_proj"] as const;

/** What a ResNet has under "visual.", the same with us under "vision_model.". */
const RESNET = /^(conv\d|bn\d|layer\d|attnpool)\./;
const SIGN = /^visual\.(transformer\.resblocks\.0\.|layer1\.0\.conv1\.|conv1\.|attnpool\.)/;
/** open_clip puts some text towers into a scope of their own. */
const TEXT_SCOPE = /^text\.(?=transformer\.|token_embedding\.|positional_embedding$|ln_final\.|text_projection$)/;

export const openai: Layout<ClipConfigInput> = {
  title: "OpenAI's CLIP",
  recognise(tensors) {
    const names = [...tensors.keys()];
    if (!names.some((name) => SIGN.test(name)) || names.some((name) => /^visual\.trunk\./.test(name))) return undefined;
    const resnet = names.some((name) => name.startsWith("visual.layer1."));
    return { what: "CLIP", place: (name) => place(name.replace(TEXT_SCOPE, ""), resnet) };
  },
  target(name): Target | undefined {
    for (const [ours, theirs] of PROJECTIONS) if (name === ours) return { name: theirs, transposed: true };
    const outside = swapStart(name, OUTSIDE, 0);
    if (outside !== undefined) return { name: outside };
    const inside = swapStart(name, LAYERS, 0);
    if (inside === undefined)
      return name.startsWith("vision_model.") ? { name: `visual.${name.slice("vision_model.".length)}` } : undefined;
    const [, start, rest] = /^(.*?resblocks\.\d+\.)(.+)$/.exec(inside) ?? [];
    const [, part, kind] = /^self_attn\.([qkv]_proj)\.(weight|bias)$/.exec(rest ?? "") ?? [];
    if (part !== undefined)
      return { name: `${start}attn.in_proj_${kind}`, part: [QKV.indexOf(part as (typeof QKV)[number]), QKV.length] };
    const theirs = rest && swapStart(rest, LAYER, 0);
    return theirs === undefined ? undefined : { name: `${start}${theirs}` };
  },
};

function place(name: string, resnet: boolean): Place | undefined {
  if (/^(input_resolution|context_length|vocab_size|attn_mask|logit_bias)$/.test(name))
    return { ignored: "numbers beside the weights" };
  if (resnet && name.startsWith("visual.")) {
    const rest = name.slice("visual.".length);
    return RESNET.test(rest) ? { to: `vision_model.${rest}` } : undefined;
  }
  for (const [ours, theirs] of PROJECTIONS) if (name === theirs) return { to: ours, transposed: true };
  const outside = swapStart(name, OUTSIDE, 1);
  if (outside !== undefined) return { to: outside };
  const inside = swapStart(name, LAYERS, 1);
  const [, start, rest] = /^(.*?layers\.\d+\.)(.+)$/.exec(inside ?? "") ?? [];
  if (rest === undefined) return undefined;
  const kind = /^attn\.in_proj_(weight|bias)$/.exec(rest)?.[1];
  if (kind !== undefined) return { split: QKV.map((part) => `${start}self_attn.${part}.${kind}`) };
  const ours = swapStart(rest, LAYER, 1);
  return ours === undefined ? undefined : { to: `${start}${ours}` };
}
