/** The model that a command is pointed at: its weights under our names, and its sizes. */
import { type OpenModel, openModel, STORED, type TensorFile } from "../hub/index.ts";
import { lossWeightsOf } from "../models/flava/index.ts";
import {
  type AnyFamily,
  compareWeights,
  type Differences,
  familyOfWeights,
  type NamedWeights,
  narrowedNote,
} from "../models/index.ts";
import type { ParamSpec } from "../nn/index.ts";
import { size } from "../tensor/index.ts";
import type { Io } from "./command.ts";
import { withDownloads } from "./download-progress.ts";

/** Which of several things is meant. */
export interface ModelChoice {
  /** A branch, tag or commit of the Hub. */
  readonly revision?: string | undefined;
  /** The dict of tensors in a checkpoint of torch. */
  readonly entry?: string | undefined;
  /** "fp16" for `model.fp16.safetensors`. */
  readonly variant?: string | undefined;
  /** Only what is read of the weights is loaded. */
  readonly peek?: boolean | undefined;
}

/** A model, open. Close `opened`. */
export interface FoundModel {
  readonly opened: OpenModel;
  readonly family: AnyFamily;
  readonly named: NamedWeights;
  /** Of the family's kind. */
  readonly config: unknown;
  readonly lossWeights: Readonly<Record<string, number>>;
  /** Where the sizes are from: "config.json", "the shapes of the tensors". */
  readonly sizesFrom: string;
  /** What was assumed and what was read as something else. */
  readonly notes: readonly string[];
  readonly specs: readonly ParamSpec[];
  readonly fit: Fit;
}

/** How the tensors and the parameters of the model fit. */
export interface Fit extends Omit<Differences, "missing"> {
  /** Parts of the model of which there is nothing, and how many tensors each has. */
  readonly absent: ReadonlyMap<string, number>;
  /** Tensors that files of this code base do not have: training draws them at random. */
  readonly lacking: readonly string[];
  /** Tensors that are missing from parts which are there. */
  readonly missing: readonly string[];
}

/** Opens what a command was given. Throws FileError, CheckpointError. */
export async function openGiven(io: Io, idOrPath: string, choice: ModelChoice): Promise<OpenModel> {
  const { revision, entry, variant, peek } = choice;
  return withDownloads(io, (onProgress) =>
    openModel(idOrPath, { revision, entry, variant, peek, signal: io.signal, note: io.note, onProgress }),
  );
}

/** The model of opened weights. Throws CheckpointError for weights of another model, ConfigError for a config.json of another. */
export function findModel(opened: OpenModel): FoundModel {
  const { family, named } = familyOfWeights(opened.weights, opened.config);
  const notes = [narrowedNote(named)].filter((line) => line !== undefined);
  const { config, sizesFrom } = sizesOf(opened, family, named, notes);
  const specs = family.of(config).parameters();
  return {
    opened,
    family,
    named,
    config,
    lossWeights: lossWeightsOf(opened.config ?? {}),
    sizesFrom,
    notes,
    specs,
    fit: fitOf(specs, named, family),
  };
}

function sizesOf(
  { config, weights }: OpenModel,
  family: AnyFamily,
  named: NamedWeights,
  notes: string[],
): { config: unknown; sizesFrom: string } {
  if (config && family.isConfig(config))
    return { config: family.fromConfig(config, { note: (line) => notes.push(line) }), sizesFrom: "config.json" };
  if (config) notes.push(`config.json is of another model (${String(config.model_type)}) and was not used`);
  const found = family.infer(weights.name, named.tensors, family.layouts[named.layout]!.switches);
  notes.push(...found.assumed);
  return { config: found.config, sizesFrom: "the shapes of the tensors" };
}

/** "flava.image_model", "mim_head", "image_codebook". */
export const partOf = (name: string): string => /^(flava\.)?\w+/.exec(name)![0];

function fitOf(specs: readonly ParamSpec[], named: NamedWeights, { mayLack }: AnyFamily): Fit {
  const { missing, unexpected, misshapen } = compareWeights(specs, named);
  const present = new Set([...named.tensors.keys()].map(partOf));
  const absent = new Map<string, number>();
  const there: string[] = [];
  for (const name of missing) {
    const part = partOf(name);
    if (present.has(part)) there.push(name);
    else absent.set(part, (absent.get(part) ?? 0) + 1);
  }
  return {
    absent,
    lacking: there.filter((name) => mayLack(name)),
    missing: there.filter((name) => !mayLack(name)),
    unexpected: unexpected.filter((name) => !BESIDE.test(name)),
    misshapen,
  };
}

/** What this package saves beside FLAVA's own tensors: the codebook's decoder, DINO's teacher and head. */
const BESIDE = /^(image_decoder|teacher|dino_head)\./;

/** Bytes that a file's tensors have as they are stored. */
export const storedBytes = (file: TensorFile): number =>
  [...file.tensors.values()].reduce((n, { storedAs, shape }) => n + STORED[storedAs].bytes * size(shape), 0);

/** "a, b, c, … (12)": the first three of some names, and how many there are. */
export const someOf = (names: readonly string[]): string =>
  `${names.slice(0, 3).join(", ")}${names.length > 3 ? `, … (${names.length})` : ""}`;
