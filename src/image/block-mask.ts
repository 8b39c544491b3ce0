/** Block-wise patch masking (BEiT, arXiv:2106.08254 §2.3, its masking_generator.py; FLAVA's image and multimodal masking use the same). */
import { ConfigError, ShapeError } from "../errors.ts";
import type { Random } from "../tensor/index.ts";
import { roundHalfEven } from "./crop.ts";

export interface BlockMaskOptions {
  /** Patches down and across. */
  readonly rows: number;
  readonly columns: number;
  /** Patches to mask. Never exceeded; now and then not reached. */
  readonly total: number;
  /** Fewest patches of a block, as drawn. Default 16, as BEiT's runs and FLAVA (BEiT's class says 4). */
  readonly minBlock?: number;
  /** Most patches of a block. Default `total`. */
  readonly maxBlock?: number;
  /** Bounds of height / width. Default 0.3 and its inverse. */
  readonly minAspect?: number;
  readonly maxAspect?: number;
}

/** FLAVA's: 75 of 14×14 patches. */
export const FLAVA_BLOCK_MASK: BlockMaskOptions = { rows: 14, columns: 14, total: 75, minBlock: 16 };

/** FLAVA's shares (75 and 16 of 196) for another grid, for small models. 14×14 gives FLAVA_BLOCK_MASK. */
export function scaledBlockMask(rows: number, columns: number): BlockMaskOptions {
  const share = (of196: number): number => Math.max(1, Math.round((of196 / 196) * rows * columns));
  return { rows, columns, total: share(75), minBlock: share(16) };
}

/**
 * One mask: rows · columns bytes, row-major, 1 where masked. Blocks of random area and shape are laid down until `total` is met or ten
 * attempts in a row fail. Draws, per attempt: area, aspect ratio, and only if the size fits top, then left.
 */
export function blockMask(options: BlockMaskOptions, rng: Random): Uint8Array {
  checkOptions(options);
  const mask = new Uint8Array(options.rows * options.columns);
  const { total, maxBlock = total } = options;
  for (let count = 0; count < total; ) {
    const added = layBlock(mask, Math.min(total - count, maxBlock), options, rng);
    if (added === 0) break;
    count += added;
  }
  return mask;
}

/** Tries up to ten blocks that mask between 1 and `most` new patches; returns how many the first such block masked, or 0. */
function layBlock(mask: Uint8Array, most: number, options: BlockMaskOptions, rng: Random): number {
  const { rows, columns, minBlock = 16, minAspect = 0.3, maxAspect = 1 / minAspect } = options;
  const [low, high] = [Math.log(minAspect), Math.log(maxAspect)];
  for (let attempt = 0; attempt < 10; attempt++) {
    // Near the end `most` is below minBlock and the uniform draw runs downward, as in the original.
    const area = minBlock + (most - minBlock) * rng.uniform();
    const aspect = Math.exp(low + (high - low) * rng.uniform());
    const height = roundHalfEven(Math.sqrt(area * aspect));
    const width = roundHalfEven(Math.sqrt(area / aspect));
    if (height >= rows || width >= columns) continue;
    const top = rng.integer(rows - height + 1);
    const left = rng.integer(columns - width + 1);
    const cells = blockCells(top, left, height, width, columns).filter((cell) => mask[cell] === 0);
    if (cells.length === 0 || cells.length > most) continue;
    for (const cell of cells) mask[cell] = 1;
    return cells.length;
  }
  return 0;
}

function blockCells(top: number, left: number, height: number, width: number, columns: number): number[] {
  return Array.from({ length: height * width }, (_, i) => (top + Math.floor(i / width)) * columns + left + (i % width));
}

export interface MaskPositions {
  /** Indices of the masked patches in rising order, padded with 0. */
  readonly positions: Int32Array;
  /** 1 where `positions` holds a patch, 0 where it is padding. */
  readonly valid: Uint8Array;
}

/** The masked patches as a list of fixed length `capacity`. Throws ShapeError when they do not fit. */
export function maskPositions(mask: Uint8Array, capacity: number): MaskPositions {
  const positions = new Int32Array(capacity);
  const valid = new Uint8Array(capacity);
  let count = 0;
  for (let patch = 0; patch < mask.length; patch++) {
    if (mask[patch] === 0) continue;
    if (count < capacity) positions[count] = patch;
    count++;
  }
  if (count > capacity)
    throw new ShapeError(
      `maskPositions: expected at most ${capacity} masked patches, got ${count}`,
      "raise the capacity to the mask's total",
    );
  valid.fill(1, 0, count);
  return { positions, valid };
}

function checkOptions({
  rows,
  columns,
  total,
  minBlock = 16,
  maxBlock = total,
  minAspect = 0.3,
  maxAspect = 1 / minAspect,
}: BlockMaskOptions): void {
  const wrong = (name: string, expected: string, got: number): ConfigError =>
    new ConfigError(
      `blockMask: ${name}: expected ${expected}, got ${got}`,
      "scaledBlockMask(rows, columns) gives FLAVA's shares for any grid",
    );
  if (!Number.isInteger(rows) || rows < 1) throw wrong("rows", "an integer ≥ 1", rows);
  if (!Number.isInteger(columns) || columns < 1) throw wrong("columns", "an integer ≥ 1", columns);
  if (!Number.isInteger(total) || total < 0 || total > rows * columns)
    throw wrong("total", `an integer in 0..${rows * columns}`, total);
  if (!(minBlock > 0)) throw wrong("minBlock", "a number > 0", minBlock);
  if (!(maxBlock >= 1)) throw wrong("maxBlock", "a number ≥ 1", maxBlock);
  if (!(minAspect > 0 && maxAspect >= minAspect))
    throw wrong("maxAspect", `a number ≥ minAspect (${minAspect}) > 0`, maxAspect);
}
