/** UniT's row in the table of families: the interface of `models/model.ts`, implemented. */
import { input } from "../../graph/index.ts";
import { type ParamSpec, Params } from "../../nn/index.ts";
import { huggingFaceJson } from "../config-json.ts";
import type { Model, PublishedFamily } from "../model.ts";
import { withTextVocabulary } from "../sizes.ts";
import { tokenSide, type UnitConfig, unitConfigSchema } from "./config.ts";
import {
  MATCHING,
  taskThatReads,
  unitFeatures,
  unitFusionGraph,
  unitImageGraph,
  unitTaskGraph,
  unitTextGraph,
} from "./graphs.ts";
import { fromUnitConfigJson, isUnitConfig, unitConfigJson } from "./hf-config.ts";
import { inferUnitConfig } from "./infer-config.ts";
import { unitLayouts } from "./layouts.ts";
import { unitBoxes, unitLabels, unitStates } from "./model.ts";
import { unitVariants } from "./variants.ts";

const TRANSFORMER = "unit_base_model.transformer.";

/** UniT of any size. */
export const unitFamily: PublishedFamily<UnitConfig> = {
  schema: unitConfigSchema,
  variants: unitVariants,
  parts: {
    image: {
      needed: "unit_base_model.backbone.",
      also: ["unit_base_model.input_proj.", `${TRANSFORMER}encoder.`, `${TRANSFORMER}task_embeddings_enc.`],
    },
    text: { needed: "bert_model.module.", also: ["task_embeddings_lang."] },
    decoder: {
      needed: `${TRANSFORMER}decoder.`,
      also: [
        ...["unit_base_model.query_embeds.", "class_embeds.", "bbox_embeds.", "classifiers."],
        ...["bert_projection.", "bert_pos_projection.", `${TRANSFORMER}enc2dec_proj.`, `${TRANSFORMER}pos_embed_proj.`],
      ],
    },
  },
  layouts: unitLayouts,
  hasWordRows: (name) => name === "bert_model.module.embeddings.word_embeddings.weight",
  mayLack: () => false,
  of: unitModel,
  withVocabulary: withTextVocabulary,
  tiny: (config) => {
    const { image, text, decoder } = unitVariants.tiny!;
    const tasks = Object.entries(config.tasks).map(([name, task]) => [
      name,
      { ...task, queries: Math.min(6, task.queries) },
    ]);
    return {
      ...{ image, decoder, tasks: Object.fromEntries(tasks) as UnitConfig["tasks"] },
      text: { ...config.text, ...text, vocabSize: config.text.vocabSize, maxPositions: 16 },
    };
  },
  describe,
  isConfig: isUnitConfig,
  fromConfig: fromUnitConfigJson,
  infer: inferUnitConfig,
  configFile: (config) => huggingFaceJson(unitConfigJson(config)),
};

/** All parameters and buffers, task after task. */
export function unitParameters(config: UnitConfig): ParamSpec[] {
  const p = new Params();
  const { channels, imageSize } = config.image;
  const pixels = input("pixel_values", [1, channels, imageSize, imageSize]);
  const ids = input("input_ids", [1, 1], "int32");
  for (const [name, { kind }] of Object.entries(config.tasks)) {
    const text = { ids, keep: ids };
    const inputs = { ...(kind !== "glue" && { pixels }), ...(kind !== "detection" && { text }) };
    const states = unitStates(p, config, name, inputs).at(-1)!;
    if (kind === "detection") unitBoxes(p, config, name, states);
    else unitLabels(p, config, name, states);
  }
  return p.specs();
}

const NO_SPACE = "UniT has no contrastive space: its tasks are classes, boxes and answers";

const NO_MATCHING = `UniT has no matching head: it matches by a task of this name (${MATCHING}), which this one was not trained on`;

/** What each kind of task reads. */
const READS = { detection: "image", vl: "pair", glue: "text" } as const;

function unitModel(config: UnitConfig): Model {
  const { image, text } = config;
  const [pictures, texts] = [taskThatReads(config, "pictures"), taskThatReads(config, "texts")];
  const side = tokenSide(image);
  return {
    family: "unit",
    parameters: () => unitParameters(config),
    pictures: {
      channels: image.channels,
      size: image.imageSize,
      codebookSize: 0,
      grid: image.imageSize / side,
      patchSize: side,
      words: 0,
    },
    texts: { vocabSize: text.vocabSize, maxPositions: text.maxPositions, padHidden: true },
    lacks: {
      image_embeds: NO_SPACE,
      image_features: NO_SPACE,
      text_embeds: NO_SPACE,
      text_features: NO_SPACE,
      logits: "UniT has no masked words, and heads of its own: its tasks are trained by the stage unit",
      ...(!config.tasks[MATCHING] && { itm_logits: NO_MATCHING }),
    },
    ...(config.tasks[MATCHING] && { fusion: (sizes) => unitFusionGraph(config, sizes) }),
    ...(pictures && {
      image: (sizes) => unitImageGraph(config, pictures, sizes),
      features: (batch, scope) => unitFeatures(config, pictures, batch, scope),
    }),
    ...(texts && { text: (sizes) => unitTextGraph(config, texts, sizes) }),
    tasks: Object.fromEntries(Object.entries(config.tasks).map(([name, { kind }]) => [name, READS[kind]])),
    detection: {
      labels: Object.fromEntries(
        Object.entries(config.tasks).flatMap(([name, { kind, labels }]) =>
          kind === "detection" ? [[name, labels]] : [],
        ),
      ),
      graph: (task, batch) => unitTaskGraph(config, task, { batch, textLength: 1 }),
    },
  };
}

function describe({ image, text, decoder, tasks }: UnitConfig, words: string): [string, string][] {
  const grid = image.imageSize / tokenSide(image);
  return [
    [
      "image encoder",
      `a ResNet of ${image.stages.join(", ")} bottlenecks, ${image.layers} layers of ${image.hiddenSize}, ${image.imageSize} px in ${grid} × ${grid} places`,
    ],
    ["text encoder", `${text.layers} layers of ${text.hiddenSize}, up to ${text.maxPositions} tokens, words: ${words}`],
    ["decoder", `${decoder.layers} layers of ${decoder.hiddenSize} for ${Object.keys(tasks).join(", ")}`],
  ];
}
