/** What all stages of a run read: sources by their specs, each opened once, and the tokenizer with the run's vocabulary. */
import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { openSource, type PixelCache, pixelCache, type Source, type SourceSpec } from "../data/index.ts";
import { loadBertTokenizer, loadTokenizer, reducedVocabulary, type TextTokenizer } from "../data/text/index.ts";
import { saveFile } from "../hub/index.ts";
import type { FlavaConfig } from "../models/flava/index.ts";
import type { Recipe, WeightedSource } from "./recipe/types.ts";

export interface Sources {
  /** Opens a source, or gives the one that was opened before: decoded pictures are kept by source. */
  open(spec: string | SourceSpec): Promise<Source>;
  readonly pixels: PixelCache;
}

export function createSources(recipe: Recipe, signal?: AbortSignal): Sources {
  const opened = new Map<string, Promise<Source>>();
  return {
    open(spec) {
      const key = JSON.stringify(spec);
      const source = opened.get(key) ?? openSource(spec, signal ? { signal } : {});
      opened.set(key, source);
      return source;
    },
    pixels: pixelCache(recipe.data.pixelBytes),
  };
}

/** The file of a run that keeps its tokenizer, in the Hub's layout. */
export const TOKENIZER_FILE = "tokenizer.json";

/**
 * The run's tokenizer: the one that was kept at `path`, else bert-base-uncased's, reduced to the entries that the recipe's
 * texts and captions use where the recipe says so. A new one is kept.
 */
export async function runTokenizer(
  recipe: Recipe,
  sources: Sources,
  path: string,
  { signal, note }: { readonly signal?: AbortSignal | undefined; readonly note: (line: string) => void },
): Promise<TextTokenizer> {
  if (await stat(path).catch(() => undefined)) return loadTokenizer(path, signal ? { signal } : {});
  const full = await loadBertTokenizer();
  const tokenizer = recipe.vocabulary.kind === "full" ? full : await reduced(recipe, full, sources, signal, note);
  await mkdir(dirname(path), { recursive: true });
  await saveFile(path, `${JSON.stringify(tokenizer.json)}\n`, { signal });
  return tokenizer;
}

async function reduced(
  recipe: Recipe,
  full: TextTokenizer,
  sources: Sources,
  signal: AbortSignal | undefined,
  note: (line: string) => void,
): Promise<TextTokenizer> {
  const { pairs, texts } = recipe.data;
  note("reading the texts for the vocabulary…");
  const corpus: number[][] = [];
  const seen = new Set<string>();
  for (const one of [...pairs, ...texts] satisfies readonly WeightedSource[]) {
    const source = await sources.open(one.source);
    for await (const { sample } of source.samples({ signal }))
      for (const text of sample.texts ?? []) {
        if (seen.has(text)) continue;
        seen.add(text);
        corpus.push(full.ids(text));
      }
  }
  const { tokenizer } = reducedVocabulary(full, corpus, { minCount: recipe.vocabulary.minCount });
  note(
    `vocabulary: ${tokenizer.vocabSize.toLocaleString("en-US")} of ${full.vocabSize.toLocaleString("en-US")} entries, ` +
      `from ${corpus.length.toLocaleString("en-US")} texts`,
  );
  return tokenizer;
}

/** The recipe with the vocabulary that the run uses. */
export function withVocabulary(recipe: Recipe, { vocabSize, special }: TextTokenizer): Recipe {
  const text = { ...recipe.model.text, vocabSize, padTokenId: special.pad };
  return { ...recipe, model: { ...recipe.model, text } satisfies FlavaConfig };
}
