/** What only the data say of a recipe, for its plan: the words there will be, and the samples there are. Nothing is fetched or written. */
import { join } from "node:path";
import { type DataSpec, dataName, isAtHand } from "../../datasets/index.ts";
import type { SetCoverage } from "../../record/index.ts";
import type { TextTokenizer } from "../../text/index.ts";
import { DATA_KINDS, type Recipe } from "../recipe/types.ts";
import { tables as own, planOf, type Tables, withVocabulary } from "../tables.ts";
import { createSources, findTokenizer, makeTokenizer, type Sources, TOKENIZER_FILE } from "./inputs.ts";
import { countsOf, warningsOf } from "./warnings.ts";
import { wordCoverage } from "./word-coverage.ts";

/** A recipe, as far as it is known before the run. */
export interface Preview {
  /** With the vocabulary that the run will use, where that can be known. */
  readonly recipe: Recipe;
  /** How many words it will have; undefined where that is not known before the data are there. */
  readonly words: number | undefined;
  /** What the vocabulary knows of each set of texts that is at hand. */
  readonly coverage: Readonly<Record<string, SetCoverage>>;
  /** What a stage will do that its author may not expect, by stage. */
  readonly warnings: Readonly<Record<string, readonly string[]>>;
}

/** How looking at the data reports and stops. */
export interface PreviewOptions {
  readonly signal?: AbortSignal | undefined;
  readonly note: (line: string) => void;
  readonly tables?: Tables | undefined;
}

/** Looks at the data that is already here: local files, and named sets that have been fetched. Throws DataError where it is damaged. */
export async function previewRun(asked: Recipe, options: PreviewOptions): Promise<Preview> {
  const { tables = own } = options;
  const sources = createSources(asked, options.signal);
  const { recipe, tokenizer } = await asBuilt(asked, options, sources);
  const counts = await countsOf(recipe, async (given) =>
    (await allAtHand([given.source, ...(given.without ?? []).map((held) => held.source)]))
      ? sources.training(given)
      : undefined,
  );
  const warnings = Object.entries(recipe.stages).map(([name, stage]) => [
    name,
    warningsOf(stage, planOf(tables, recipe, stage), counts),
  ]);
  const coverage = tokenizer ? await wordCoverage(recipe, sources, tokenizer, options.signal) : {};
  return { recipe, words: tokenizer?.vocabSize, coverage, warnings: Object.fromEntries(warnings) };
}

/** The recipe with the vocabulary that its run will use; without a tokenizer where that is not known before the data are there. */
export async function asBuilt(
  asked: Recipe,
  options: PreviewOptions,
  sources: Sources = createSources(asked, options.signal),
): Promise<{ readonly recipe: Recipe; readonly tokenizer: TextTokenizer | undefined }> {
  const { tables = own, note } = options;
  const missing = await notAtHand(asked);
  if (missing.length > 0) note(`not at hand, and so not counted: ${missing.join(", ")}`);
  const tokenizer = await tokenizerOf(asked, sources, missing.length === 0, options);
  return { recipe: tokenizer ? withVocabulary(tables, asked, tokenizer) : asked, tokenizer };
}

async function allAtHand(specs: readonly (string | DataSpec)[]): Promise<boolean> {
  for (const spec of specs) if (!(await isAtHand(spec))) return false;
  return true;
}

async function notAtHand({ data }: Recipe): Promise<string[]> {
  const all: (string | DataSpec)[] = DATA_KINDS.flatMap((kind) =>
    data[kind].flatMap(({ source, without = [] }) => [source, ...without.map((held) => held.source)]),
  );
  const missing: string[] = [];
  for (const spec of all) if (!(await isAtHand(spec))) missing.push(dataName(spec));
  return [...new Set(missing)];
}

/** The run's tokenizer, where no text that it depends on is elsewhere. */
async function tokenizerOf(recipe: Recipe, sources: Sources, allAtHand: boolean, options: PreviewOptions) {
  const kept = await findTokenizer(join(recipe.runDir, TOKENIZER_FILE), options);
  if (kept) return kept;
  const { kind } = recipe.vocabulary;
  return allAtHand || kind === "full" || kind === "file" ? makeTokenizer(recipe, sources, options) : undefined;
}
