/** What WordNet says of a noun: the definition of the sense that can be seen, other words for it, and what kind of thing it is. */
import { type PackageFiles, readText } from "./tarball.ts";
import { type Gloss, readSynsets } from "./wordnet.ts";

/** Supersenses of what can be drawn. */
const THINGS: readonly string[] = ["animal", "artifact", "body", "food", "object", "person", "phenomenon", "plant"];

/** The senses of emojibase's groups; other groups hold signs and faces, which no noun defines. */
const SENSES_OF_GROUP: Readonly<Record<string, readonly string[]>> = {
  "people-body": ["person", "body"],
  "animals-nature": ["animal", "plant", "object", "phenomenon"],
  "food-drink": ["food", "plant", "artifact"],
  "travel-places": ["artifact", "object", "phenomenon"],
  activities: ["artifact"],
  objects: ["artifact", "object"],
};

/** Supersenses that say something about a thing; nearly everything else is an artifact. */
const TELLING: readonly string[] = ["animal", "body", "food", "person", "plant"];

/** Other words that a caption may get: so many for the same thing, so many for its kind. */
const SYNONYMS = 3;
const KINDS = 2;
/** Words of a definition that a caption quotes. */
const DEFINITION_WORDS = 16;

/** WordNet's nouns by their words. */
export interface Nouns {
  /** The commonest sense of a noun that can be drawn. */
  thing(name: string, group?: string): Gloss | undefined;
  /** Other words for the thing, then for its kind: "sofa" → couch, lounge, seat, furniture. */
  relatives(name: string): readonly string[];
}

/** The first words of a definition, without what stands in parentheses. */
export function shortDefinition({ definition }: Gloss): string {
  const plain = definition
    .replace(/\([^)]*\)/g, " ")
    .replace(/\s+/g, " ")
    .split(/[;:]/)[0]!
    .trim();
  return plain.split(" ").slice(0, DEFINITION_WORDS).join(" ");
}

/** Reads `dict/data.noun` and `dict/index.noun`, which lists the senses of a word, the commonest first. */
export function readNouns(pack: PackageFiles): Nouns {
  const synsets = new Map(readSynsets(pack, "noun").map((gloss) => [gloss.id, gloss]));
  const senses = new Map<string, readonly Gloss[]>();
  for (const line of readText(pack, "dict/index.noun").split("\n")) {
    if (line === "" || line.startsWith(" ")) continue;
    const fields = line.trimEnd().split(" ");
    const offsets = fields.slice(-Number(fields[2]));
    senses.set(
      fields[0]!.replaceAll("_", " "),
      offsets.flatMap((offset) => synsets.get(`n${offset}`) ?? []),
    );
  }
  const thing: Nouns["thing"] = (name, group) => {
    const wanted = group === undefined ? THINGS : (SENSES_OF_GROUP[group] ?? []);
    return senses.get(name.toLowerCase())?.find(({ supersense }) => wanted.includes(supersense ?? ""));
  };
  const relatives = (name: string): readonly string[] => {
    const gloss = thing(name);
    if (gloss === undefined) return [];
    const kinds = gloss.hypernyms.flatMap((id) => synsets.get(id)?.words.slice(0, KINDS) ?? []);
    const words = [
      ...gloss.words.slice(0, SYNONYMS + 1),
      ...kinds.slice(0, KINDS),
      ...TELLING.filter((kind) => kind === gloss.supersense),
    ];
    return [...new Set(words.map((word) => word.toLowerCase()))].filter((word) => word !== name.toLowerCase());
  };
  return { thing, relatives };
}
