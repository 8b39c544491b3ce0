/**
 * Vectors of words from the company they keep: positive pointwise mutual information of words that stand near each other, and its
 * leading eigenvectors (Levy and Goldberg, "Neural word embedding as implicit matrix factorization", NIPS 2014; Halko et al.,
 * arXiv:0909.4061, for the eigenvectors).
 */
import type { Random } from "../../tensor/index.ts";

/** A square matrix, row by row: the columns of row i are `columns.subarray(starts[i], starts[i + 1])`. */
export interface SparseRows {
  readonly size: number;
  readonly starts: Int32Array;
  readonly columns: Int32Array;
  readonly values: Float32Array;
}

export interface CompanyOptions {
  /** Number of words: ids are below it. */
  readonly words: number;
  /** How far apart two words may stand. */
  readonly window: number;
  /** Lets others have a turn, and throws when cancelled. */
  turn?(): Promise<void>;
}

/** Words of a larger share of the text count less, as in word2vec's subsampling (Mikolov et al., arXiv:1310.4546). */
const FREQUENT = 1e-4;

/** How often each two words stand within `window` of each other, weighted by how rare they are; symmetric. Texts of ids. */
export async function company(texts: readonly Int32Array[], options: CompanyOptions): Promise<SparseRows> {
  const { words, window, turn } = options;
  const weight = rarity(countOf(texts, words));
  const { tokens, places, starts } = placesOf(texts, words, window);
  const [columns, values] = [new Growing(Int32Array), new Growing(Float32Array)];
  const rows = new Int32Array(words + 1);
  const sums = new Float64Array(words);
  for (let word = 0; word < words; word++) {
    const met: number[] = [];
    for (let k = starts[word]!; k < starts[word + 1]!; k++) {
      const at = places[k]!;
      for (let other = at - window; other <= at + window; other++) {
        const id = tokens[other]!;
        if (id < 0 || other === at) continue;
        if (sums[id] === 0) met.push(id);
        sums[id] = sums[id]! + weight[word]! * weight[id]!;
      }
    }
    for (const id of met) {
      columns.push(id);
      values.push(sums[id]!);
      sums[id] = 0;
    }
    rows[word + 1] = columns.length;
    if (word % 256 === 0) await turn?.();
  }
  return { size: words, starts: rows, columns: columns.taken(), values: values.taken() };
}

function countOf(texts: readonly Int32Array[], words: number): Float64Array {
  const counts = new Float64Array(words);
  for (const ids of texts) for (const id of ids) counts[id] = counts[id]! + 1;
  return counts;
}

function rarity(counts: Float64Array): Float64Array {
  const total = counts.reduce((sum, count) => sum + count, 0);
  return counts.map((count) => Math.min(1, Math.sqrt((FREQUENT * total) / Math.max(1, count))));
}

/** All texts in a row, `window` times −1 around each; where each word stands in it. */
function placesOf(texts: readonly Int32Array[], words: number, window: number) {
  const length = texts.reduce((sum, { length }) => sum + length + window, window);
  const tokens = new Int32Array(length).fill(-1);
  let at = window;
  for (const ids of texts) {
    tokens.set(ids, at);
    at += ids.length + window;
  }
  const starts = new Int32Array(words + 1);
  for (const id of tokens) if (id >= 0) starts[id + 1] = starts[id + 1]! + 1;
  for (let word = 0; word < words; word++) starts[word + 1] = starts[word + 1]! + starts[word]!;
  const next = starts.slice();
  const places = new Int32Array(starts[words]!);
  for (const [place, id] of tokens.entries()) {
    if (id < 0) continue;
    places[next[id]!] = place;
    next[id] = next[id]! + 1;
  }
  return { tokens, places, starts };
}

/** Logarithms of how much more often than by chance two words meet; what is not above 0 is left out. */
export function positiveInformation({ size, starts, columns, values }: SparseRows): SparseRows {
  const sums = new Float64Array(size);
  for (let i = 0; i < size; i++) for (let k = starts[i]!; k < starts[i + 1]!; k++) sums[i] = sums[i]! + values[k]!;
  const total = sums.reduce((sum, value) => sum + value, 0);
  const [kept, logs, rows] = [
    new Int32Array(columns.length),
    new Float32Array(columns.length),
    new Int32Array(size + 1),
  ];
  let count = 0;
  for (let i = 0; i < size; i++) {
    for (let k = starts[i]!; k < starts[i + 1]!; k++) {
      const information = Math.log((values[k]! * total) / (sums[i]! * sums[columns[k]!]!));
      if (!(information > 0)) continue;
      kept[count] = columns[k]!;
      logs[count++] = information;
    }
    rows[i + 1] = count;
  }
  return { size, starts: rows, columns: kept.subarray(0, count), values: logs.subarray(0, count) };
}

export interface EigenOptions {
  readonly rank: number;
  readonly rng: Random;
  turn?(): Promise<void>;
}

/** Rounds of the subspace iteration: nearest words hardly change after so many. */
const ROUNDS = 3;

/** Rows of U·√|Λ| of a symmetric matrix, (size, rank): the eigenvectors of the largest eigenvalues in size. */
export async function leadingVectors(matrix: SparseRows, { rank, rng, turn }: EigenOptions): Promise<Float32Array> {
  const { size } = matrix;
  let basis = Float32Array.from({ length: size * rank }, () => rng.normal());
  for (let round = 0; round < ROUNDS; round++) {
    basis = await times(matrix, basis, rank, turn);
    orthonormalize(basis, size, rank);
  }
  const { values, vectors } = eigen(inner(basis, await times(matrix, basis, rank, turn), size, rank));
  const scaled = vectors.map((row) => row.map((value, k) => value * Math.sqrt(Math.abs(values[k]!))));
  const out = new Float32Array(size * rank);
  for (let i = 0; i < size; i++)
    for (let a = 0; a < rank; a++) {
      const value = basis[i * rank + a]!;
      if (value === 0) continue;
      const row = scaled[a]!;
      for (let k = 0; k < rank; k++) out[i * rank + k] = out[i * rank + k]! + value * row[k]!;
    }
  return out;
}

/** The matrix times (size, rank). */
async function times(
  { size, starts, columns, values }: SparseRows,
  right: Float32Array,
  rank: number,
  turn?: () => Promise<void>,
): Promise<Float32Array<ArrayBuffer>> {
  const out = new Float32Array(size * rank);
  for (let i = 0; i < size; i++) {
    const at = i * rank;
    for (let k = starts[i]!; k < starts[i + 1]!; k++) {
      const [from, value] = [columns[k]! * rank, values[k]!];
      for (let a = 0; a < rank; a++) out[at + a] = out[at + a]! + value * right[from + a]!;
    }
    if (i % 1024 === 0) await turn?.();
  }
  return out;
}

/** Aᵀ·B of two (size, rank), symmetric up to rounding: made so. */
function inner(a: Float32Array, b: Float32Array, size: number, rank: number): Float64Array[] {
  const out = Array.from({ length: rank }, () => new Float64Array(rank));
  for (let i = 0; i < size; i++)
    for (let p = 0; p < rank; p++) {
      const [value, row] = [a[i * rank + p]!, out[p]!];
      for (let q = 0; q < rank; q++) row[q] = row[q]! + value * b[i * rank + q]!;
    }
  for (let p = 0; p < rank; p++) for (let q = 0; q < p; q++) out[p]![q] = out[q]![p] = (out[p]![q]! + out[q]![p]!) / 2;
  return out;
}

/** Columns of (size, rank) made orthonormal in place, each against those before it; one without a part of its own becomes 0. */
function orthonormalize(basis: Float32Array, size: number, rank: number): void {
  for (let c = 0; c < rank; c++) {
    const before = columnNorm(basis, size, rank, c);
    subtractEarlier(basis, size, rank, c);
    const norm = columnNorm(basis, size, rank, c);
    const scale = norm > 1e-6 * before ? 1 / norm : 0;
    for (let i = c; i < basis.length; i += rank) basis[i] = basis[i]! * scale;
  }
}

/** Takes the parts along columns 0…c − 1 from column c. */
function subtractEarlier(basis: Float32Array, size: number, rank: number, c: number): void {
  const along = new Float64Array(c);
  for (let i = 0, at = 0; i < size; i++, at += rank)
    for (let k = 0; k < c; k++) along[k] = along[k]! + basis[at + k]! * basis[at + c]!;
  for (let i = 0, at = 0; i < size; i++, at += rank) {
    let value = basis[at + c]!;
    for (let k = 0; k < c; k++) value -= along[k]! * basis[at + k]!;
    basis[at + c] = value;
  }
}

function columnNorm(basis: Float32Array, size: number, rank: number, column: number): number {
  let sum = 0;
  for (let i = 0; i < size; i++) sum += basis[i * rank + column]! ** 2;
  return Math.sqrt(sum);
}

const SWEEPS = 30;

/** Eigenvalues of a symmetric matrix, and its eigenvectors as columns, by Jacobi's rotations; largest first in size. */
export function eigen(matrix: readonly Float64Array[]): { values: Float64Array; vectors: Float64Array[] } {
  const n = matrix.length;
  const a = matrix.map((row) => row.slice());
  const v = Array.from({ length: n }, (_, i) => Float64Array.from({ length: n }, (_, j) => Number(i === j)));
  for (let sweep = 0; sweep < SWEEPS && offDiagonal(a) > 1e-24 * Math.max(1e-300, diagonal(a)); sweep++)
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) rotate(a, v, p, q);
  const order = Array.from(a.keys()).sort((i, j) => Math.abs(a[j]![j]!) - Math.abs(a[i]![i]!));
  return {
    values: Float64Array.from(order, (k) => a[k]![k]!),
    vectors: v.map((row) => Float64Array.from(order, (k) => row[k]!)),
  };
}

const diagonal = (a: readonly Float64Array[]): number => a.reduce((sum, row, i) => sum + row[i]! ** 2, 0);
const offDiagonal = (a: readonly Float64Array[]): number =>
  a.reduce((sum, row, i) => sum + row.reduce((part, value, j) => (i === j ? part : part + value ** 2), 0), 0);

/** Makes a[p][q] 0. */
function rotate(a: readonly Float64Array[], v: readonly Float64Array[], p: number, q: number): void {
  if (a[p]![q] === 0) return;
  const theta = (a[q]![q]! - a[p]![p]!) / (2 * a[p]![q]!);
  const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.sqrt(theta ** 2 + 1));
  const c = 1 / Math.sqrt(t ** 2 + 1);
  const s = t * c;
  for (const rows of [a, v])
    for (const row of rows) [row[p], row[q]] = [c * row[p]! - s * row[q]!, s * row[p]! + c * row[q]!];
  const [above, below] = [a[p]!, a[q]!];
  for (let k = 0; k < above.length; k++)
    [above[k], below[k]] = [c * above[k]! - s * below[k]!, s * above[k]! + c * below[k]!];
}

/** Numbers of a typed array whose length is not known before. */
class Growing<T extends Int32Array | Float32Array> {
  #data: T;
  length = 0;
  readonly #make: new (
    length: number,
  ) => T;

  constructor(make: new (length: number) => T) {
    this.#make = make;
    this.#data = new make(1 << 16);
  }

  push(value: number): void {
    if (this.length === this.#data.length) {
      const larger = new this.#make(2 * this.length);
      larger.set(this.#data);
      this.#data = larger;
    }
    this.#data[this.length++] = value;
  }

  taken(): T {
    return this.#data.slice(0, this.length) as T;
  }
}
