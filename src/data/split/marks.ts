/** What makes two samples belong together when data are divided: a picture, a caption, or the thing that short captions name. */
import { createHash } from "node:crypto";
import type { Sample } from "../sources/index.ts";

/**
 * What samples on two sides of a split must not share. concept: a picture, a caption, or the head word of captions of up to
 * three words. caption: a picture or a caption. sample: the picture together with its captions.
 */
export type SplitBy = "concept" | "caption" | "sample";

export const SPLIT_BY: readonly ["concept", "caption", "sample"] = ["concept", "caption", "sample"];

const ARTICLES = new Set(["a", "an", "the"]);
/** What follows these says more of the thing, and is not its name: "bird of paradise", "girl with a pearl earring". */
const LINKS = new Set(["of", "with", "in", "on", "at", "for", "from", "by", "to", "and", "or"]);
/** Longer captions are sentences: their last word is not what they are about. */
const MAX_NAME_WORDS = 3;

/** A caption's words: lower case (NFKC), letters and digits only, without articles. */
export const captionWords = (caption: string): string[] =>
  caption
    .normalize("NFKC")
    .toLowerCase()
    .split(/[^\p{L}\p{M}\p{N}]+/u)
    .filter((word) => word !== "" && !ARTICLES.has(word));

/** Captions that differ in case, punctuation or articles are one. One without letters and digits is taken as it stands. */
export function normalCaption(caption: string): string {
  const words = captionWords(caption).join(" ");
  return words === "" ? caption.normalize("NFKC").trim() : words;
}

/** The thing that a short caption names, in the singular: "two red apples" → "apple"; undefined for longer captions. */
export function headWord(caption: string): string | undefined {
  const words = captionWords(caption);
  if (words.length === 0 || words.length > MAX_NAME_WORDS) return undefined;
  const link = words.findIndex((word) => LINKS.has(word));
  return singular(words.at(link > 0 ? link - 1 : -1)!);
}

function singular(word: string): string {
  if (word.length < 4 || !word.endsWith("s") || /(ss|us|is)$/.test(word)) return word;
  if (word.endsWith("ies")) return word.length > 4 ? `${word.slice(0, -3)}y` : word.slice(0, -1);
  return /(s|x|z|ch|sh)es$/.test(word) ? word.slice(0, -2) : word.slice(0, -1);
}

/** The marks of a sample: two samples belong together if they share one. Pictures count by their bytes. */
export function marksOf({ image, texts = [] }: Sample, by: SplitBy): string[] {
  const picture = image && createHash("sha256").update(image).digest("base64");
  if (by === "sample") return [`s${picture ?? ""} ${JSON.stringify([...texts].sort())}`];
  const marks = picture === undefined ? [] : [`p${picture}`];
  for (const text of texts) {
    marks.push(`c${normalCaption(text)}`);
    const head = by === "concept" ? headWord(text) : undefined;
    if (head !== undefined) marks.push(`h${head}`);
  }
  return [...new Set(marks)];
}
