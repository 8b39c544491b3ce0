/** The first weights of a stage: random, those of an earlier stage, or a file's. */
import { join } from "node:path";
import { CheckpointError } from "../../errors.ts";
import { statOf } from "../../io/index.ts";
import type { ModelFamily } from "../../models/index.ts";
import { initialTensor, type ParamSpec } from "../../nn/index.ts";
import { checkCheckpoint, findCheckpoints, folderName, mismatch } from "../../record/index.ts";
import { formatShape, sameShape, type Tensor } from "../../tensor/index.ts";
import { turns } from "../../train/index.ts";
import type { InitFrom } from "../recipe/types.ts";
import type { StageBase } from "../stages/stage.ts";
import { type GivenWeights, readGiven } from "./given-weights.ts";
import { matchWords, rowsByWord, type WordRows } from "./word-rows.ts";

/** First values of a stage's parameters. */
export interface InitialWeights {
  readonly tensors: Record<string, Tensor>;
  /** Where each part came from, and what of it started new or was left out: lines for people. */
  readonly origins: readonly string[];
}

type FamilyNames = Pick<ModelFamily<unknown>, "parts" | "layouts" | "hasWordRows" | "mayLack">;

/** What first values depend on besides the stage. */
export interface InitialOptions {
  readonly seed: number;
  /** What each part of a stage's `init` stands for, and what else is asked of names. */
  readonly family: FamilyNames;
  /** The run's words, in the order of their ids: rows of another model are matched with them. */
  readonly vocabulary: readonly string[];
  readonly signal?: AbortSignal | undefined;
}

/** The first values of `specs`, each from its part's origin, else drawn from the seed. Throws CheckpointError, FileError. */
export async function initialWeights(
  runDir: string,
  stage: Pick<StageBase, "init">,
  specs: readonly ParamSpec[],
  options: InitialOptions,
): Promise<InitialWeights> {
  const tensors: Record<string, Tensor> = {};
  const origins: string[] = [];
  const { family, signal } = options;
  for (const [part, from] of Object.entries(stage.init) as [string, InitFrom][]) {
    if (from === "random") continue;
    const path = typeof from === "string" ? await resultOf(join(runDir, from)) : from.path;
    const { needed, also } = family.parts[part]!;
    const wanted = specs.filter(({ name }) => [needed, ...also].some((start) => name.startsWith(start)));
    const given = await readGiven(path, wanted, { layouts: family.layouts, signal });
    refuseLacking(path, part, given, family);
    const words = typeof from === "string" ? undefined : await wordsOf(path, given, options);
    Object.assign(tensors, fitted(path, wanted, given, words, options));
    origins.push(`${part} from ${path} (${count(Object.keys(given.tensors).length, "tensor")})`);
    origins.push(...remarks(given, needed, words).map((line) => `${part} weights: ${line}`));
  }
  const turn = turns(options.signal);
  for (const spec of specs) {
    tensors[spec.name] ??= initialTensor(spec, options.seed);
    await turn();
  }
  return { tensors, origins };
}

function refuseLacking(path: string, part: string, { missing }: GivenWeights, { parts, mayLack }: FamilyNames): void {
  const lacking = missing.filter((name) => name.startsWith(parts[part]!.needed) && !mayLack(name));
  if (lacking.length > 0)
    throw new CheckpointError(
      `${path}: expected the ${part} weights of this model, got none for ${some(lacking, 5)}`,
      `init.${part} takes weights (safetensors, a checkpoint of torch) or a checkpoint folder; flava inspect lists what is in it`,
    );
}

async function wordsOf(path: string, given: GivenWeights, options: InitialOptions): Promise<WordRows | undefined> {
  const name = Object.keys(given.tensors).find(options.family.hasWordRows);
  return name === undefined ? undefined : matchWords(path, given.tensors[name]!.shape[0]!, options.vocabulary);
}

/** What was given, float32 in the shapes of this model. Throws CheckpointError that lists what does not fit. */
function fitted(
  path: string,
  specs: readonly ParamSpec[],
  { tensors }: GivenWeights,
  words: WordRows | undefined,
  { seed, family }: InitialOptions,
): Record<string, Tensor> {
  const found = specs.flatMap((spec) => (tensors[spec.name] ? [{ spec, t: tensors[spec.name]! }] : []));
  const byWord = ({ name }: ParamSpec): boolean => words !== undefined && family.hasWordRows(name);
  const problems = found.flatMap(({ spec, t }) => {
    const shape = byWord(spec) ? [t.shape[0]!, ...spec.shape.slice(1)] : spec.shape;
    if (t.dtype === "float32" && sameShape(t.shape, shape)) return [];
    return [`${spec.name}: expected float32 ${formatShape(shape)}, got ${t.dtype} ${formatShape(t.shape)}`];
  });
  if (problems.length > 0) throw mismatch(path, problems);
  return Object.fromEntries(
    found.map(({ spec, t }) => [spec.name, byWord(spec) ? rowsByWord(t, words!, initialTensor(spec, seed)) : t]),
  );
}

/** What of a part did not come, what stayed behind, and whose words are whose. */
function remarks({ missing, others }: GivenWeights, needed: string, words: WordRows | undefined): string[] {
  const behind = others.filter((name) => name.startsWith(needed));
  return [
    ...(missing.length > 0
      ? [`${count(missing.length, "tensor")} not in the file, drawn anew: ${some(missing, 3)}`]
      : []),
    ...(behind.length > 0
      ? [`${count(behind.length, "tensor")} of the file without a place here: ${some(behind, 3)}`]
      : []),
    ...(words ? wordLines(words) : []),
  ];
}

function wordLines({ from, oldIds, added, left }: WordRows): string[] {
  const kept = oldIds.length - added.length;
  const line = `${kept} of ${count(oldIds.length, "word")} matched by the words of ${from}`;
  return [
    added.length > 0 ? `${line}; ${added.length} drawn anew: ${some(added, 5)}` : line,
    ...(left.length > 0 ? [`${count(left.length, "word")} of the file not in this vocabulary: ${some(left, 5)}`] : []),
  ];
}

const count = (n: number, what: string): string => `${n.toLocaleString("en-US")} ${what}${n === 1 ? "" : "s"}`;

const some = (names: readonly string[], shown: number): string =>
  names.slice(0, shown).join(", ") + (names.length > shown ? ` and ${names.length - shown} more` : "");

/**
 * The checkpoint that is the result of a stage: the best where one is kept, else the last. The last one says which is the best:
 * best.json may be older than it, if the process was killed between the two. Throws CheckpointError.
 */
export async function resultOf(folder: string): Promise<string> {
  const last = (await findCheckpoints(folder)).at(-1);
  if (!last)
    throw new CheckpointError(
      `${folder}: expected the checkpoint of an earlier stage, got none`,
      "run that stage first",
    );
  const { best } = await checkCheckpoint(last.path, { hash: false });
  const path = best ? join(folder, folderName(best.step)) : last.path;
  return (await statOf(path)) ? path : last.path;
}

/** The decoder of the codebook that a run trained, for its pictures; undefined where no stage trained one. */
export async function decoderWeights(
  folder: string,
  specs: readonly ParamSpec[],
  layouts: FamilyNames["layouts"],
): Promise<Readonly<Record<string, Tensor>> | undefined> {
  if ((await findCheckpoints(folder)).length === 0) return undefined;
  const { tensors, missing } = await readGiven(await resultOf(folder), specs, { layouts });
  return missing.length === 0 ? tensors : undefined;
}
