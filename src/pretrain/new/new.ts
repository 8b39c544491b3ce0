/** `flava new`: looks at data and machine, holds sets out, and writes a recipe that fits. */

import { rm } from "node:fs/promises";
import { availableParallelism, totalmem } from "node:os";
import { basename, dirname, join, relative, resolve } from "node:path";
import { parse } from "yaml";
import { type Source, splitSpec } from "../../data/index.ts";
import { openData } from "../../datasets/index.ts";
import { ConfigError, DataError } from "../../errors.ts";
import { makeFolder, saveFile, statOf } from "../../io/index.ts";
import { loadBertTokenizer } from "../../text/load.node.ts";
import { parseRecipe } from "../recipe/load.ts";
import type { DataKind, Recipe } from "../recipe/types.ts";
import { measureSpeed } from "../run/estimate.ts";
import { tables as own, type Tables } from "../tables.ts";
import { factsOf } from "./facts.ts";
import { chooseHeldOut, type Holding, TEXTS_FILE, writeHeldOut } from "./hold-out.ts";
import { absolute, locate, type Placing } from "./locate.ts";
import { chooseShape, type Material, type Size } from "./shape.ts";
import { type Survey, type SurveyOptions, surveySource } from "./survey.ts";
import { useOf } from "./use.ts";
import { recipeYaml, type SourceText } from "./yaml.ts";

/** What `flava new` was given. */
export interface NewRequest extends Placing {
  readonly source: string;
  readonly texts?: string | undefined;
  /** Held-out pairs of your own; else some of the source's are held out. */
  readonly validation?: string | undefined;
  readonly size: Size;
  readonly minutes: number;
  /** The recipe's file; else called after the source. */
  readonly out?: string | undefined;
  readonly seed: number;
  readonly force?: boolean | undefined;
  /** Train on the pictures alone. */
  readonly ignoreCaptions?: boolean | undefined;
}

/** How it reports and stops. */
export interface NewOptions {
  readonly note: (line: string) => void;
  readonly onProgress?: ((label: string, samples: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly tables?: Tables | undefined;
  /** Floating-point operations a second; measured unless given. */
  readonly speed?: number | undefined;
}

/** What was written, and what it is. */
export interface NewRecipe {
  /** The file. */
  readonly path: string;
  /** What trains by it, as a shell reads it from this folder. */
  readonly command: string;
  readonly recipe: Recipe;
  readonly kind: DataKind;
  /** The folder with the sets that are held out; undefined where none of the source is. */
  readonly heldOut: string | undefined;
  /** Entries of the vocabulary where the source is too large to be read for a plan; undefined where a plan may count them. */
  readonly words: number | undefined;
  /** What was found, a line a fact. */
  readonly facts: readonly string[];
  /** What should be read before the run. */
  readonly remarks: readonly string[];
}

/** Above so many texts the vocabulary is BERT's, whole: counting what they use would read all of them first. */
const MAX_COUNTED = 100_000;
const MAX_SAMPLES = 10_000;
const MAX_MS = 20_000;
const MIB = 2 ** 20;

/**
 * Writes a recipe for the source, and its held-out sets beside it. Throws ConfigError where files would be overwritten, DataError
 * where the source is of no use, FileError where it cannot be read or written.
 */
export async function newRecipe(request: NewRequest, options: NewOptions): Promise<NewRecipe> {
  const { signal, tables = own } = options;
  const path = request.out ?? `${nameOf(request.source)}.yaml`;
  const name = basename(path).replace(/\.ya?ml$/i, "");
  const folder = join(dirname(path), `${name}-held-out`);
  await refuseOld(path, folder, request.force);
  const looking = await lookAround(request, options);
  const { kind, survey, source, texts } = looking;
  const holding = request.validation === undefined ? chooseHeldOut(survey, kind, request.seed) : undefined;
  const textHolding = texts && chooseHeldOut(texts.survey, "texts", request.seed);
  const whole = holding ? survey.total * (holding.samples.train / survey.looked) : survey.total;
  const words = wordsOf(kind, survey, texts?.survey);
  const material: Material = { kind, survey, train: Math.max(1, Math.floor(whole)), texts: texts?.survey, words };
  const speed = options.speed ?? (await measureSpeed({ device: "cpu", threads: 0 }));
  const memory = totalmem();
  const budget = { size: request.size, seconds: request.minutes * 60, speed, memory };
  options.note("choosing sizes and steps…");
  const shape = await chooseShape(material, budget, tables);
  signal?.throwIfAborted();
  const command = `flava pretrain ${shellWord(relative(process.cwd(), resolve(path)) || path)}`;
  const facts = factsOf({ request, looking, holding, textHolding, budget, cores: availableParallelism() });
  const validation = request.validation === undefined ? undefined : absolute(request.validation);
  const held = heldSets(resolve(folder), kind, holding, textHolding);
  const text = recipeYaml({
    ...{ name, size: request.size, kind, facts, command, shape, reduced: words !== undefined },
    source: looking.spec,
    images: looking.images?.spec,
    texts: texts?.spec,
    ...held,
    ...(validation !== undefined && (kind === "texts" ? { heldOutTexts: validation } : { validation })),
    by: holding?.by ?? "caption",
    cacheBytes: Math.min(512 * MIB, Math.max(32 * MIB, Math.floor(memory / 16 / MIB) * MIB)),
  });
  const recipe = parseRecipe(parse(text), path, tables);
  if (holding || textHolding) {
    if (request.force) await rm(folder, { recursive: true, force: true });
    if (holding) await writeHeldOut(source, folder, survey, holding, { kind, signal });
    if (texts && textHolding)
      await writeHeldOut(texts.source, join(folder, "texts"), texts.survey, textHolding, { kind: "texts", signal });
  }
  await makeFolder(dirname(path));
  await saveFile(path, text);
  const heldOut = holding || textHolding ? folder : undefined;
  return {
    path,
    command,
    recipe,
    kind,
    heldOut,
    words: survey.whole && (texts?.survey.whole ?? true) ? undefined : (words ?? BERT_WORDS),
    facts,
    remarks: [...looking.remarks, ...shape.remarks],
  };
}

const BERT_WORDS = 30_522;

/** Those of the captions and texts that were looked at; undefined where there are so many that all of BERT's are taken. */
function wordsOf(kind: DataKind, survey: Survey, texts: Survey | undefined): number | undefined {
  if (kind === "images" || survey.total + (texts?.total ?? 0) > MAX_COUNTED) return undefined;
  return survey.entries + (texts?.entries ?? 0) + 5;
}

/** The source and what goes with it, opened and looked at. */
export interface Looking {
  readonly kind: DataKind;
  readonly source: Source;
  readonly spec: SourceText;
  readonly survey: Survey;
  readonly images: { readonly spec: SourceText; readonly survey: Survey } | undefined;
  readonly texts: { readonly source: Source; readonly spec: SourceText; readonly survey: Survey } | undefined;
  readonly remarks: readonly string[];
}

async function lookAround(request: NewRequest, { signal, note, onProgress }: NewOptions): Promise<Looking> {
  const tokenizer = await loadBertTokenizer();
  const survey = async (source: Source, label: string): Promise<Survey> => {
    const looking: SurveyOptions = { tokenizer, maxSamples: MAX_SAMPLES, maxMs: MAX_MS, signal, note };
    return surveySource(source, { ...looking, onProgress: (samples) => onProgress?.(label, samples) });
  };
  const placed = await locate(request.source, request, { signal, note });
  const source = await openData(placed.spec as string, { signal, note });
  const found = await survey(source, request.source).catch(withColumnHelp);
  const kind = useOf(found, request.ignoreCaptions ? "images" : undefined);
  const remarks: string[] = [];
  const alone = found.pictures - found.pairs;
  if (kind === "pairs" && alone > 0)
    remarks.push(
      `${alone === 1 ? "1 picture has" : `${alone.toLocaleString("en-US")} pictures have`} no caption: the joint stage cannot pair what has none, image stages see it`,
    );
  const more = async (spec: string, wanted: DataKind) => {
    const at = absolute(spec);
    const opened = await openData(at, { signal, note });
    const looked = await survey(opened, spec);
    useOf(looked, wanted);
    return { source: opened, spec: at, survey: looked };
  };
  if (request.texts !== undefined && kind === "images")
    throw new ConfigError(
      `--texts ${request.texts}: expected pairs to go with them, got pictures without captions`,
      "make a recipe of each, or give the pictures captions",
    );
  const images = placed.images === undefined ? undefined : await more(placed.images, "images");
  const texts = request.texts === undefined ? undefined : await more(request.texts, "texts");
  if (request.validation !== undefined) {
    if (absolute(request.validation) === absolute(request.source))
      throw new ConfigError(
        `--val ${request.validation}: expected other data than those to train on, got the same`,
        "without --val some of them are held out",
      );
    await more(request.validation, kind);
  }
  return { kind, source, spec: placed.spec, survey: found, images, texts, remarks };
}

/** The options of this command, where a table's own columns are not found. */
function withColumnHelp(error: unknown): never {
  const [message] = error instanceof DataError ? error.message.split("\n") : [];
  if (message === undefined || !/expected (columns|a column|an image or text column)/.test(message)) throw error;
  throw new DataError(message, "--image-column and --text-column say which they are", { cause: error });
}

function heldSets(folder: string, kind: DataKind, holding: Holding | undefined, texts: Holding | undefined) {
  const of = (part: "validation" | "test"): string | undefined =>
    holding && kind !== "texts" && holding.samples[part] > 0 ? join(folder, part) : undefined;
  const own = kind === "texts" && holding ? join(folder, TEXTS_FILE) : undefined;
  return {
    validation: of("validation"),
    test: of("test"),
    heldOutTexts: texts ? join(folder, "texts", TEXTS_FILE) : own,
  };
}

/** A file name from a source: `my pairs.jsonl` → `my-pairs`. */
function nameOf(spec: string): string {
  const { rest } = splitSpec(spec);
  const last = basename(rest.replace(/[?#].*$/, "")).replace(/\.(jsonl?|csv|tsv|txt|parquet|tar|ndjson)(\.gz)?$/i, "");
  return last.replace(/[^\p{L}\p{N}._-]+/gu, "-").replace(/^[-.]+|[-.]+$/g, "") || "own";
}

const shellWord = (word: string): string =>
  /^[\w./:=,@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

async function refuseOld(path: string, folder: string, force = false): Promise<void> {
  if (force) return;
  for (const one of [path, folder])
    if (await statOf(one))
      throw new ConfigError(
        `${one}: expected a new file, got one that is there`,
        "give another --out, or --force to replace it",
      );
}
