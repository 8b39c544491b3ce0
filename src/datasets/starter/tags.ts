/** Tags of concepts from other packages than emojibase-data. Captions of an unseen concept are its tags: more tags describe it better. */
import { z } from "zod";
import { DataError } from "../../errors.ts";
import { type Concept, conceptId } from "./concepts.ts";
import { openmojiEntries, ownTags } from "./openmoji.ts";
import { type PackageFiles, readJson } from "./tarball.ts";

/** Tags by the id of a concept. */
export type TagIndex = ReadonlyMap<string, readonly string[]>;

/** The tags of OpenMoji's authors; they say how things look ("banana: yellow") and what they are made of. */
export function openmojiTags(pack: PackageFiles): TagIndex {
  return new Map(openmojiEntries(pack).map((entry) => [conceptId(entry.hexcode), ownTags(entry)]));
}

const KEYWORDS = "dist/emoji-en-US.json";
const keywordsSchema: z.ZodType<Record<string, string[]>> = z.record(z.string(), z.array(z.string()));

/** The keywords of emojilib, by the characters themselves; they say what kind a thing is ("kiwi fruit: food, fruit"). */
export function emojilibTags(pack: PackageFiles): TagIndex {
  const keywords = keywordsSchema.safeParse(readJson(pack, KEYWORDS));
  if (!keywords.success) throw new DataError(`${pack.name} ${KEYWORDS}: ${z.prettifyError(keywords.error)}`);
  const idOf = (emoji: string): string =>
    conceptId(Array.from(emoji, (character) => character.codePointAt(0)!.toString(16)).join("-"));
  return new Map(
    Object.entries(keywords.data).map(([emoji, words]) => [
      idOf(emoji),
      words.map((word) => word.replaceAll("_", " ")),
    ]),
  );
}

/** Concepts with the tags of `index` behind their own, each tag once, whatever its case. */
export function withTags(concepts: readonly Concept[], index: TagIndex): readonly Concept[] {
  return concepts.map((concept) => {
    const known = new Set([concept.label, ...concept.tags].map((tag) => tag.toLowerCase()));
    const added = (index.get(concept.id) ?? []).filter((tag) => {
      const isNew = !known.has(tag.toLowerCase());
      known.add(tag.toLowerCase());
      return isNew;
    });
    return { ...concept, tags: [...concept.tags, ...added] };
  });
}
