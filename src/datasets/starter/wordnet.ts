/** WordNet's glosses (Princeton, `dict/data.*`, format wndb(5WN)): definitions, examples, and the lexicographer file of nouns. */
import { DataError } from "../../errors.ts";
import { type PackageFiles, readText } from "./tarball.ts";

export interface Gloss {
  /** Part of speech and offset, unique: "n00001740". */
  readonly id: string;
  readonly words: readonly string[];
  readonly definition: string;
  readonly examples: readonly string[];
  /** Of nouns: one of the 26 lexicographer files, such as "animal". */
  readonly supersense: string | undefined;
  /** Ids of the more general ones that it points at. */
  readonly hypernyms: readonly string[];
}

/** Names of the lexicographer files 03 to 28 (lexnames(5WN)): the supersenses of nouns. */
export const SUPERSENSES: readonly string[] =
  "Tops act animal artifact attribute body cognition communication event feeling food group location motive object person phenomenon plant possession process quantity relation shape state substance time".split(
    " ",
  );

const FIRST_NOUN_FILE = 3;

/** All glosses of nouns, verbs, adjectives and adverbs. Throws DataError at a line that is not in the format. */
export function readGlosses(pack: PackageFiles): Gloss[] {
  return ["noun", "verb", "adj", "adv"].flatMap((part) => readSynsets(pack, part));
}

/** Those of one part of speech. */
export function readSynsets(pack: PackageFiles, part: string): Gloss[] {
  return readText(pack, `dict/data.${part}`)
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("  "))
    .map((line) => parseGloss(line, `${pack.name} dict/data.${part}`));
}

/** `offset file type word-count (word id)… pointer-count … | gloss` */
export function parseGloss(line: string, file = "data"): Gloss {
  const bar = line.indexOf(" | ");
  const fields = line.slice(0, Math.max(0, bar)).split(" ");
  const [offset, lexFile, type, count] = fields;
  const words = Number.parseInt(count ?? "", 16);
  if (!/^\d{8}$/.test(offset ?? "") || !(words > 0) || fields.length < 4 + 2 * words) {
    throw new DataError(`${file}: expected a synset line, got ${JSON.stringify(line.slice(0, 80))}`);
  }
  const [definition, ...examples] = line
    .slice(bar + 3)
    .trim()
    .split(/;\s*(?=")/);
  return {
    id: `${type}${offset}`,
    words: Array.from({ length: words }, (_, i) => plainWord(fields[4 + 2 * i]!)),
    definition: (definition ?? "").replace(/;$/, "").trim(),
    examples: examples.map(unquoted).filter((example) => example !== ""),
    supersense: type === "n" ? SUPERSENSES[Number(lexFile) - FIRST_NOUN_FILE] : undefined,
    hypernyms: fields.flatMap((field, i) => (field === "@" ? `${fields[i + 2]}${fields[i + 1]}` : [])),
  };
}

/** A gloss as sentences: "tulip: any of numerous perennial bulbous herbs …. Example one. Example two." */
export function glossText({ words, definition, examples }: Gloss): string {
  return [`${words.join(", ")}: ${definition}`, ...examples.map(capitalised)].map(ended).join(" ");
}

/** "physical_entity" → "physical entity"; an adjective's place, "galore(ip)", is dropped. */
function plainWord(word: string): string {
  return word.replace(/\((a|p|ip)\)$/, "").replaceAll("_", " ");
}

/** The words between the quotation marks; a source after them is dropped. */
function unquoted(example: string): string {
  return (/^"(.*)"[^"]*$/s.exec(example.trim())?.[1] ?? example).replace(/^"|"$/g, "").trim();
}

function ended(sentence: string): string {
  return /[.!?]$/.test(sentence) ? sentence : `${sentence.replace(/[,;:]$/, "")}.`;
}

function capitalised(sentence: string): string {
  return sentence.slice(0, 1).toUpperCase() + sentence.slice(1);
}
