/** What a source can train: pairs, images or texts. Nonsense is refused with what to try. */
import { DataError } from "../../errors.ts";
import type { DataKind } from "../recipe/types.ts";
import type { Survey } from "./survey.ts";

const count = (n: number): string => n.toLocaleString("en-US");
/** Fewer teach nothing: some are held out, and a contrastive batch compares two or more. */
const MIN_SAMPLES = 4;

/** What the source is used as. Throws DataError where it is of no use. */
export function useOf(survey: Survey, asked?: DataKind): DataKind {
  const { name, looked, pictures, captions, pairs, distinctCaptions } = survey;
  if (looked === 0)
    throw new DataError(`${name}: expected samples that can be used, got none${reasons(survey)}`, whatToTry(survey));
  const kind = asked ?? (pairs > 0 ? "pairs" : pictures > 0 ? "images" : "texts");
  const usable = { pairs, images: pictures, texts: captions }[kind];
  if (usable === 0)
    throw new DataError(
      `${name}: expected ${WORDS[kind]}, got ${count(looked)} samples with none${reasons(survey)}`,
      `it holds ${pictures > 0 ? "pictures" : "texts"}: give it as ${pictures > 0 ? "SOURCE or --images" : "SOURCE or --texts"}`,
    );
  if (usable < MIN_SAMPLES)
    throw new DataError(
      `${name}: expected ${MIN_SAMPLES} or more samples with ${WORDS[kind]}, got ${count(usable)}${reasons(survey)}`,
      "add more; a hundred are enough to see that it learns, thousands to learn something",
    );
  if (kind !== "images" && distinctCaptions === 1)
    throw new DataError(
      `${name}: expected captions that differ, got ${count(captions)} times the same`,
      kind === "pairs"
        ? "is the right column read (--text-column)? --ignore-captions trains on the pictures alone"
        : "is the right column read (--text-column)?",
    );
  return kind;
}

const WORDS: Readonly<Record<DataKind, string>> = {
  pairs: "a picture and a caption each",
  images: "pictures",
  texts: "texts",
};

/** The commonest reasons, and how many there are. */
function reasons({ bad }: Survey): string {
  if (bad.length === 0) return "";
  const counts = new Map<string, number>();
  for (const { reason } of bad) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const [first, ...others] = [...counts].sort(([, a], [, b]) => b - a);
  const example = bad.find(({ reason }) => reason === first![0])!.key;
  return `; ${count(bad.length)} cannot be used, ${count(first![1])} of them like ${example}: ${first![0]}${others.length > 0 ? ` (and ${others.length} other reasons)` : ""}`;
}

function whatToTry({ bad }: Survey): string {
  const all = bad.map(({ reason }) => reason).join("\n");
  if (/outside: true/.test(all))
    return "--outside lets the table name pictures elsewhere, --images DIR says where they lie";
  if (/ENOENT|no such file|got none/i.test(all)) return "are the pictures elsewhere? --images DIR says in which folder";
  if (/no image and no text|image path is missing|caption is missing/.test(all))
    return "which columns are they? --image-column and --text-column name them";
  return bad.length === 0
    ? "is it the right file?"
    : "flava data inspect lists why; are they the right files, and whole?";
}
