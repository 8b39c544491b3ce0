/** Captions of the starter data: the label of a picture and its tags, in another order each time it is seen. */
import { permutation, type Random } from "../../tensor/index.ts";
import type { Sample } from "../sources/source.ts";

export interface CaptionOptions {
  /** The most tags a caption may get. Default: all. */
  readonly maxTags?: number | undefined;
}

/**
 * A caption for a training step, joined by ", ": the label, then all tags (or `maxTags` of them) in random order. Evaluations read
 * all tags too; with some of them left out in training, unseen things are found less often. Samples without `meta.tags` get
 * one of their texts.
 */
export function starterCaption(
  { texts = [], meta }: Sample,
  rng: Random,
  { maxTags = Number.POSITIVE_INFINITY }: CaptionOptions = {},
): string {
  const tags = tagsOf(meta?.tags);
  if (tags.length === 0) return texts.length === 0 ? "" : texts[rng.integer(texts.length)]!;
  const label = typeof meta?.name === "string" ? meta.name : (texts[0] ?? "");
  return [label, ...draw(tags, Math.min(tags.length, maxTags), rng)].join(", ");
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
