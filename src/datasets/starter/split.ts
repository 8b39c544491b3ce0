/**
 * Which concepts are held out: whole families, drawn by a hash, so that neither their pictures in any style nor captions
 * that name them are trained on. Or single concepts, for comparison with figures of such splits.
 */
import { fnv1a, random } from "../../tensor/index.ts";
import type { Concept } from "./concepts.ts";
import { nameOf } from "./families.ts";
import { captionWords, NameIndex } from "./words.ts";

/** `"excluded"`: not held out, but left out of training because its caption names a held-out concept. */
export type SplitName = "train" | "validation" | "test" | "excluded";

/**
 * What is held out together. `"families"`: whole families, and no training caption names them. `"concepts"`: single concepts;
 * their relatives ("woman running" of "man running") and captions that name them stay in training.
 */
export type HeldOutBy = "families" | "concepts";

export interface SplitOptions {
  /** Default `"families"`. */
  readonly by?: HeldOutBy | undefined;
  /** How many concepts to hold out for the test. Default 164, a tenth of the emoji. */
  readonly testConcepts?: number | undefined;
  /** How many single concepts to hold out for evaluation during a run, whose names and relatives stay in training. Default 64. */
  readonly validationConcepts?: number | undefined;
  /** Families larger than this stay in training. Default 4. */
  readonly maxFamily?: number | undefined;
  /** Families named by more training captions than this stay in training ("fire", "hand"). Default 10. */
  readonly maxNamedBy?: number | undefined;
}

export interface Split {
  /** By concept id. */
  readonly of: ReadonlyMap<string, SplitName>;
  /** The names of all concepts held out for the test, as `captionWords` gives them; none where single concepts are. */
  readonly names: readonly string[];
  /**
   * The picture without the tags that name what is held out; undefined where its label does, or where tags that stand side by
   * side do.
   */
  readonly allowed: <T extends Pick<Concept, "label" | "tags">>(picture: T) => T | undefined;
  /** Whether a text names what is held out. */
  readonly isNamedIn: (text: string) => boolean;
}

/** A concept's names in the form in which captions are searched. */
export function namesOf({ label, aliases }: Pick<Concept, "label" | "aliases">): string[] {
  const spelled = [label, ...aliases].map((name) => captionWords(name.split(":")[0]!).join(" "));
  return [...new Set([nameOf(label), ...aliases.map(nameOf), ...spelled])].filter((name) => name !== "");
}

/** Everything a training caption of this concept can say. */
export const fullCaption = ({ label, tags }: Pick<Concept, "label" | "tags">): string => [label, ...tags].join(", ");

/**
 * Everything again, and any two of its names side by side, as captions in random order put them: "sewing" and "needle" can
 * become "sewing, needle".
 */
function spelledOut(concept: Pick<Concept, "label" | "tags">): string[] {
  const names = [concept.label, ...concept.tags];
  const beside = names.flatMap((a) => names.flatMap((b) => (a === b ? [] : [`${a}, ${b}`])));
  return [fullCaption(concept), ...beside];
}

/**
 * Holds out families, or concepts, in the order of a hash of their id. `otherCaptions` are the captions of training pictures that are
 * no emoji; they count towards `maxNamedBy`.
 */
export function splitConcepts(
  concepts: readonly Concept[],
  otherCaptions: readonly string[],
  options: SplitOptions = {},
): Split {
  const { by = "families", testConcepts = 164, validationConcepts = 64 } = options;
  const of = new Map<string, SplitName>(concepts.map(({ id }) => [id, "train"]));
  const inTraining = (): Concept[] => concepts.filter(({ id }) => of.get(id) === "train");
  const hold = (candidates: Candidates, split: SplitName, room: number): void => {
    for (const [, members] of candidates.sort(([a], [b]) => rank(a) - rank(b))) {
      if (members.length > room) continue;
      room -= members.length;
      for (const { id } of members) of.set(id, split);
    }
  };
  hold(by === "concepts" ? singles(concepts) : familiesToDraw(concepts, otherCaptions, options), "test", testConcepts);
  const names = by === "concepts" ? [] : concepts.filter(({ id }) => of.get(id) === "test").flatMap(namesOf);
  const index = new NameIndex(names.map((name) => [name, name] as const));
  const isNamedIn = (text: string): boolean => index.find(text) !== undefined;
  const allowed: Split["allowed"] = (picture) => {
    if (isNamedIn(picture.label)) return undefined;
    const rest = { ...picture, tags: picture.tags.filter((tag) => !isNamedIn(tag)) };
    return spelledOut(rest).some(isNamedIn) ? undefined : rest;
  };
  for (const concept of inTraining()) if (allowed(concept) === undefined) of.set(concept.id, "excluded");
  hold(singles(inTraining()), "validation", validationConcepts);
  return { of, names: [...new Set(names)], allowed, isNamedIn };
}

/** What may be held out together, by its id. */
type Candidates = [id: string, members: readonly Concept[]][];

const singles = (concepts: readonly Concept[]): Candidates => concepts.map((concept) => [concept.id, [concept]]);

function familiesToDraw(
  concepts: readonly Concept[],
  otherCaptions: readonly string[],
  { maxFamily = 4, maxNamedBy = 10 }: SplitOptions,
): Candidates {
  const families = new Map<string, Concept[]>();
  for (const concept of concepts) families.set(concept.family, [...(families.get(concept.family) ?? []), concept]);
  const named = countNamed(concepts, otherCaptions);
  return [...families.entries()]
    .filter(([id, members]) => members.length <= maxFamily && (named.get(id) ?? 0) <= maxNamedBy)
    .filter(([, members]) => members.every((member) => namesOf(member).every((name) => name.length > 2)));
}

/** A number in 0..2³² that depends on the id of the family or concept alone. */
function rank(id: string): number {
  return random(2, "starter-split", fnv1a(id)).bits();
}

/** By family: how many captions outside of it name one of its concepts. */
function countNamed(concepts: readonly Concept[], otherCaptions: readonly string[]): Map<string, number> {
  const index = new NameIndex(
    concepts.flatMap((concept) => namesOf(concept).map((name) => [name, concept.family] as const)),
  );
  const counts = new Map<string, number>();
  const count = (caption: string, own: string): void => {
    const families = new Set(Array.from(index.findAll(caption), ({ owners }) => owners).flat());
    families.delete(own);
    for (const family of families) counts.set(family, (counts.get(family) ?? 0) + 1);
  };
  for (const concept of concepts) count(fullCaption(concept), concept.family);
  for (const caption of otherCaptions) count(caption, "");
  return counts;
}
