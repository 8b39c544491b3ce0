/** Words that no training caption has, though the texts do: what the model knows of them, it knows from texts alone. */
import type { Source } from "../../data/index.ts";
import { COMMON_NOUNS, isAtHand } from "../../datasets/index.ts";
import type { UncaptionedWords } from "../../pictures/index.ts";
import { textWords } from "../../text/index.ts";
import type { Recipe, WeightedSource } from "../recipe/types.ts";
import type { Sources } from "./inputs.ts";

/** So many words; so many caption words that they are compared with. */
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

/**
 * Reads the training captions, the captions of held-out sets, and the texts at hand. First come words of held-out captions, which say
 * what can be seen, then common nouns. No words where captions are elsewhere: they are not fetched for this.
 */
export async function uncaptionedWords(
  { data, evaluation }: Pick<Recipe, "data" | "evaluation">,
  sources: Sources,
  signal?: AbortSignal,
): Promise<UncaptionedWords> {
  const captioned = await countWords(data.pairs, sources, signal);
  if (captioned.missing) return { words: [], among: [], rule: "" };
  const written = await countWords(data.texts, sources, signal);
  const plain = Math.min(COMMONEST, Math.floor(COMMONEST_SHARE * written.counts.size));
  const commonest = new Set(commonestOf(written.counts).slice(0, plain));
  const tells = (word: string): boolean => word.length >= LEAST_LETTERS && !commonest.has(word);
  const taught = (word: string): boolean => (written.counts.get(word) ?? 0) >= LEAST_USES && !captioned.has(word);
  const shown = await heldOutWords(evaluation, sources, signal);
  const usual = commonestOf(written.counts).filter((word) => shown.has(word) && tells(word) && taught(word));
  const words = [...new Set([...usual, ...COMMON_NOUNS.filter(taught)])].slice(0, WORDS);
  const among = commonestOf(captioned.counts).filter(tells).slice(0, AMONG);
  return { words, among, rule: ruleOf(words.length, among.length, captioned.whole) };
}

function ruleOf(words: number, among: number, whole: boolean): string {
  const first = whole ? "" : ` among the first ${MOST_SAMPLES.toLocaleString("en-US")} of each source`;
  return `${words} words that no training caption${first} has, in singular or plural: the commonest in the texts of those that held-out captions have, then nouns of the Brown corpus; and their nearest among the ${among.toLocaleString("en-US")} commonest words of the captions.`;
}

/** The words of the captions of validation and test sets at hand. */
async function heldOutWords(
  { validation, test }: Recipe["evaluation"],
  sources: Sources,
  signal?: AbortSignal,
): Promise<ReadonlySet<string>> {
  const counts = new Map<string, number>();
  for (const spec of [...Object.values(validation), ...Object.values(test)])
    if (await isAtHand(spec)) await countInto(counts, await sources.open(spec), signal);
  return new Set(counts.keys());
}

interface Counted {
  readonly counts: ReadonlyMap<string, number>;
  /** Whether every source was read to its end. */
  readonly whole: boolean;
  /** Whether a source is not at hand. */
  readonly missing: boolean;
  /** Whether a word was read, in singular or plural. */
  has(word: string): boolean;
}

async function countWords(given: readonly WeightedSource[], sources: Sources, signal?: AbortSignal): Promise<Counted> {
  const counts = new Map<string, number>();
  let whole = true;
  let missing = false;
  for (const one of given) {
    if (await isAtHand(one.source)) whole = (await countInto(counts, await sources.training(one), signal)) && whole;
    else missing = true;
  }
  const has = (word: string): boolean => [word, `${word}s`, word.replace(/s$/, "")].some((form) => counts.has(form));
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
