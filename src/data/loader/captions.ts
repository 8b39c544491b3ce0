/** Which caption of a sample a step reads, and what stands in for it in a negative pair. */
import { type Random, random } from "../../tensor/index.ts";
import type { DrawKey } from "../batch/index.ts";
import { type CaptionMode, type Sample, tagList } from "../sources/index.ts";
import { starterCaption } from "./tag-captions.ts";

/** The caption of this draw; undefined where the sample has none. */
export function drawCaption(sample: Sample, mode: CaptionMode, draw: DrawKey): string | undefined {
  return pick(sample, mode, random(draw.seed, `caption:${draw.stream}`, draw.epoch, draw.ordinal));
}

function pick(sample: Sample, mode: CaptionMode, rng: Random): string | undefined {
  const { texts = [] } = sample;
  if (texts.length === 0) return undefined;
  if (mode === "tags") return starterCaption(sample, rng);
  return mode === "first" || texts.length === 1 ? texts[0] : texts[rng.integer(texts.length)];
}

const TRIES = 32;

/**
 * A caption of another sample, for image–text matching: FLAVA §3.2, torchmultimodal replaces 10 %. Undefined where the
 * sample keeps its own: with probability 1 − ratio, and where the block has no other. A sample that shares a caption (or
 * a name) with this one is no other: its captions may well describe this picture. The other sample is drawn from the
 * same block of the stream, so nothing but the block is held in memory.
 */
export function drawNegative(
  sample: Sample,
  block: readonly { readonly sample: Sample }[],
  ratio: number,
  mode: CaptionMode,
  draw: DrawKey,
): string | undefined {
  const rng = random(draw.seed, `itm:${draw.stream}`, draw.epoch, draw.ordinal);
  if (rng.uniform() >= ratio) return undefined;
  const other = drawOther(sample, block, rng);
  return other && pick(other, mode, rng);
}

/** The caption or, half of the time where tags are read, the tags of another sample (Oscar+); nothing with probability 1 − ratio. */
export function drawMismatch(
  sample: Sample,
  block: readonly { readonly sample: Sample }[],
  { ratio, mode, tags }: { readonly ratio: number; readonly mode: CaptionMode; readonly tags: boolean },
  draw: DrawKey,
): { readonly negative?: string; readonly otherTags?: readonly string[] } {
  const rng = random(draw.seed, `mismatch:${draw.stream}`, draw.epoch, draw.ordinal);
  if (rng.uniform() >= ratio) return {};
  const ofTags = rng.uniform() < 0.5 && tags;
  const other = drawOther(sample, block, rng);
  if (other === undefined) return {};
  const list = ofTags ? tagsOf(other) : undefined;
  const caption = pick(other, mode, rng);
  return list ? { otherTags: list } : caption === undefined ? {} : { negative: caption };
}

/** The names of the objects in a picture: a detector's, or the starter data's tags. */
export const tagsOf = ({
  regions,
  meta,
}: {
  readonly [K in "regions" | "meta"]?: Sample[K] | undefined;
}): readonly string[] | undefined => regions?.tags ?? tagList(meta?.tags);

/** Another sample of the block: none that shares a wording with this one. */
function drawOther(sample: Sample, block: readonly { readonly sample: Sample }[], rng: Random): Sample | undefined {
  const own = new Set(wordings(sample));
  const differs = (other: Sample): boolean =>
    other.texts !== undefined && !wordings(other).some((text) => own.has(text));
  for (let i = 0; i < TRIES; i++) {
    const { sample: other } = block[rng.integer(block.length)]!;
    if (differs(other)) return other;
  }
  const offset = rng.integer(block.length);
  for (let i = 0; i < block.length; i++) {
    const { sample: other } = block[(offset + i) % block.length]!;
    if (differs(other)) return other;
  }
  return undefined;
}

const wordings = ({ texts = [], meta }: Sample): string[] =>
  [...texts, ...(typeof meta?.name === "string" ? [meta.name] : [])].map(plainText);

/** Two captions with the same plain text read the same to an uncased tokenizer: case, accents and spacing do not count. */
export const plainText = (text: string): string =>
  text
    .normalize("NFD")
    .replace(/\p{Mn}/gu, "")
    .toLowerCase()
    .replace(/\s+/g, " ")
    .trim();
