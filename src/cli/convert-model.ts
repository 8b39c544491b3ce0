/** `flava convert IN OUT`: weights of any readable format as a safetensors repository. */
import { join } from "node:path";
import { CheckpointError } from "../errors.ts";
import { saveWeights, type TensorEntry } from "../hub/index.ts";
import { imageOptionsToJson } from "../image/index.ts";
import { saveFile } from "../io/index.ts";
import {
  codebookImageSize,
  type FlavaConfig,
  type FlavaLayout,
  flavaLayouts,
  toHuggingFaceConfig,
} from "../models/flava/index.ts";
import { differencesError, huggingFaceJson, type NamedWeights } from "../models/index.ts";
import { readTied } from "../record/index.ts";
import { castFloats, type FloatDType, formatShape, type Shape, size, type Tensor, tensor } from "../tensor/index.ts";
import { TOKENIZER_FILES } from "../text/index.ts";
import type { Io } from "./command.ts";
import { type FoundModel, findModel, type ModelChoice, openGiven, someOf } from "./found-model.ts";
import { formatBytes, formatCount } from "./progress.ts";

/** The names of `--dtype`. */
export const DTYPES: { readonly [name: string]: FloatDType } = { fp32: "float32", fp16: "float16", bf16: "bfloat16" };

/** The options of the command. */
export interface ConvertOptions extends ModelChoice {
  /** As stored, unless said. */
  readonly dtype?: string | undefined;
  readonly layout: FlavaLayout;
  readonly maxShardSize: number;
  readonly overwrite?: boolean | undefined;
  readonly dropUnknown?: boolean | undefined;
}

const PREPROCESSOR = "preprocessor_config.json";
/** Copied as they are. */
const COPIED = [...TOKENIZER_FILES, PREPROCESSOR, "LICENSE"];

/** Converts, and prints what was written. Throws CheckpointError, FileError, ConfigError. */
export async function convert(io: Io, [from = "", to = ""]: readonly string[], options: ConvertOptions): Promise<void> {
  await using opened = await openGiven(io, from, options);
  const found = findModel(opened);
  const config = flavaOf(found);
  refuse(found, options);
  const losses = { overflowed: 0, vanished: 0, tensors: 0 };
  const { entries, names, left } = plan(found, options, losses, io.signal);
  const saved = await save(io, to, entries, options);
  const files = [...saved.files, await saveConfig(to, config, found, names), ...(await copyBeside(to, config, found))];
  const notes = [...found.notes, ...remarks(found, left, losses)];
  for (const line of notes) io.note(line);
  const layout = flavaLayouts[options.layout].title;
  io.result(
    `${to}: ${formatCount(entries.length)} tensors, ${formatBytes(saved.byteLength)}, named as in ${layout}\n${files.map((name) => `  ${name}`).join("\n")}`,
    { out: to, layout: options.layout, tensors: entries.length, bytes: saved.byteLength, files, notes },
  );
}

/** Throws CheckpointError for a model of another family: the layouts that can be written are FLAVA's. */
function flavaOf({ family, config, named }: FoundModel): FlavaConfig {
  const name = family.of(config).family;
  if (name === "flava") return config as FlavaConfig;
  throw new CheckpointError(
    `${named.name}: expected weights of a FLAVA, got those of a ${name}`,
    "only FLAVA's layouts are written; what this package trains of other families has Hugging Face's names already",
  );
}

function refuse({ named, fit }: FoundModel, { dropUnknown = false }: ConvertOptions): void {
  const { missing, misshapen, unexpected } = fit;
  const error = differencesError(named.name, { missing, misshapen, unexpected: dropUnknown ? [] : unexpected });
  if (!error) return;
  if (missing.length + misshapen.length > 0) throw error;
  throw new CheckpointError(
    error.message.split("\n  help:")[0]!,
    "--drop-unknown leaves them out; flava inspect lists all",
  );
}

interface Losses {
  overflowed: number;
  vanished: number;
  tensors: number;
}

interface Source {
  /** Names of ours that hold this tensor. */
  readonly names: readonly string[];
  readonly shape: Shape;
}

/** What is written, our names of it, and those of what the layout has no place for. */
function plan(
  found: FoundModel,
  options: ConvertOptions,
  losses: Losses,
  signal: AbortSignal,
): { entries: TensorEntry[]; names: string[]; left: string[] } {
  const { target } = flavaLayouts[options.layout];
  const joined = new Map<string, (Source | undefined)[]>();
  const [names, left]: [string[], string[]] = [[], []];
  for (const [name, source] of sourcesOf(found)) {
    const place = target(name);
    (place ? names : left).push(name);
    if (!place) continue;
    const [index, of] = place.part ?? [0, 1];
    const parts = joined.get(place.name) ?? new Array<Source | undefined>(of).fill(undefined);
    parts[index] = source;
    joined.set(place.name, parts);
  }
  const entries = [...joined].map(([name, parts]) => {
    if (!parts.every((part) => part !== undefined))
      throw new CheckpointError(`${found.named.name}: expected all ${parts.length} parts of ${name}`);
    return entryOf(name, parts, found, options, losses, signal);
  });
  return { entries, names, left };
}

/** Every name that is written: those of the model's parameters that are there, second names of tied ones too, and what lies beside them. */
function sourcesOf({ named, specs, fit }: FoundModel): Map<string, Source> {
  const unexpected = new Set(fit.unexpected);
  const sources = new Map<string, Source>();
  const known = new Set<string>();
  for (const { name, aliases, shape } of specs) {
    const all = [name, ...aliases];
    const stored = all.filter((one) => named.tensors.has(one));
    for (const one of all) known.add(one);
    if (stored.length > 0) for (const one of all) sources.set(one, { names: stored, shape });
  }
  for (const [name, { shape }] of named.tensors)
    if (!known.has(name) && !unexpected.has(name)) sources.set(name, { names: [name], shape });
  return sources;
}

function entryOf(
  name: string,
  parts: readonly Source[],
  { named, opened }: FoundModel,
  { dtype }: ConvertOptions,
  losses: Losses,
  signal: AbortSignal,
): TensorEntry {
  const [first] = parts as [Source];
  const stored = opened.weights.tensors.get(named.stored.get(first.names[0]!)!)!.storedAs;
  const width = dtype === undefined ? WIDTHS[stored] : DTYPES[dtype];
  const isFloat = named.tensors.get(first.names[0]!)!.dtype.startsWith("float");
  const shape = parts.length === 1 ? first.shape : [first.shape[0]! * parts.length, ...first.shape.slice(1)];
  return {
    name,
    shape,
    dtype: isFloat ? (width ?? "float32") : named.tensors.get(first.names[0]!)!.dtype,
    async read() {
      const tensors = await readAll(named, parts, signal);
      const { tensor: narrowed, loss } = castFloats(joinRows(name, tensors, shape), width ?? "float32");
      if (loss.overflowed + loss.vanished > 0) losses.tensors++;
      losses.overflowed += loss.overflowed;
      losses.vanished += loss.vanished;
      return narrowed;
    },
  };
}

const WIDTHS: { readonly [stored: string]: FloatDType } = { F16: "float16", BF16: "bfloat16" };

async function readAll(named: NamedWeights, parts: readonly Source[], signal: AbortSignal): Promise<Tensor[]> {
  const tensors: Tensor[] = [];
  for (const { names } of parts) tensors.push(await readTied(named, names, signal));
  return tensors;
}

function joinRows(name: string, parts: readonly Tensor[], shape: Shape): Tensor {
  if (parts.length === 1) return parts[0]!;
  const data = new Float32Array(size(shape));
  let at = 0;
  for (const part of parts) {
    if (part.dtype !== "float32")
      throw new CheckpointError(`${name}: expected float32 ${formatShape(part.shape)}, got ${part.dtype}`);
    data.set(part.data as Float32Array, at);
    at += part.data.length;
  }
  return tensor("float32", shape, data);
}

async function save(io: Io, to: string, entries: readonly TensorEntry[], options: ConvertOptions) {
  const MIB = 1 << 20;
  let done = 0;
  const progress = io.progress({ label: `writing ${to}`, unit: "MiB" });
  return saveWeights(to, entries, {
    maxShardBytes: options.maxShardSize,
    overwrite: options.overwrite,
    metadata: { format: "pt" },
    signal: io.signal,
    onChunk: ({ byteLength }) => {
      done += byteLength;
      progress.update(done / MIB);
    },
  }).finally(() => progress.end());
}

/** config.json. Names are ours. */
async function saveConfig(
  to: string,
  config: FlavaConfig,
  { lossWeights }: FoundModel,
  names: readonly string[],
): Promise<string> {
  const json = toHuggingFaceConfig(config, { lossWeights, tensors: names });
  await saveFile(join(to, "config.json"), huggingFaceJson(json));
  return "config.json";
}

/** What describes the model besides its sizes: as it is, and preprocessor_config.json also where there was none. */
async function copyBeside(to: string, config: FlavaConfig, { opened }: FoundModel): Promise<string[]> {
  const copied: string[] = [];
  for (const name of COPIED) {
    const bytes = await opened.files.open(name);
    if (!bytes) continue;
    try {
      await saveFile(join(to, name), bytes.stream());
    } finally {
      await bytes.close();
    }
    copied.push(name);
  }
  if (copied.includes(PREPROCESSOR)) return copied;
  const options = { size: config.image.imageSize, codebookSize: codebookImageSize(config) };
  await saveFile(join(to, PREPROCESSOR), imageOptionsToJson(options, config.image.patchSize));
  return [...copied, PREPROCESSOR];
}

/** What was left out, what was cut and what is not there, each with its number. */
function remarks({ named, opened, fit }: FoundModel, left: readonly string[], losses: Losses): string[] {
  return [
    ...[...named.ignored].map(([kind, names]) => `left out, ${kind}: ${someOf(names)}`),
    ...opened.weights.others.map(({ name, what }) => `left out: ${name}, ${what}`),
    ...(fit.unexpected.length > 0 ? [`left out, not of this model: ${someOf(fit.unexpected)}`] : []),
    ...(left.length > 0 ? [`left out, for which the layout has no place: ${someOf(left)}`] : []),
    ...[...fit.absent].map(([part, count]) => `not in ${named.name}: ${part} (${count} tensors)`),
    ...(fit.lacking.length > 0 ? [`not in ${named.name}, as in all of ${named.what}: ${someOf(fit.lacking)}`] : []),
    ...(losses.overflowed > 0
      ? [`${formatCount(losses.overflowed)} numbers were too large for this dtype and became infinite`]
      : []),
    ...(losses.vanished > 0
      ? [`${formatCount(losses.vanished)} numbers were too small for this dtype and became 0`]
      : []),
  ];
}
