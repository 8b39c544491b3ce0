/** Common nouns that no training caption has, though the texts do: what the model knows of them, it knows from texts alone. */
import type { Source } from "../../data/index.ts";
import { COMMON_NOUNS, isAtHand } from "../../datasets/index.ts";
import type { UncaptionedWords } from "../../pictures/index.ts";
import { textWords } from "../../text/index.ts";
import type { Recipe, WeightedSource } from "../recipe/types.ts";
import type { Sources } from "./inputs.ts";

/** So many nouns; so many caption words that they are compared with. */
const WORDS = 20;
const AMONG = 1000;
/** The commonest words of the texts (articles, prepositions, "time") say nothing as neighbours: so many, and at most this share of all. */
const COMMONEST = 100;
const COMMONEST_SHARE = 0.01;
const LEAST_LETTERS = 3;
/** A word that the texts have less often is hardly trained. */
const LEAST_USES = 10;
/** Samples of a source that are read: no run should wait for billions. */
const MOST_SAMPLES = 200_000;
const MOST_WORDS = 500_000;

/** Reads the training captions, and the texts at hand. No words where captions are elsewhere: they are not fetched for this. */
export async function uncaptionedWords(
  { pairs, texts }: Recipe["data"],
  sources: Sources,
  signal?: AbortSignal,
): Promise<UncaptionedWords> {
  const captioned = await countWords(pairs, sources, signal);
  if (captioned.missing) return { words: [], among: [], rule: "" };
  const written = await countWords(texts, sources, signal);
  const plain = Math.min(COMMONEST, Math.floor(COMMONEST_SHARE * written.counts.size));
  const commonest = new Set(commonestOf(written.counts).slice(0, plain));
  const among = commonestOf(captioned.counts).filter((word) => word.length >= LEAST_LETTERS && !commonest.has(word));
  const uses = (word: string): number => written.counts.get(word) ?? 0;
  const words = COMMON_NOUNS.filter((noun) => uses(noun) >= LEAST_USES && !captioned.has(noun)).slice(0, WORDS);
  const first = captioned.whole ? "" : ` among the first ${MOST_SAMPLES.toLocaleString("en-US")} of each source`;
  const rule = `The ${words.length} commonest nouns of the Brown corpus that no training caption${first} has, in singular or plural, and their nearest among the ${Math.min(AMONG, among.length).toLocaleString("en-US")} commonest words of the captions.`;
  return { words, among: among.slice(0, AMONG), rule };
}

interface Counted {
  readonly counts: ReadonlyMap<string, number>;
  /** Whether every source was read to its end. */
  readonly whole: boolean;
  /** Whether a source is not at hand. */
  readonly missing: boolean;
  /** Whether a noun was read, in singular or plural. */
  has(noun: string): boolean;
}

async function countWords(given: readonly WeightedSource[], sources: Sources, signal?: AbortSignal): Promise<Counted> {
  const counts = new Map<string, number>();
  let whole = true;
  let missing = false;
  for (const one of given) {
    if (await isAtHand(one.source)) whole = (await countInto(counts, await sources.training(one), signal)) && whole;
    else missing = true;
  }
  const has = (noun: string): boolean => [noun, `${noun}s`, noun.replace(/s$/, "")].some((form) => counts.has(form));
  return { counts, whole, missing, has };
}

/** Whether the source was read to its end. */
async function countInto(counts: Map<string, number>, source: Source, signal?: AbortSignal): Promise<boolean> {
  let samples = 0;
  for await (const { sample } of source.samples({ signal })) {
    if (samples++ >= MOST_SAMPLES) return false;
    for (const text of sample.texts ?? [])
      for (const word of textWords(text.toLowerCase()))
        if (counts.has(word) || counts.size < MOST_WORDS) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return true;
}

/** Words of letters, the commonest first. */
const commonestOf = (counts: ReadonlyMap<string, number>): string[] =>
  [...counts]
    .filter(([word]) => /^\p{L}+$/u.test(word))
    .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
    .map(([word]) => word);
