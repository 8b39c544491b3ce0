import { describe, expect, it } from "vitest";
import { memoryBytes } from "../io/memory.ts";
import { decodeStored, type ElementSource, readStored } from "./stored.ts";

/** A source that can fill a buffer, as files can; what it was asked for is noted. */
function fillable(bytes: Uint8Array, asked: number[] = []): ElementSource {
  return {
    slice: memoryBytes("memory", bytes).slice,
    async into(start, target) {
      asked.push(target.length);
      target.set(bytes.subarray(start, start + target.length));
    },
  };
}

describe("readStored", () => {
  it.each(["F16", "BF16"] as const)(
    "widens many %s in pieces to what they are at once, every pattern of them",
    async (kind) => {
      const bits = Uint16Array.from({ length: 3 * 65536 + 5 }, (_, i) => i & 0xffff);
      const bytes = new Uint8Array(bits.buffer);
      const asked: number[] = [];
      const found = await readStored(fillable(bytes, asked), kind, 6, bytes.length);
      const whole = decodeStored(kind, bytes.slice(6));
      expect(found).toBeInstanceOf(Float32Array);
      expect(Buffer.from(found.buffer).equals(Buffer.from(whole.buffer))).toBe(true);
      expect(asked).toEqual([1 << 18, bytes.length - 6 - (1 << 18)]);
    },
  );

  it("fails as the source does, also where the next piece fails while one is widened", async () => {
    const bytes = new Uint8Array(1 << 20);
    const source = { ...fillable(bytes), into: async (start: number) => Promise.reject(new Error(`gone at ${start}`)) };
    await expect(readStored(source, "F16", 0, bytes.length)).rejects.toThrow("gone at 0");
    const later = { ...source, into: async (start: number) => (start > 0 ? source.into(start) : undefined) };
    await expect(readStored(later, "BF16", 0, bytes.length)).rejects.toThrow("gone at 262144");
  });
});
