/** The row of the five BERTs in the table of families: the interface of `models/model.ts`, implemented. */
import { CheckpointError } from "../../errors.ts";
import { input } from "../../graph/index.ts";
import { type ParamSpec, Params } from "../../nn/index.ts";
import { huggingFaceJson } from "../config-json.ts";
import type { Model, PublishedFamily } from "../model.ts";
import { detectorLacks, type RegionBatchSizes, type RegionOutputs, regionBatch, regionGraphs } from "../regions.ts";
import { withTextVocabulary } from "../sizes.ts";
import { singleStream, type VoltaConfig, voltaConfigSchema } from "./config.ts";
import type { VoltaInputs } from "./embeddings.ts";
import { lxmertAnswers, lxmertRegions, voltaMatching, voltaPooled, voltaRegions, voltaWords } from "./heads.ts";
import { fromVoltaConfigJson, isVoltaConfig, voltaConfigJson } from "./hf-config.ts";
import { voltaLayouts } from "./layouts.ts";
import { volta } from "./model.ts";
import { voltaVariants } from "./variants.ts";

/** Any of the five, of any size. */
export const voltaFamily: PublishedFamily<VoltaConfig> = {
  schema: voltaConfigSchema,
  variants: voltaVariants,
  parts: { model: { needed: "bert.", also: ["cls."] } },
  layouts: voltaLayouts,
  hasWordRows: (name) => /^(bert\.embeddings\.word_embeddings\.weight|cls\.predictions\.bias)$/.test(name),
  mayLack: () => false,
  of: voltaModel,
  withVocabulary: withTextVocabulary,
  tiny: (config) => ({
    ...config,
    ...{ hiddenSize: 32, heads: 2, intermediateSize: 64, poolerSize: 32, control: singleStream(2) },
    text: { ...config.text, maxPositions: 64 },
  }),
  describe: ({ embeddings, hiddenSize, control, text, regions }, words) => [
    ["encoder", `${embeddings}: ${new Set(Object.values(control).flat()).size} sub-layers of ${hiddenSize}`],
    ["regions", `features of ${regions.features}, ${regions.classes} classes, of a detector outside`],
    ["texts", `up to ${text.maxPositions} tokens, words: ${words}`],
  ],
  isConfig: isVoltaConfig,
  fromConfig: fromVoltaConfigJson,
  infer(where) {
    throw new CheckpointError(
      `${where}: expected a config.json, got none: the shapes of the five BERTs do not say which sub-layers read what`,
      'put a config.json beside the weights: {"model_type": "volta", "volta": {"embeddings": "vilbert", "control": …}}',
    );
  },
  configFile: (config) => huggingFaceJson(voltaConfigJson(config)),
};

/** All parameters, in the order of a step. */
export function voltaParameters(config: VoltaConfig): ParamSpec[] {
  const p = new Params();
  const { states } = volta(p, config, voltaInputs(config, { batch: 1, textLength: 1, regions: 2 }));
  voltaMatching(p, config, states);
  voltaWords(p, config, input("states", [1, config.hiddenSize]));
  if (config.pretrainingHeads === "study") voltaRegions(p, config, states.vision);
  if (config.pretrainingHeads === "lxmert") {
    lxmertRegions(p, config, states.vision);
    lxmertAnswers(p, config, voltaPooled(p, config, states));
  }
  return p.specs();
}

/** Inputs with the names that batches have. */
export function voltaInputs(config: VoltaConfig, sizes: RegionBatchSizes): VoltaInputs {
  const { waves } = config.regions;
  const own = config.embeddings === "vl-bert";
  return {
    ...regionBatch(config.regions, sizes),
    region_waves: own ? input("region_waves", [sizes.batch, sizes.regions, 8 * waves]) : undefined,
  };
}

function voltaModel(config: VoltaConfig): Model {
  const { features, box, mean, waves } = config.regions;
  return {
    family: "volta",
    parameters: () => voltaParameters(config),
    texts: { vocabSize: config.text.vocabSize, maxPositions: config.text.maxPositions, padHidden: true },
    regions: { features, box, mean, tags: false, ...(config.embeddings === "vl-bert" && { waves }) },
    lacks: detectorLacks("the five BERTs read"),
    ...regionGraphs(
      "volta",
      (sizes) => voltaInputs(config, sizes),
      (p, inputs) => outputsOf(p, config, inputs),
    ),
  };
}

function outputsOf(p: Params, config: VoltaConfig, inputs: VoltaInputs): RegionOutputs {
  const { states } = volta(p, config, inputs);
  const pooled = voltaPooled(p, config, states);
  const isLxmert = config.pretrainingHeads === "lxmert";
  return {
    ...{ text: states.text, regions: states.vision, pooled },
    classes: voltaMatching(p, config, states),
    matched: isLxmert ? 1 : 0,
    words: (rows) => voltaWords(p, config, rows),
    ...(isLxmert && { more: { answer_logits: lxmertAnswers(p, config, pooled) } }),
  };
}
