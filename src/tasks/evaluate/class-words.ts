/** What prompts call the classes of a task whose data have numbers or codes for them. */
import { dirname, join } from "node:path";
import { statOf } from "../../io/index.ts";
import { readLinesOf } from "../layouts/files.ts";
import type { TaskPlace } from "../layouts/index.ts";

/** Files that come with ImageNet: lines of a WordNet id and the words of its synset. */
const SYNSETS = ["LOC_synset_mapping.txt", "synset_words.txt"];

/** A word for each name that the data have, in their order; undefined where they are numbers or codes that nothing here knows. */
export async function classWords({ task, root }: TaskPlace, names: readonly string[]): Promise<string[] | undefined> {
  const { words } = task.data;
  if (names.every((name) => /^n\d{8}$/.test(name))) return synsetWords(root, names);
  if (names.every((name) => /^\d+$/.test(name)))
    return typeof words === "object" ? numberedWords(words, names.map(Number)) : undefined;
  if (words === "countries" && names.every((name) => /^[A-Z]{2}$/.test(name))) return countries(names);
  return names.map(plain);
}

/** "AnnualCrop" and "annual_crop" → "annual crop"; hyphens between digits stay. */
const plain = (name: string): string =>
  (/^([A-Z][a-z]+){2,}$/.test(name) ? name.replace(/(?<=[a-z])(?=[A-Z])/g, " ").toLowerCase() : name).replace(
    /_+|(?<!\d)-+(?!\d)/g,
    " ",
  );

/** Numbers count from 0, or from 1 where the last class has the number of classes. */
function numberedWords(words: readonly string[], numbers: readonly number[]): string[] | undefined {
  const first = numbers.includes(words.length) ? 1 : 0;
  const found = numbers.map((number) => words[number - first]);
  return found.every((word) => word !== undefined) ? found : undefined;
}

/** By ISO 3166's codes, in English. */
function countries(codes: readonly string[]): string[] | undefined {
  const names = new Intl.DisplayNames(["en"], { type: "region", fallback: "none" });
  const found = codes.map((code) => names.of(code));
  return found.every((name) => name !== undefined) ? found : undefined;
}

/** The first word of each synset. */
async function synsetWords(root: string, ids: readonly string[]): Promise<string[] | undefined> {
  for (const file of [root, dirname(root)].flatMap((folder) => SYNSETS.map((name) => join(folder, name)))) {
    if (!(await statOf(file))) continue;
    const lines = (await readLinesOf(file)).map((line) => /^(n\d{8})\s+([^,]+)/.exec(line));
    const words = new Map(lines.flatMap((line) => (line ? [[line[1]!, line[2]!.trim()] as const] : [])));
    const found = ids.map((id) => words.get(id));
    if (found.every((word) => word !== undefined)) return found;
  }
  return undefined;
}
