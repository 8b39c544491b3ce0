/** Captions of the starter data, worded in another way each time a picture is seen: one word, a phrase, a list of tags, a definition. */
import { permutation, type Random } from "../../tensor/index.ts";
import type { Sample } from "../sources/source.ts";

/** Shares of the wordings of a caption; what a picture lacks (tags, a definition) makes room for its name. */
const WORDINGS = { name: 0.3, tag: 0.06, someTags: 0.28, allTags: 0.26, definition: 0.1 } as const;
/** Of names alone: how many get an article, how many are a plural. */
const ARTICLES = 0.2;
const PLURALS = 0.15;
/** A caption of some tags has at most so many. */
const SOME = 4;

/**
 * A caption for a training step, as people write them: the name alone ("tulip", "a tulip", "tulips"), a tag alone, the name with some or
 * all tags in random order, or the name with a definition. Samples without a name and tags in `meta` get one of their texts.
 */
export function starterCaption({ texts = [], meta }: Sample, rng: Random): string {
  const tags = tagsOf(meta?.tags);
  if (typeof meta?.name !== "string") return texts.length === 0 ? "" : texts[rng.integer(texts.length)]!;
  const definition = typeof meta.definition === "string" ? meta.definition : undefined;
  const wording = wordingOf(rng.uniform());
  if (wording === "definition" && definition !== undefined) return `${meta.name}: ${definition}`;
  if (wording === "name" || tags.length === 0 || (definition === undefined && wording === "definition"))
    return nameAlone(meta.name, rng);
  if (wording === "tag") return tags[rng.integer(tags.length)]!;
  const count = wording === "someTags" ? 1 + rng.integer(Math.min(SOME, tags.length)) : tags.length;
  return [meta.name, ...draw(tags, count, rng)].join(", ");
}

function wordingOf(drawn: number): keyof typeof WORDINGS {
  let sum = 0;
  for (const [wording, share] of Object.entries(WORDINGS)) {
    sum += share;
    if (drawn < sum) return wording as keyof typeof WORDINGS;
  }
  return "name";
}

/** "tulip", "a tulip" or "tulips"; longer names and those of signs as they are. */
function nameAlone(name: string, rng: Random): string {
  const [article, plural] = [rng.uniform() < ARTICLES, rng.uniform() < PLURALS];
  if (!/^[\p{Ll} -]+$/u.test(name) || name.split(" ").length > 2) return name;
  if (plural) return pluralOf(name);
  return article ? `${/^[aeiou]/.test(name) ? "an" : "a"} ${name}` : name;
}

/** The regular plural; a name that ends in s stays as it is, as it may be one. */
export function pluralOf(name: string): string {
  if (/s$/.test(name)) return name;
  if (/(x|z|ch|sh)$/.test(name)) return `${name}es`;
  if (/[^aeiou]y$/.test(name)) return `${name.slice(0, -1)}ies`;
  if (/(^|\s|[a-z])(man|woman)$/.test(name)) return name.replace(/man$/, "men");
  return `${name}s`;
}

/** `count` of the items, in random order. */
const draw = (items: readonly string[], count: number, rng: Random): string[] =>
  Array.from(permutation(items.length, rng).subarray(0, count), (i) => items[i]!);

/** How tags travel in `meta`: joined by ", ", so they may hold no comma. */
export function joinTags(tags: readonly string[]): string {
  return tags.map((tag) => tag.replaceAll(",", " ").trim()).join(", ");
}

function tagsOf(tags: unknown): string[] {
  return typeof tags === "string" && tags !== "" ? tags.split(", ") : [];
}

/** The caption that evaluations use, the same each time: the label and its first tags (all of them by default). */
export function evaluationCaption(
  label: string,
  tags: readonly string[],
  maxTags: number = Number.POSITIVE_INFINITY,
): string {
  return [label, ...tags.slice(0, maxTags)].join(", ");
}
