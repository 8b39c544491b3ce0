/**
 * Negatives for image–text matching: a share of the pairs gets a caption of another sample (FLAVA §3.2; torchmultimodal
 * replaces 10 %). The other sample is drawn from the same block of the stream, so nothing but the block is held in memory.
 */
import { type Random, random } from "../../tensor/index.ts";
import type { Sample } from "../sources/index.ts";

const TRIES = 32;

/**
 * The caption that replaces those of `sample`, or undefined where it keeps its own: with probability 1 − ratio, and
 * where the block has no caption that differs.
 */
export function drawNegative(
  sample: Sample,
  block: readonly { readonly sample: Sample }[],
  ratio: number,
  draw: { seed: number; stream: string; epoch: number; ordinal: number },
): string | undefined {
  const rng = random(draw.seed, `itm:${draw.stream}`, draw.epoch, draw.ordinal);
  if (rng.uniform() >= ratio) return undefined;
  const own = new Set((sample.texts ?? []).map(plainText));
  for (let i = 0; i < TRIES; i++) {
    const text = pickText(block[rng.integer(block.length)]!.sample, rng);
    if (text !== undefined && !own.has(plainText(text))) return text;
  }
  const offset = rng.integer(block.length);
  for (let i = 0; i < block.length; i++)
    for (const text of block[(offset + i) % block.length]!.sample.texts ?? [])
      if (!own.has(plainText(text))) return text;
  return undefined;
}

function pickText({ texts = [] }: Sample, rng: Random): string | undefined {
  return texts.length === 0 ? undefined : texts[rng.integer(texts.length)];
}

/** Two captions with the same plain text read the same to an uncased tokenizer: case, accents and spacing do not count. */
export const plainText = (text: string): string =>
  text
    .normalize("NFD")
    .replace(/\p{Mn}/gu, "")
    .toLowerCase()
    .replace(/\s+/g, " ")
    .trim();
