/** The settings of a fine-tuning: a checked schema, and what they are where nothing is said. */
import { z } from "zod";
import { ConfigError } from "../errors.ts";

/** How a model is fine-tuned. */
export interface Settings {
  readonly steps: number;
  readonly batchSize: number;
  /** Peak learning rate. */
  readonly lr: number;
  readonly warmupSteps: number;
  readonly schedule: "linear" | "cosine" | "constant";
  readonly weightDecay: number;
  readonly betas: readonly [number, number];
  readonly eps: number;
  /** Largest gradient norm; null: no clipping. */
  readonly clipNorm: number | null;
  /** Of embeddings, of what each half of a layer adds, and of what the head reads. */
  readonly dropout: number;
  /** Of the probabilities of attention. */
  readonly attentionDropout: number;
  /** Width of the head's hidden layer; null: none. */
  readonly headHidden: number | null;
  /** The head's learning rate, as a multiple of the others'. */
  readonly headLr: number;
  /** Each layer's learning rate, as a multiple of the next one's (Clark et al., arXiv:2003.10555). */
  readonly layerDecay: number;
  readonly labelSmoothing: number;
  /** Tokens of a text. */
  readonly textLength: number;
  /** Side of pictures in pixels. */
  readonly imageSize: number;
  /** Training pictures: the least share of the area that is cut out, and how often they are mirrored. */
  readonly crop: number;
  readonly flip: number;
  readonly gradientAccumulationSteps: number;
  readonly recompute: boolean;
  /** Evaluations without a better result after which training ends; null: it goes on to the last step. */
  readonly patience: number | null;
  readonly logEvery: number;
  readonly evalEvery: number;
  readonly saveEvery: number;
}

const count = z.int().positive();
const share = z.number().min(0).max(1);

const schema: z.ZodType<Settings> = z.strictObject({
  steps: count,
  batchSize: count,
  lr: z.number().positive(),
  warmupSteps: z.int().nonnegative(),
  schedule: z.enum(["linear", "cosine", "constant"]),
  weightDecay: z.number().nonnegative(),
  betas: z.tuple([share, share]),
  eps: z.number().positive(),
  clipNorm: z.number().positive().nullable(),
  dropout: z.number().min(0).max(0.9),
  attentionDropout: z.number().min(0).max(0.9),
  headHidden: count.nullable(),
  headLr: z.number().positive(),
  layerDecay: z.number().positive().max(1),
  labelSmoothing: z.number().min(0).max(0.9),
  textLength: z.int().min(3),
  imageSize: count,
  crop: z.number().positive().max(1),
  flip: share,
  gradientAccumulationSteps: count,
  recompute: z.boolean(),
  patience: count.nullable(),
  logEvery: count,
  evalEvery: count,
  saveEvery: count,
});

/** Settings that are said; `epochs` stands for the steps of so many passes over the training samples. */
export type GivenSettings = { readonly [K in keyof Settings]?: Settings[K] | undefined } & {
  readonly epochs?: number | undefined;
};

/** What defaults depend on. */
export interface SettingsFor {
  /** Training samples. */
  readonly samples: number;
  /** Width of the encoder that the head reads. */
  readonly width: number;
  readonly inputs: "text" | "image" | "pair";
  readonly textLength: number;
  /** Tokens that the model takes at most. */
  readonly longest?: number | undefined;
  readonly imageSize: number;
}

/** By the width of the encoder: BERT's 2e-5 for 768, more for narrower ones, as measured on the starter model. */
const rateFor = (width: number): number => (width >= 512 ? 2e-5 : width >= 256 ? 1e-4 : 5e-4);

/** Passes over so many samples: a small set is seen more often. */
const epochsFor = (samples: number): number =>
  samples < 1000 ? 20 : samples < 20_000 ? 10 : samples < 200_000 ? 4 : 2;

/** All settings: those given, else by the data and the model. Throws ConfigError that lists every wrong key. */
export function settingsFor(given: GivenSettings, about: SettingsFor): Settings {
  const { epochs, ...said } = given;
  if (epochs !== undefined && !(epochs > 0)) throw new ConfigError(`epochs: expected a number above 0, got ${epochs}`);
  const batchSize = Number(said.batchSize ?? Math.min(32, about.samples));
  const steps = Number(
    said.steps ?? Math.max(1, Math.ceil(((epochs ?? epochsFor(about.samples)) * about.samples) / batchSize)),
  );
  const evalEvery = said.evalEvery ?? Math.max(1, Math.ceil(steps / 10));
  const parsed = schema.safeParse({
    steps,
    batchSize,
    lr: rateFor(about.width),
    warmupSteps: Math.round(0.06 * steps),
    schedule: "linear",
    weightDecay: about.inputs === "text" ? 0.1 : 0.01,
    betas: [0.9, 0.98],
    eps: 1e-6,
    clipNorm: 1,
    dropout: 0.1,
    attentionDropout: 0,
    headHidden: about.inputs === "pair" ? 2 * about.width : null,
    headLr: 1,
    layerDecay: 1,
    labelSmoothing: 0,
    textLength: about.textLength,
    imageSize: about.imageSize,
    crop: about.inputs === "image" ? 0.6 : 1,
    flip: about.inputs === "image" ? 0.5 : 0,
    gradientAccumulationSteps: 1,
    recompute: false,
    patience: null,
    logEvery: Math.max(1, Math.min(50, Math.ceil(steps / 100))),
    evalEvery,
    saveEvery: evalEvery,
    ...Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined)),
  });
  if (!parsed.success) throw new ConfigError(`settings of the fine-tuning:\n${z.prettifyError(parsed.error)}`);
  return checked(parsed.data, about);
}

function checked(settings: Settings, { samples, longest = Infinity }: SettingsFor): Settings {
  const { batchSize, gradientAccumulationSteps: parts, warmupSteps, steps, textLength } = settings;
  if (batchSize % parts !== 0)
    throw new ConfigError(`batchSize: expected a multiple of gradientAccumulationSteps ${parts}, got ${batchSize}`);
  if (warmupSteps > steps) throw new ConfigError(`warmupSteps: expected at most steps ${steps}, got ${warmupSteps}`);
  if (batchSize > samples)
    throw new ConfigError(`batchSize: expected at most the ${samples} training samples, got ${batchSize}`);
  if (textLength > longest)
    throw new ConfigError(`textLength: expected at most the ${longest} tokens that the model takes, got ${textLength}`);
  return settings;
}

/** The names of settings, for messages. */
export const SETTING_NAMES: readonly string[] = ["epochs", ...Object.keys((schema as unknown as z.ZodObject).shape)];
