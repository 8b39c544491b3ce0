/** The config.json of the five BERTs: this package's own, and Hugging Face's of LXMERT and VisualBERT. */
import { z } from "zod";
import { ConfigError } from "../../errors.ts";
import type { ConfigJson } from "../model.ts";
import { defined } from "../sizes.ts";
import { lxmertStream, singleStream, type VoltaConfig, type VoltaConfigInput, voltaConfig } from "./config.ts";

const number = z.number().optional();
const bert = {
  vocab_size: number,
  max_position_embeddings: number,
  hidden_size: number,
  num_attention_heads: number,
  intermediate_size: number,
  hidden_act: z.string().default("gelu"),
  layer_norm_eps: number,
  initializer_range: number,
  pad_token_id: z.number().nullish(),
};

const lxmert = z.looseObject({
  ...bert,
  l_layers: z.number().default(9),
  r_layers: z.number().default(5),
  x_layers: z.number().default(5),
  visual_feat_dim: number,
  visual_pos_dim: z.number().default(4),
  num_object_labels: z.number().default(1600),
  num_attr_labels: number,
  num_qa_labels: number,
});
const visualBert = z.looseObject({
  ...bert,
  num_hidden_layers: z.number().default(12),
  visual_embedding_dim: z.number().default(512),
  bypass_transformer: z.boolean().default(false),
});
const own = z.looseObject({ volta: z.looseObject({}) });

const READ: Readonly<Record<string, (json: ConfigJson) => VoltaConfig>> = {
  volta: (json) => voltaConfig(read(own, json).volta as VoltaConfigInput),
  lxmert(json) {
    const t = read(lxmert, json);
    return voltaConfig({
      ...sizes(t),
      ...{
        embeddings: "lxmert",
        pretrainingHeads: "lxmert",
        control: lxmertStream(t.l_layers, t.r_layers, t.x_layers),
      },
      ...defined({ answers: t.num_qa_labels }),
      regions: {
        ...defined({ features: t.visual_feat_dim, attributes: t.num_attr_labels }),
        ...{ classes: t.num_object_labels, box: t.visual_pos_dim as 4, mean: false },
      },
    });
  },
  visual_bert(json) {
    const t = read(visualBert, json);
    if (t.bypass_transformer) throw new ConfigError("config.json: bypass_transformer: expected false, got true");
    return voltaConfig({
      ...sizes(t),
      ...{ embeddings: "visualbert", pretrainingHeads: "visualbert", control: singleStream(t.num_hidden_layers) },
      regions: { features: t.visual_embedding_dim, mean: false },
    });
  },
};

export const isVoltaConfig = ({ model_type: type }: ConfigJson): boolean =>
  typeof type === "string" && Object.hasOwn(READ, type);

/** Throws ConfigError for what is not computed here. Dropout, which is none when a model is used, is passed over. */
export const fromVoltaConfigJson = (json: ConfigJson): VoltaConfig => READ[json.model_type as string]!(json);

/** The config.json under which this package loads the model. */
export const voltaConfigJson = (config: VoltaConfig): ConfigJson => ({ model_type: "volta", volta: config });

function read<T>(schema: z.ZodType<T>, json: ConfigJson): T {
  const parsed = schema.safeParse(json);
  if (!parsed.success) throw new ConfigError(`config.json: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

function sizes(t: z.infer<typeof lxmert> | z.infer<typeof visualBert>): VoltaConfigInput {
  if (t.hidden_act !== "gelu") throw new ConfigError(`config.json: hidden_act: expected gelu, got ${t.hidden_act}`);
  return {
    hiddenSize: t.hidden_size,
    heads: t.num_attention_heads,
    intermediateSize: t.intermediate_size,
    layerNormEps: t.layer_norm_eps,
    initializerRange: t.initializer_range,
    // VisualBERT's class says 1 where the file says nothing, as no tokenizer of it does.
    text: defined({
      vocabSize: t.vocab_size,
      maxPositions: t.max_position_embeddings,
      padTokenId: t.pad_token_id ?? 0,
    }),
  };
}
