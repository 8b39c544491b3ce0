/** Which pictures and captions are each other's candidates, and which wrong captions are hard to distinguish from the right one. */
import { plainText } from "../data/index.ts";
import { fnv1a, random } from "../tensor/index.ts";
import type { Pair } from "./pair-set.ts";
import { topK } from "./retrieval.ts";

/** A caption that pictures are compared with. */
export interface Candidate {
  readonly text: string;
  readonly concept: string;
  /** A narrow kind of thing that the concept is of, where the data say so. */
  readonly subgroup: string | undefined;
}

/** Pictures and captions that are each other's candidates. */
export interface Gallery {
  readonly pairs: readonly Pair[];
  readonly texts: readonly Candidate[];
}

/**
 * One gallery a group. Where the data name concepts, each has one caption, its first; elsewhere all captions of all pictures
 * are candidates.
 */
export function galleries(pairs: readonly Pair[]): Gallery[] {
  const groups = new Map<string, Pair[]>();
  for (const pair of pairs) groups.set(pair.group, [...(groups.get(pair.group) ?? []), pair]);
  return [...groups.values()].map((members) => ({ pairs: members, texts: candidates(members) }));
}

function candidates(pairs: readonly Pair[]): Candidate[] {
  const found = new Map<string, Candidate>();
  for (const { concept, caption, captions, meta } of pairs) {
    const subgroup = typeof meta?.subgroup === "string" ? meta.subgroup : undefined;
    const named = meta?.concept !== undefined;
    for (const text of named ? [caption] : captions) {
      const id = JSON.stringify(named ? [concept] : [concept, plainText(text)]);
      if (!found.has(id)) found.set(id, { text, concept, subgroup });
    }
  }
  return [...found.values()];
}

/**
 * For each picture a caption that is not its own: one of the same subgroup, drawn by the picture's key alone, where the data
 * have subgroups; else the one that `scored` ranks highest, row i for picture i (absent: one at random). Undefined where the
 * gallery has no other caption. What reads as one of the picture's own captions is not taken for wrong.
 */
export function hardNegatives(
  { pairs, texts }: Gallery,
  seed: number,
  scored?: (picture: number) => Float32Array,
): (string | undefined)[] {
  return pairs.map(({ key, concept, captions, meta }, i) => {
    const own = new Set(captions.map(plainText));
    const wrong = texts.flatMap((t, at) => (t.concept === concept || own.has(plainText(t.text)) ? [] : [{ ...t, at }]));
    if (wrong.length === 0) return undefined;
    const related = wrong.filter(({ subgroup }) => subgroup !== undefined && subgroup === meta?.subgroup);
    if (related.length === 0 && scored) {
      const row = scored(i);
      return wrong[
        topK(
          Float32Array.from(wrong, ({ at }) => row[at]!),
          1,
        )[0]!
      ]!.text;
    }
    const pool = related.length > 0 ? related : wrong;
    return pool[random(seed, "evaluation:itm", fnv1a(key)).integer(pool.length)]!.text;
  });
}
