/** What all stages of a run read: sources by their specs, each opened once, and the tokenizer with the run's vocabulary. */
import { dirname, join } from "node:path";
import { type PixelCache, pixelCache, type Source, sharedSource, withoutSource } from "../../data/index.ts";
import { type DataSpec, openData } from "../../datasets/index.ts";
import { ConfigError } from "../../errors.ts";
import { makeFolder, saveFile, statOf } from "../../io/index.ts";
import { findRunInfo } from "../../record/index.ts";
import { reducedVocabulary, type TextTokenizer, tokenizerHash } from "../../text/index.ts";
import { loadBertTokenizer, loadTokenizer } from "../../text/load.node.ts";
import type { Recipe, WeightedSource } from "../recipe/types.ts";

/** The sources of a run, each opened once. */
export interface Sources {
  /** Opens a source, or gives the one that was opened before: decoded pictures are kept by source. */
  open(spec: string | DataSpec): Promise<Source>;
  /** A source of the training data, without what it must not share with a held-out set. */
  training(given: WeightedSource): Promise<Source>;
  readonly pixels: PixelCache;
}

/** `note` is called when a server keeps us waiting. */
export function createSources(recipe: Recipe, signal?: AbortSignal, note?: (line: string) => void): Sources {
  const opened = new Map<string, Promise<Source>>();
  const once = (key: string, make: () => Promise<Source>): Promise<Source> => {
    const source = opened.get(key) ?? make();
    opened.set(key, source);
    return source;
  };
  const open = (spec: string | DataSpec): Promise<Source> =>
    once(JSON.stringify(spec), () => openData(spec, { signal, note }));
  return {
    open,
    training({ source, share, without = [] }) {
      if (without.length === 0 && share === undefined) return open(source);
      return once(JSON.stringify([source, share, without]), async () => {
        let left = share === undefined ? await open(source) : sharedSource(await open(source), share);
        for (const { source: held, by } of without) left = withoutSource(left, { source: await open(held), by });
        return left;
      });
    },
    pixels: pixelCache(recipe.data.pixelBytes),
  };
}

/** The file of a run that keeps its tokenizer, in the Hub's layout. */
export const TOKENIZER_FILE = "tokenizer.json";

/**
 * The run's tokenizer: the one that was kept at `path`, else bert-base-uncased's, or where the recipe says so another model's or one
 * over what its texts and captions use. A new one is kept.
 */
export async function runTokenizer(
  recipe: Recipe,
  sources: Sources,
  path: string,
  { signal, note }: { readonly signal?: AbortSignal | undefined; readonly note: (line: string) => void },
): Promise<TextTokenizer> {
  const kept = await findTokenizer(path, { signal });
  if (kept) return kept;
  const tokenizer = await makeTokenizer(recipe, sources, { signal, note });
  await makeFolder(dirname(path));
  await saveFile(path, `${JSON.stringify(tokenizer.json)}\n`, { signal });
  return tokenizer;
}

/** The tokenizer that a run has kept, if it has. */
export const findTokenizer = async (
  path: string,
  { signal }: { readonly signal?: AbortSignal | undefined },
): Promise<TextTokenizer | undefined> =>
  (await statOf(path)) ? loadTokenizer(path, signal ? { signal } : {}) : undefined;

/** A new one, as the recipe says. */
export async function makeTokenizer(
  recipe: Recipe,
  sources: Sources,
  { signal, note }: { readonly signal?: AbortSignal | undefined; readonly note: (line: string) => void },
): Promise<TextTokenizer> {
  const { kind, path: given } = recipe.vocabulary;
  const full = given === null ? await loadBertTokenizer() : await loadTokenizer(given, signal ? { signal } : {});
  if (given !== null) note(`vocabulary: ${full.vocabSize.toLocaleString("en-US")} entries, those of ${given}`);
  return kind === "reduced" ? ofCorpus(recipe, full, sources, signal, note) : full;
}

/**
 * Throws ConfigError where the folder's tokenizer is not the one that its run began with: the weights would stand for other words,
 * and nothing else would show it.
 */
export async function checkTokenizer(runDir: string, tokenizer: TextTokenizer): Promise<void> {
  const began = (await findRunInfo(runDir))?.tokenizer;
  if (began === undefined || began === (await tokenizerHash(tokenizer.json))) return;
  throw new ConfigError(
    `${join(runDir, TOKENIZER_FILE)}: expected the tokenizer that this run began with, got another`,
    "put the old file back; for other words start a new run, with init.text from this one's checkpoint",
  );
}

async function ofCorpus(
  { data, vocabulary: { minCount, minCaptionCount } }: Recipe,
  full: TextTokenizer,
  sources: Sources,
  signal: AbortSignal | undefined,
  note: (line: string) => void,
): Promise<TextTokenizer> {
  note("reading the texts for the vocabulary…");
  const [captions, texts] = [new Map<string, number[]>(), new Map<string, number[]>()];
  for (const [list, into] of [
    [data.pairs, captions],
    [data.texts, texts],
  ] as const)
    for (const given of list)
      for await (const { sample } of (await sources.training(given)).samples({ signal }))
        for (const text of sample.texts ?? []) if (!into.has(text)) into.set(text, full.ids(text));
  const keep = frequentIds(captions.values(), full.vocabSize, minCaptionCount);
  const { tokenizer } = reducedVocabulary(full, [...captions.values(), ...texts.values()], { minCount, keep });
  note(
    `vocabulary: ${tokenizer.vocabSize.toLocaleString("en-US")} entries, from ` +
      `${captions.size.toLocaleString("en-US")} different captions and ${texts.size.toLocaleString("en-US")} different texts`,
  );
  return tokenizer;
}

function frequentIds(texts: Iterable<readonly number[]>, vocabSize: number, minCount: number): number[] {
  const counts = new Uint32Array(vocabSize);
  for (const ids of texts) for (const id of ids) counts[id] = counts[id]! + 1;
  return [...counts.keys()].filter((id) => counts[id]! >= minCount);
}
