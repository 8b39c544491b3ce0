/**
 * Families of concepts: what is one picture in variants (genders, colours, directions, clock faces, hearts) or one name
 * under another ("guide dog" under "dog") is held out together or not at all.
 */
import { captionWords } from "./words.ts";

/** What decides a concept's family. */
export interface Named {
  readonly label: string;
  readonly subgroup: string;
}

/** Subgroups whose pictures are one template with another sign on it. */
const TEMPLATES: ReadonlySet<string> = new Set([
  "alphanum",
  "arrow",
  "award-medal",
  "cat-face",
  "family",
  "geometric",
  "heart",
  "keycap",
  "monkey-face",
  "person",
  "person-symbol",
  "punctuation",
  "zodiac",
]);

/** Series that a word in the label shows. */
const SERIES: readonly (readonly [name: string, test: RegExp])[] = [
  ["clock", /clock\b|-thirty\b/],
  ["moon", /\bmoon\b/],
  ["globe", /\bglobe\b/],
];

/** Words that tell variants apart, not concepts: colours, sizes, directions, persons, and what kind of sign it is. */
const VARIANT: ReadonlySet<string> = new Set(
  captionWords(
    "red orange yellow green blue purple brown black white grey gray pink light dark small medium large big high low " +
      "left right up down leftwards rightwards upwards downwards facing front oncoming incoming open closed " +
      "1st 2nd 3rd one two three person man woman boy girl old older face button symbol sign mark a an the of and",
  ),
);

const PREPOSITION = /\b(with|without|of|in|on|at|behind|over|from|to|for|under|not)\b/;

/** The words that name the concept, without those that only tell variants apart: "red apple" → "apple". */
export function nameOf(label: string): string {
  const words = captionWords(label.split(":")[0]!);
  const kept = trimVariants(words);
  return (kept.length > 0 ? kept : words).join(" ");
}

/** The noun a label is about: the name up to the first preposition, "umbrella with rain drops" → "umbrella". */
export function headOf(label: string): string {
  const head = label.split(":")[0]!.toLowerCase().split(PREPOSITION)[0]!;
  const kept = captionWords(head).filter((word) => !VARIANT.has(word));
  return kept.length > 0 ? kept.join(" ") : nameOf(label);
}

/** Concepts that share a key, or whose `head` ends in another's, are one family. */
export interface FamilyKeys {
  readonly keys: readonly string[];
  readonly head: string;
}

export function familyKeys({ label, subgroup }: Named): FamilyKeys {
  const series = SERIES.filter(([, test]) => test.test(label)).map(([name]) => `series ${name}`);
  const template = TEMPLATES.has(subgroup) ? [`template ${subgroup}`] : [];
  return { keys: [...series, ...template, `head ${headOf(label)}`], head: headOf(label) };
}

/** For each concept the index of the first concept of its family. */
export function joinFamilies(concepts: readonly FamilyKeys[]): readonly number[] {
  const first = new Map<string, number>();
  const parent = concepts.map((_, i) => i);
  const root = (i: number): number => {
    let at = i;
    while (parent[at] !== at) at = parent[at]!;
    return at;
  };
  const join = (i: number, j: number): void => {
    const [a, b] = [root(i), root(j)];
    parent[Math.max(a, b)] = Math.min(a, b);
  };
  for (const [i, { keys }] of concepts.entries()) {
    for (const key of keys) {
      const earlier = first.get(key);
      if (earlier === undefined) first.set(key, i);
      else join(i, earlier);
    }
  }
  for (const [i, { head }] of concepts.entries()) {
    const words = head.split(" ");
    for (let start = 1; start < words.length; start++) {
      const other = first.get(`head ${words.slice(start).join(" ")}`);
      if (other !== undefined) join(i, other);
    }
  }
  return parent.map((_, i) => root(i));
}

function trimVariants(words: readonly string[]): readonly string[] {
  let [start, end] = [0, words.length];
  while (start < end && (VARIANT.has(words[start]!) || PREPOSITION.test(words[start]!))) start++;
  while (end > start && VARIANT.has(words[end - 1]!)) end--;
  return words.slice(start, end);
}
