/** A model as it can be tuned: FLAVA at any size of pictures, with dropout and rates of layers; the other families as they stand. */
import type { LoadedModel } from "../api/index.ts";
import { CheckpointError, ConfigError } from "../errors.ts";
import { type FlavaConfig, flavaFamily, taskOutputs, toHuggingFaceConfig } from "../models/flava/index.ts";
import {
  type AnyFamily,
  type ConfigJson,
  type FamilyName,
  families,
  headOutputs,
  headWidth,
  type Model,
  type PairGraphSizes,
  type TaskHead,
  type TaskOutputs,
} from "../models/index.ts";
import type { Drop, Params } from "../nn/index.ts";
import { type GroupRule, groupOf, layerDecay } from "../optim/index.ts";
import type { Problem } from "./problem.ts";
import type { Settings } from "./settings.ts";

/** What fine-tuning asks of a model. */
export interface Tunable {
  /** With the sizes at which it is tuned; its `task` is the graph of the tuned model. */
  readonly model: Model;
  /** Width of what a head reads. */
  width(inputs: Problem["inputs"]): number;
  /** The model with a head. `p` is the root. */
  outputs(p: Params, head: TaskHead, sizes: PairGraphSizes, drop: Drop): TaskOutputs;
  /** What a parameter's learning rate is multiplied by. */
  rates(
    problem: Pick<Problem, "inputs">,
    settings: Pick<Settings, "layerDecay" | "headLr">,
  ): (parameter: string) => number;
  /** The config.json of the tuned model, without what is said of its head. */
  config(tensors: readonly string[]): ConfigJson;
  /** Throws CheckpointError where the weights that a task begins with are not there. */
  requireWeights(inputs: Problem["inputs"], specs: readonly { readonly name: string }[]): void;
}

/**
 * A loaded model for tasks on such inputs; pictures of another side than the model's are FLAVA's alone. Throws ConfigError for a model that
 * was not read from files, for one that has no head for these inputs, and for a side that it cannot take.
 */
export function tunableOf(loaded: LoadedModel, inputs: Problem["inputs"], imageSize?: number): Tunable {
  const { name = "model", model, sizes } = loaded;
  if (sizes === undefined)
    throw new ConfigError(`${name}: expected a model that was read from files, got one without its sizes`);
  if (model.family === "flava") return tunableFlava(loaded, tunedSizes(sizes as FlavaConfig, imageSize));
  if (!model.heads?.[inputs])
    throw new ConfigError(
      `${name}: expected a model that can be tuned on ${CALLED[inputs]}, got ${model.family}`,
      reasonOf(model),
    );
  if (imageSize !== undefined && imageSize !== model.pictures?.size)
    throw new ConfigError(
      `imageSize: expected ${model.pictures?.size}, as a ${model.family} is tuned at its own, got ${imageSize}`,
    );
  return tunableOther(loaded, families[model.family as FamilyName] as AnyFamily);
}

const CALLED = { text: "texts", image: "pictures", pair: "pictures with texts" } as const;

function reasonOf({ heads, lacks }: Model): string | undefined {
  const known = heads && (Object.keys(heads) as Problem["inputs"][]).map((inputs) => CALLED[inputs]);
  return known ? `it can be tuned on ${known.join(" and on ")}` : lacks?.logits;
}

const ENCODERS = { text: ["text"], image: ["image"], pair: ["image", "text", "multimodal"] } as const;

/** A FLAVA of these sizes. */
export const flavaTunable = (config: FlavaConfig): Omit<Tunable, "requireWeights"> => ({
  model: flavaFamily.of(config),
  width: (inputs) => config[inputs === "pair" ? "multimodal" : inputs].hiddenSize,
  outputs: (p, head, sizes, drop) => taskOutputs(p, config, head, sizes, drop),
  rates: (problem, settings) => flavaRates(config, problem, settings),
  config: (tensors) => toHuggingFaceConfig(config, { tensors }) as ConfigJson,
});

const tunableFlava = ({ name = "model", state }: LoadedModel, config: FlavaConfig): Tunable => ({
  ...flavaTunable(config),
  requireWeights(inputs) {
    const lacking = ENCODERS[inputs].filter((encoder) => !state.has(`flava.${encoder}_model.layernorm.weight`));
    if (lacking.length > 0)
      throw new CheckpointError(
        `${name}: expected weights of the ${lacking.join(" and ")} encoder, got none`,
        "tune a model that has been trained with it",
      );
  },
});

/** The same sizes for pictures of another side. Throws ConfigError for sides that are no whole patches. */
function tunedSizes(sizes: FlavaConfig, imageSize: number = sizes.image.imageSize): FlavaConfig {
  const { patchSize } = sizes.image;
  if (imageSize % patchSize !== 0)
    throw new ConfigError(`imageSize: expected whole patches of ${patchSize} pixels, got ${imageSize}`);
  return { ...sizes, image: { ...sizes.image, imageSize } };
}

/**
 * Layer i of n of the encoder that the head reads: decay^(n − i), its embeddings decay^(n + 1), the head `headLr`. Below the multimodal encoder
 * the two others count on: their layer i of m is decay^(n + 1 + m − i), their projections decay^(n + 1), their embeddings decay^(n + m + 2).
 */
function flavaRates(
  config: FlavaConfig,
  { inputs }: Pick<Problem, "inputs">,
  { layerDecay: decay, headLr }: Pick<Settings, "layerDecay" | "headLr">,
): (parameter: string) => number {
  const rules: GroupRule[] = [{ match: /^classifier\./, lrScale: headLr }];
  const own = (name: "text" | "image" | "multimodal", below: number): GroupRule[] =>
    layerDecay(`flava.${name}_model`, config[name].layers, decay).map((rule) => ({
      ...rule,
      lrScale: (rule.lrScale as number) * decay ** below,
    }));
  if (inputs === "pair") {
    const below = config.multimodal.layers + 1;
    rules.push(...own("multimodal", 0), { match: /^flava\.multimodal_model\.cls_token$/, lrScale: decay ** below });
    rules.push({ match: /^flava\.(text|image)_to_mm_projection\./, lrScale: decay ** below });
    rules.push(...own("text", below), ...own("image", below));
  } else rules.push(...own(inputs, 0));
  return (parameter) => groupOf(parameter, rules, 0).lrScale as number;
}

const tunableOther = ({ name = "model", model, sizes, state }: LoadedModel, family: AnyFamily): Tunable => ({
  model,
  width: (inputs) => headWidth(model, inputs),
  outputs: (p, head, given, drop) => headOutputs(p, model, head, given, drop),
  rates(_, { layerDecay: decay, headLr }) {
    if (decay !== 1) throw new ConfigError(`layerDecay: expected 1 for a ${model.family}, got ${decay}`);
    return (parameter) => (parameter.startsWith("classifier.") ? headLr : 1);
  },
  config: (tensors) => JSON.parse(family.configFile(sizes, { lossWeights: {}, tensors })) as ConfigJson,
  requireWeights(_, specs) {
    const lacking = specs.filter((spec) => !spec.name.startsWith("classifier.") && !state.has(spec.name));
    if (lacking.length > 0)
      throw new CheckpointError(
        `${name}: expected the weights that the head reads, got none of ${lacking
          .slice(0, 3)
          .map((spec) => spec.name)
          .join(", ")}${lacking.length > 3 ? ` and ${lacking.length - 3} more` : ""}`,
        "tune a model that has been trained with them",
      );
  },
});
