/**
 * BERT's token masking (Devlin et al. 2018 §3.1): of the selected tokens 80 % become `[MASK]`, 10 % a random id, 10 % stay.
 * Selection is per token (each with the probability, as in Hugging Face's collator) or by whole words (its whole-word
 * collator, used for FLAVA's pairs in torchmultimodal). Specials and padding are never selected, and every text that has
 * a maskable token gets at least one target, so that no batch is without targets.
 */
import { ConfigError } from "../errors.ts";
import { type Random, random } from "../tensor/index.ts";
import { selectTokens, selectWords } from "./select.ts";
import type { TokenKinds } from "./tokenizer.ts";

/** The label of a token that is no target. */
export const IGNORE = -100;

export interface MaskOptions {
  /** Share of tokens to select. Default 0.15. */
  readonly probability?: number | undefined;
  /** Selects words (a token with the `##` pieces after it) as wholes. Default false. */
  readonly wholeWord?: boolean | undefined;
  /** Kt: the most targets of a text. Beyond it tokens, or whole words, are un-selected at random. Default: no bound but T. */
  readonly maxTargets?: number | undefined;
  /** Share of selected tokens that become `[MASK]`. Default 0.8. */
  readonly maskShare?: number | undefined;
  /** Share of selected tokens that become a random id. Default 0.1; the rest stay as they are. */
  readonly randomShare?: number | undefined;
  /** Whether a random id may be a special token. Default true: uniform over the whole vocabulary, as in the reference. */
  readonly randomSpecials?: boolean | undefined;
}

/** Masked texts, row after row: (B, T) and (B, Kt). */
export interface MaskedTexts {
  /** (B, T) */
  readonly inputIds: Int32Array;
  /** (B, T): the original id where selected, −100 elsewhere. */
  readonly labels: Int32Array;
  /** (B, Kt): the selected indexes 0..T−1 in ascending order, then 0. */
  readonly positions: Int32Array;
  /** (B, Kt): the original ids at `positions`, then −100. */
  readonly targets: Int32Array;
  /** (B): how many targets each text has. */
  readonly counts: Int32Array;
  readonly rows: number;
  readonly length: number;
  readonly maxTargets: number;
}

/** Which draws to use: text `row` of the batch draws from `random(seed, purpose, step, firstSample + row)`. */
export interface MaskDraw {
  readonly seed: number;
  readonly step: number;
  /** Default 0. */
  readonly firstSample?: number | undefined;
  /** Default `"token-mask"`. */
  readonly purpose?: string | undefined;
}

/**
 * A bound Kt that a text of `length` tokens rarely passes with per-token selection: the mean plus three standard
 * deviations (Kt = 21 for 77 tokens, 102 for 512).
 */
export function maxMaskTargets(length: number, probability = 0.15): number {
  const deviation = Math.sqrt(length * probability * (1 - probability));
  return Math.min(length, Math.max(1, Math.ceil(length * probability + 3 * deviation)));
}

/** Masks `inputIds` (B, T), a batch of `rows` texts. The input is left as it is. */
export function maskTexts(
  inputIds: Int32Array,
  rows: number,
  kinds: TokenKinds,
  draw: MaskDraw,
  options: MaskOptions = {},
): MaskedTexts {
  const length = rows === 0 ? 0 : inputIds.length / rows;
  if (!Number.isInteger(length)) {
    throw new ConfigError(`maskTexts: expected ids in ${rows} rows of one length, got ${inputIds.length} ids`);
  }
  const { maxTargets, ...checked } = checkOptions(options, length);
  const out: MaskedTexts = {
    inputIds: Int32Array.from(inputIds),
    labels: new Int32Array(inputIds.length).fill(IGNORE),
    positions: new Int32Array(rows * maxTargets),
    targets: new Int32Array(rows * maxTargets).fill(IGNORE),
    counts: new Int32Array(rows),
    rows,
    length,
    maxTargets,
  };
  for (let row = 0; row < rows; row++) {
    const rng = random(draw.seed, draw.purpose ?? "token-mask", draw.step, (draw.firstSample ?? 0) + row);
    maskRow(out, row, kinds, rng, checked);
  }
  return out;
}

type Checked = Required<{ [K in Exclude<keyof MaskOptions, "maxTargets">]: NonNullable<MaskOptions[K]> }>;

function maskRow(out: MaskedTexts, row: number, kinds: TokenKinds, rng: Random, options: Checked): void {
  const { length, maxTargets } = out;
  const ids = out.inputIds.subarray(row * length, (row + 1) * length);
  const { pad, mask } = kinds.special;
  const select = options.wholeWord ? selectWords : selectTokens;
  const selected = select(ids, kinds, rng, options.probability, maxTargets).sort((a, b) => a - b);
  const { maskShare, randomShare, randomSpecials } = options;
  for (const [k, position] of selected.entries()) {
    const id = ids[position]!;
    if (id === pad || kinds.isSpecial[id] === 1)
      throw new Error(`internal: special token ${id} selected at ${position}`);
    out.labels[row * length + position] = id;
    out.positions[row * maxTargets + k] = position;
    out.targets[row * maxTargets + k] = id;
    const u = rng.uniform();
    if (u < maskShare) ids[position] = mask;
    else if (u < maskShare + randomShare) ids[position] = randomId(kinds, rng, randomSpecials);
  }
  out.counts[row] = selected.length;
}

function randomId({ vocabSize, isSpecial }: TokenKinds, rng: Random, specials: boolean): number {
  for (;;) {
    const id = rng.integer(vocabSize);
    if (specials || isSpecial[id] === 0) return id;
  }
}

function checkOptions(options: MaskOptions, length: number): Checked & { maxTargets: number } {
  const { probability = 0.15, maskShare = 0.8, randomShare = 0.1, maxTargets = length } = options;
  const shares = { probability, maskShare, randomShare, "maskShare + randomShare": maskShare + randomShare };
  for (const [name, share] of Object.entries(shares)) {
    if (!(share >= 0 && share <= 1 + 1e-9)) throw new ConfigError(`maskTexts: expected ${name} in 0..1, got ${share}`);
  }
  if (!(Number.isInteger(maxTargets) && maxTargets >= (length > 0 ? 1 : 0))) {
    throw new ConfigError(`maskTexts: expected maxTargets of at least 1, got ${maxTargets}`);
  }
  const { wholeWord = false, randomSpecials = true } = options;
  return { probability, maskShare, randomShare, wholeWord, randomSpecials, maxTargets };
}
