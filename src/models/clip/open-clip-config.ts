/** open_clip_config.json, in (open_clip, model.py: CLIPVisionCfg and CLIPTextCfg). */
import { z } from "zod";
import { ConfigError } from "../../errors.ts";
import type { ConfigJson } from "../model.ts";
import { type ClipConfig, type ClipConfigInput, clipConfig } from "./config.ts";

const number = z.number().optional();
const norm = z.looseObject({ eps: number }).nullish();

const vision = z.looseObject({
  layers: z.union([z.number(), z.array(z.number())]).default(12),
  width: z.number().default(768),
  head_width: z.number().default(64),
  mlp_ratio: z.number().default(4),
  patch_size: z.number().nullish(),
  image_size: z.union([z.number(), z.array(z.number())]).default(224),
  norm_kwargs: norm,
});
const text = z.looseObject({
  context_length: number,
  vocab_size: number,
  width: z.number().default(512),
  heads: number,
  layers: number,
  mlp_ratio: z.number().default(4),
  pad_id: number,
  norm_kwargs: norm,
});
const file = z.looseObject({
  model_cfg: z.looseObject({
    embed_dim: z.number(),
    quick_gelu: z.boolean().default(false),
    init_logit_scale: number,
    vision_cfg: vision,
    text_cfg: text,
  }),
});

/** Switches of theirs that change what is computed, and the only value that is computed here. */
const ONLY: Readonly<Record<"model_cfg" | "vision_cfg" | "text_cfg", Readonly<Record<string, unknown>>>> = {
  model_cfg: { custom_text: false, multimodal_cfg: undefined, init_logit_bias: undefined },
  vision_cfg: {
    ...{ ls_init_value: undefined, attentional_pool: false, no_ln_pre: false, pos_embed_type: "learnable" },
    ...{ final_ln_after_pool: false, pool_type: "tok", timm_model_name: undefined, act_kwargs: undefined },
  },
  text_cfg: {
    ...{ ls_init_value: undefined, embed_cls: false, no_causal_mask: false, final_ln_after_pool: false },
    ...{ pool_type: "argmax", proj_type: "linear", proj_bias: false, hf_model_name: undefined, act_kwargs: undefined },
  },
};

/** Whether a file is open_clip's. */
export const isOpenClipConfig = ({ model_cfg: model }: ConfigJson): boolean =>
  typeof model === "object" && model !== null && "vision_cfg" in model;

/** Reads one. Throws ConfigError for towers of timm or Hugging Face, and for other switches that are not computed here. */
export function fromOpenClipConfig(json: ConfigJson): ClipConfig {
  const parsed = file.safeParse(json);
  if (!parsed.success) throw new ConfigError(`open_clip_config.json: ${z.prettifyError(parsed.error)}`);
  const model = parsed.data.model_cfg;
  const { vision_cfg: v, text_cfg: t } = model;
  for (const [part, given] of Object.entries({ model_cfg: model, vision_cfg: v, text_cfg: t }))
    for (const [key, only] of Object.entries(ONLY[part as keyof typeof ONLY])) {
      const got = (given as ConfigJson)[key] ?? only;
      if (got === only || (typeof got === "object" && Object.keys(got as object).length === 0)) continue;
      throw new ConfigError(
        `open_clip_config.json: ${part}: ${key}: expected ${only ?? "none"}, got ${JSON.stringify(got)}`,
      );
    }
  return clipConfig({
    image: imageOf(v),
    text: {
      hiddenSize: t.width,
      layers: t.layers,
      heads: t.heads,
      intermediateSize: Math.floor(t.width * t.mlp_ratio),
      layerNormEps: t.norm_kwargs?.eps,
      vocabSize: t.vocab_size,
      maxPositions: t.context_length,
      padTokenId: t.pad_id,
    },
    projectionDim: model.embed_dim,
    logitScaleInit: model.init_logit_scale,
    activation: model.quick_gelu ? "quickGelu" : "gelu",
  });
}

function imageOf(v: z.infer<typeof vision>): ClipConfigInput["image"] {
  const [imageSize, other = imageSize] = [v.image_size].flat();
  if (imageSize !== other)
    throw new ConfigError(`open_clip_config.json: vision_cfg: image_size: expected a square, got ${v.image_size}`);
  const { layers, width } = v;
  if (typeof layers !== "number")
    return {
      ...{ tower: "resnet", imageSize, width, heads: Math.floor((32 * width) / v.head_width) },
      blocks: layers as [number, number, number, number],
    };
  return {
    ...{ imageSize, layers, hiddenSize: width, heads: Math.floor(width / v.head_width) },
    patchSize: v.patch_size ?? 16,
    intermediateSize: Math.floor(width * v.mlp_ratio),
    layerNormEps: v.norm_kwargs?.eps,
  };
}
