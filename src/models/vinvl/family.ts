/** VinVL's row in the table of families: the interface of `models/model.ts`, implemented. */
import { input, slice } from "../../graph/index.ts";
import { type ParamSpec, Params } from "../../nn/index.ts";
import { huggingFaceJson } from "../config-json.ts";
import type { Layout } from "../layout.ts";
import type { Model, PublishedFamily } from "../model.ts";
import { detectorLacks, type RegionBatchSizes, type RegionOutputs, regionBatch, regionGraphs } from "../regions.ts";
import { withTextVocabulary } from "../sizes.ts";
import { type VinvlConfig, vinvlConfigSchema } from "./config.ts";
import { fromVinvlConfigJson, inferVinvlConfig, isVinvlConfig, vinvlConfigJson } from "./hf-config.ts";
import { BOX_NUMBERS, type VinvlInputs, vinvl, vinvlClasses, vinvlWords } from "./model.ts";
import { vinvlVariants } from "./variants.ts";

/** The names of Oscar's checkpoints, which are ours. */
const oscar: Layout = {
  title: "Oscar",
  recognise: (tensors) =>
    tensors.has("bert.img_embedding.weight")
      ? {
          what: "Oscar",
          place: (name) =>
            /^cls\.predictions\.decoder\./.test(name) ? { ignored: "copies of the word embeddings" } : { to: name },
        }
      : undefined,
  target: (name) => ({ name }),
};

/** Oscar+ of any size. */
export const vinvlFamily: PublishedFamily<VinvlConfig> = {
  schema: vinvlConfigSchema,
  variants: vinvlVariants,
  parts: { model: { needed: "bert.", also: ["cls."] } },
  layouts: { oscar },
  hasWordRows: (name) => /^(bert\.embeddings\.word_embeddings\.weight|cls\.predictions\.bias)$/.test(name),
  mayLack: () => false,
  of: vinvlModel,
  withVocabulary: withTextVocabulary,
  tiny: (config) => ({
    ...config,
    ...{ hiddenSize: 32, layers: 2, heads: 2, intermediateSize: 64 },
    text: { ...config.text, maxPositions: 24 },
  }),
  describe: ({ layers, hiddenSize, text, regions }, words) => [
    ["encoder", `${layers} layers of ${hiddenSize} on words, object tags and regions together`],
    ["regions", `features of ${regions.features} and ${BOX_NUMBERS} numbers of their boxes, of a detector outside`],
    ["texts", `up to ${text.maxPositions} tokens, words: ${words}`],
  ],
  isConfig: isVinvlConfig,
  fromConfig: fromVinvlConfigJson,
  infer: inferVinvlConfig,
  configFile: (config) => huggingFaceJson(vinvlConfigJson(config)),
};

/** All parameters, in the order of a step. */
export function vinvlParameters(config: VinvlConfig): ParamSpec[] {
  const p = new Params();
  const { pooler_output } = vinvl(p, config, vinvlInputs(config, { batch: 1, textLength: 1, regions: 1 }));
  vinvlClasses(p, config, pooler_output);
  vinvlWords(p, config, input("states", [1, config.hiddenSize]));
  return p.specs();
}

/** Inputs with the names that batches have. */
export const vinvlInputs = (config: VinvlConfig, sizes: RegionBatchSizes): VinvlInputs => ({
  ...regionBatch({ features: config.regions.features, box: BOX_NUMBERS }, sizes),
  token_type_ids: input("token_type_ids", [sizes.batch, sizes.textLength], "int32"),
});

function vinvlModel(config: VinvlConfig): Model {
  return {
    family: "vinvl",
    parameters: () => vinvlParameters(config),
    texts: { vocabSize: config.text.vocabSize, maxPositions: config.text.maxPositions, padHidden: true },
    regions: { features: config.regions.features, box: BOX_NUMBERS, mean: false, tags: true },
    lacks: detectorLacks("VinVL reads"),
    ...regionGraphs(
      "vinvl",
      (sizes) => vinvlInputs(config, sizes),
      (p, inputs) => outputsOf(p, config, inputs),
    ),
  };
}

function outputsOf(p: Params, config: VinvlConfig, inputs: VinvlInputs): RegionOutputs {
  const { hidden_states, pooler_output } = vinvl(p, config, inputs);
  const [states, T] = [hidden_states.at(-1)!, inputs.input_ids.shape[1]!];
  return {
    text: slice(states, 1, 0, T),
    regions: slice(states, 1, T),
    pooled: pooler_output,
    classes: vinvlClasses(p, config, pooler_output),
    words: (rows) => vinvlWords(p, config, rows),
  };
}
