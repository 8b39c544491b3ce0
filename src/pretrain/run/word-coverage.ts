/** Which words of a recipe's texts its vocabulary lacks, set by set: the model reads [UNK] in their place, or nothing. */
import type { Source } from "../../data/index.ts";
import { type DataSpec, dataName, isAtHand } from "../../datasets/index.ts";
import type { SetCoverage } from "../../record/index.ts";
import { coverageCounter, type TextTokenizer } from "../../text/index.ts";
import type { Recipe } from "../recipe/types.ts";
import type { Sources } from "./inputs.ts";

/** Samples of a set that are looked at. */
const MOST_SAMPLES = 2000;

/** By set: pairs, texts, and what is held out, in the order of the recipe. What is not at hand is not fetched for this. */
export async function wordCoverage(
  { data, evaluation }: Pick<Recipe, "data" | "evaluation">,
  sources: Sources,
  tokenizer: TextTokenizer,
  signal?: AbortSignal,
): Promise<Record<string, SetCoverage>> {
  const { validation, test, texts } = evaluation;
  const held = (kind: string, sets: Readonly<Record<string, string | DataSpec>>) =>
    Object.entries(sets).map(([name, spec]) => [`${kind} ${name}`, spec, () => sources.open(spec)] as const);
  const all: (readonly [name: string, spec: string | DataSpec, open: () => Promise<Source>])[] = [
    ...(["pairs", "texts"] as const).flatMap((kind) =>
      data[kind].map(
        (given) => [`${kind} ${dataName(given.source)}`, given.source, () => sources.training(given)] as const,
      ),
    ),
    ...held("validation", validation),
    ...held("test", test),
    ...texts.map((spec) => [`held-out texts ${dataName(spec)}`, spec, () => sources.open(spec)] as const),
  ];
  const found: Record<string, SetCoverage> = {};
  for (const [name, spec, open] of all)
    if (await isAtHand(spec)) found[name] = await coverageOf(await open(), tokenizer, signal);
  return found;
}

async function coverageOf(source: Source, tokenizer: TextTokenizer, signal?: AbortSignal): Promise<SetCoverage> {
  const counter = coverageCounter(tokenizer);
  let samples = 0;
  for await (const { sample } of source.samples({ signal })) {
    if (samples++ >= MOST_SAMPLES) break;
    for (const text of sample.texts ?? []) counter.add(text);
  }
  return { ...counter.coverage(), ...(samples > MOST_SAMPLES && { firstSamples: MOST_SAMPLES }) };
}
