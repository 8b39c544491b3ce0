/** Samples that share a mark, also through others, as groups: union-find over marks that are kept as numbers alone. */
import { createHash } from "node:crypto";

/** Groups of what was added, in the order in which it was added. */
export interface Groups {
  /** The group of each sample: the number of the first sample in it. */
  readonly of: Int32Array;
  /** How many samples each group has, by that number. */
  readonly sizes: ReadonlyMap<number, number>;
}

/** Puts samples together as they come. About 30 bytes a sample and a mark. */
export class Grouping {
  #parents = new Int32Array(1 << 12);
  #owners = new MarkTable();
  count = 0;

  /** The next sample, with its marks. */
  add(marks: readonly string[]): void {
    if (this.count === this.#parents.length) this.#parents = grown(this.#parents);
    const sample = this.count++;
    this.#parents[sample] = sample;
    for (const mark of marks) {
      const first = this.#root(this.#owners.ownerOf(mark, sample));
      const own = this.#root(sample);
      if (first < own) this.#parents[own] = first;
      else this.#parents[first] = own;
    }
  }

  groups(): Groups {
    const of = new Int32Array(this.count);
    const sizes = new Map<number, number>();
    for (let i = 0; i < this.count; i++) {
      const root = this.#root(i);
      of[i] = root;
      sizes.set(root, (sizes.get(root) ?? 0) + 1);
    }
    return { of, sizes };
  }

  #root(sample: number): number {
    const parents = this.#parents;
    let at = sample;
    while (parents[at] !== at) {
      parents[at] = parents[parents[at]!]!; // halves the way of the next search
      at = parents[at]!;
    }
    return at;
  }
}

function grown(array: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(array.length * 2);
  larger.set(array);
  return larger;
}

/**
 * From a mark to the first sample that had it, by 52 bits of its hash: of ten million marks two become one with a chance of a
 * percent, which only puts two groups together.
 */
class MarkTable {
  #keys = new Float64Array(1 << 13);
  #samples = new Int32Array(1 << 13);
  #count = 0;

  ownerOf(mark: string, sample: number): number {
    if (this.#count * 2 >= this.#keys.length) this.#grow();
    const digest = createHash("sha256").update(mark).digest();
    const key = digest.readUIntBE(0, 6) * 16 + (digest[6]! & 15) + 1; // 0 is an empty place
    const at = this.#place(key);
    if (this.#keys[at] === key) return this.#samples[at]!;
    this.#keys[at] = key;
    this.#samples[at] = sample;
    this.#count++;
    return sample;
  }

  #place(key: number): number {
    const last = this.#keys.length - 1;
    let at = key % this.#keys.length;
    while (this.#keys[at] !== 0 && this.#keys[at] !== key) at = at === last ? 0 : at + 1;
    return at;
  }

  #grow(): void {
    const [keys, samples] = [this.#keys, this.#samples];
    this.#keys = new Float64Array(keys.length * 2);
    this.#samples = new Int32Array(keys.length * 2);
    for (const [i, key] of keys.entries()) {
      if (key === 0) continue;
      const at = this.#place(key);
      this.#keys[at] = key;
      this.#samples[at] = samples[i]!;
    }
  }
}
