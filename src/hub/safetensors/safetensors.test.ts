import { readFile } from "node:fs/promises";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CheckpointError } from "../../errors.ts";
import { memoryBytes } from "../../io/memory.ts";
import { type DType, fromNumbers, halfToFloat, type Tensor, tensor, toNumbers, viewAs } from "../../tensor/index.ts";
import { readSafetensors, type Safetensors } from "./read.ts";
import { encodeSafetensors, entriesOf, type TensorEntry } from "./write.ts";

const golden = new URL("../../../test/golden/safetensors/", import.meta.url);

async function encode(entries: readonly TensorEntry[], metadata: Record<string, string> = {}): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of encodeSafetensors(entries, { metadata })) chunks.push(chunk.slice());
  return new Uint8Array(Buffer.concat(chunks));
}

const decode = (bytes: Uint8Array): Promise<Safetensors> => readSafetensors(memoryBytes("memory", bytes));

/** A file by hand: the header text as given, then the data. */
function byHand(header: string, data: readonly number[] = []): Uint8Array {
  const json = new TextEncoder().encode(header);
  const out = new Uint8Array(8 + json.length + data.length);
  new DataView(out.buffer).setUint32(0, json.length, true);
  out.set(json, 8);
  out.set(data, 8 + json.length);
  return out;
}

const MIXED: Record<string, Tensor> = {
  "weight.f32": fromNumbers([-0.5, -0.25, 0, 0.25, 0.5, 0.75], [2, 3]),
  "weight.f64": fromNumbers([Math.PI, -0, 5e-324], [3], "float64"),
  half: tensor("float16", [4], Uint16Array.of(0x3c00, 0xc100, 0x7bff, 0x0001)),
  ids: tensor("int64", [1, 2], BigInt64Array.of(-1n, 2n ** 53n + 1n)),
  positions: fromNumbers([7, -8, 2 ** 31 - 1], [3], "int32"),
  pixels: fromNumbers([0, 127, 255], [3], "uint8"),
  mask: fromNumbers([1, 0, 1, 1], [4], "bool"),
  scalar: fromNumbers([2.6592], []),
  empty: fromNumbers([], [0, 4]),
  "größe/層": fromNumbers([1, 1], [1, 1, 2]),
};

describe("safetensors", () => {
  /** What reading gives for a tensor that was written: halves are widened. */
  const asRead = (t: Tensor): Tensor =>
    t.dtype === "float16" ? tensor("float32", t.shape, halfToFloat(t.data as Uint16Array)) : t;

  it("reads every dtype of a file that the reference implementation wrote", async () => {
    const file = await decode(await readFile(new URL("mixed.safetensors", golden)));
    expect(file.metadata).toEqual({ made_by: "safetensors 0.8.0" });
    expect([...file.tensors.keys()].sort()).toEqual(Object.keys(MIXED).sort());
    for (const [name, t] of Object.entries(MIXED)) expect(await file.read(name), name).toEqual(asRead(t));
    expect(toNumbers(await file.read("half"))).toEqual([1, -2.5, 65504, 2 ** -24]);
    expect(file.tensors.get("half")).toMatchObject({ dtype: "float32", storedAs: "F16" });
  });

  it("writes the bytes that the reference implementation writes", async () => {
    const written = await encode(entriesOf(MIXED), { made_by: "safetensors 0.8.0" });
    expect(Buffer.from(written).equals(await readFile(new URL("mixed.safetensors", golden)))).toBe(true);
  });

  it("reads bfloat16 as float32", async () => {
    const file = await decode(await readFile(new URL("bf16.safetensors", golden)));
    const b = await file.read("b");
    expect(b.dtype).toBe("float32");
    expect(toNumbers(b)).toEqual([1, -2.5, 3.140625]);
  });

  it("reads a file built by hand, one byte at a time", async () => {
    const header = '{"t":{"dtype":"I32","shape":[2],"data_offsets":[0,8]}}';
    const file = await decode(byHand(header, [1, 0, 0, 0, 254, 255, 255, 255]));
    expect(toNumbers(await file.read("t"))).toEqual([1, -2]);
    await expect(file.read("u")).rejects.toThrow(/expected a tensor "u", got none/);
  });

  it("asks for a tensor only when its turn comes, and for the bytes of that tensor only", async () => {
    const asked: string[] = [];
    const entry = (name: string): TensorEntry => ({
      name,
      dtype: "float32",
      shape: [2],
      read: async () => {
        asked.push(name);
        return fromNumbers([1, 2], [2]);
      },
    });
    const stream = encodeSafetensors([entry("a"), entry("b")]);
    await stream.next();
    await stream.next();
    expect(asked).toEqual(["a"]);
    await stream.return(undefined);

    const bytes = await encode([entry("a"), entry("b")]);
    const ranges: number[] = [];
    const inner = memoryBytes("memory", bytes);
    const file = await readSafetensors({
      ...inner,
      slice: (start, end = bytes.length) => {
        ranges.push(end - start);
        return inner.slice(start, end);
      },
    });
    await file.read("b");
    expect(ranges.slice(-1)).toEqual([8]);
    expect(ranges.length).toBe(3);
  });

  it("refuses to write a name twice, or elements that are not what was announced", async () => {
    const a = entriesOf({ a: fromNumbers([1], [1]) })[0]!;
    await expect(encode([a, a])).rejects.toThrow(/got "a"/);
    await expect(encode([{ ...a, name: "__metadata__" }])).rejects.toThrow(CheckpointError);
    await expect(encode([{ ...a, shape: [2] }])).rejects.toThrow(/a: expected float32 \(2\), got float32 \(1\)/);
    await expect(encode([{ ...a, dtype: "int32" }])).rejects.toThrow(/expected int32/);
  });

  const T = '"dtype":"U8","shape":[2]';
  it.each([
    ["an empty file", new Uint8Array(0), /10 bytes or more/],
    [
      "a length beyond the file",
      Uint8Array.of(255, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0x7d),
      /header of 2 to 2 bytes, got a length of 255/,
    ],
    ["a length of 2⁶³", Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 128, 0x7b, 0x7d), /got a length of 9223372036854775808/],
    ["a header that is not JSON", byHand("{nope}"), /expected a JSON header/],
    ["a header that is not UTF-8", Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe), /expected a JSON header/],
    ["a header that is a list", byHand("[1]"), /JSON object/],
    [
      "a dtype that does not exist",
      byHand('{"t":{"dtype":"F7","shape":[1],"data_offsets":[0,1]}}', [0]),
      /t: expected a dtype among .* got "F7"/,
    ],
    [
      "a dtype from Object's prototype",
      byHand('{"t":{"dtype":"constructor","shape":[1],"data_offsets":[0,1]}}', [0]),
      /expected a dtype/,
    ],
    ["a negative size", byHand('{"t":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}}', [0]), /shape of non-negative/],
    [
      "a shape too large for its bytes",
      byHand('{"t":{"dtype":"U8","shape":[9007199254740991,9007199254740991],"data_offsets":[0,1]}}', [0]),
      /expected .* bytes for U8/,
    ],
    [
      "offsets beyond the end",
      byHand(`{"t":{${T},"data_offsets":[0,2]}}`, [0]),
      /expected a file of \d+ bytes, got \d+\n {2}help: the file was cut off/,
    ],
    [
      "bytes after the last tensor",
      byHand(`{"t":{${T},"data_offsets":[0,2]}}`, [0, 0, 0]),
      /bytes after the last tensor/,
    ],
    [
      "tensors that overlap",
      byHand(`{"a":{${T},"data_offsets":[0,2]},"b":{${T},"data_offsets":[1,3]}}`, [0, 0, 0]),
      /b: .* overlap/,
    ],
    [
      "a gap between tensors",
      byHand(`{"a":{${T},"data_offsets":[0,2]},"b":{${T},"data_offsets":[3,5]}}`, [0, 0, 0, 0, 0]),
      /b: .* gap/,
    ],
    ["offsets that run backwards", byHand(`{"a":{${T},"data_offsets":[2,0]}}`, [0, 0]), /data_offsets/],
    [
      "a name twice",
      byHand(`{"a":{${T},"data_offsets":[0,2]},"a":{${T},"data_offsets":[0,2]}}`, [0, 0]),
      /got "a" twice/,
    ],
    [
      "a name twice, once escaped",
      byHand(`{"a":{${T},"data_offsets":[0,2]},"\\u0061":{${T},"data_offsets":[0,2]}}`, [0, 0]),
      /got "a" twice/,
    ],
    ["an unknown field", byHand(`{"a":{${T},"data_offsets":[0,2],"code":"x"}}`, [0, 0]), /got code/],
    ["metadata that is not text", byHand('{"__metadata__":{"a":1}}'), /__metadata__/],
  ])("refuses %s", async (_, bytes, message) => {
    const error = await decode(bytes).then(
      () => undefined,
      (e: unknown) => e,
    );
    expect(error).toBeInstanceOf(CheckpointError);
    expect((error as Error).message).toMatch(message);
  });

  const anyTensor = fc
    .record({
      dtype: fc.constantFrom<DType>("float32", "float64", "int64", "int32", "uint8", "float16"),
      shape: fc.array(fc.nat(4), { maxLength: 3 }),
      seed: fc.uint8Array({ minLength: 1, maxLength: 8 }),
    })
    .map(({ dtype, shape, seed }) => {
      const width = { float32: 4, float64: 8, int64: 8, int32: 4, uint8: 1, float16: 2, bfloat16: 2, bool: 1 }[dtype];
      const bytes = new Uint8Array(shape.reduce((n, d) => n * d, width)).map(
        (_, i) => seed[i % seed.length]! * (i + 1),
      );
      return tensor<DType>(dtype, shape, viewAs(dtype, bytes));
    });
  const anyFile = fc.dictionary(
    fc.string({ minLength: 1, maxLength: 8 }).filter((n) => n !== "__metadata__"),
    anyTensor,
  );
  const bits = ({ data }: Tensor): Buffer => Buffer.from(data.buffer, data.byteOffset, data.byteLength);

  it("gives back the bits of any tensors under any names, halves widened", async () => {
    await fc.assert(
      fc.asyncProperty(anyFile, async (tensors) => {
        const file = await decode(await encode(entriesOf(tensors)));
        expect([...file.tensors.keys()].sort()).toEqual(Object.keys(tensors).sort());
        for (const [name, t] of Object.entries(tensors)) {
          const back = await file.read(name);
          const expected = asRead(t);
          expect([back.dtype, back.shape]).toEqual([expected.dtype, expected.shape]);
          expect(bits(back).equals(bits(expected))).toBe(true);
        }
      }),
      { numRuns: 200 },
    );
  });

  it("answers any damage with tensors of the announced size or a CheckpointError", async () => {
    const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(anyFile, damage, fc.nat(40), async (tensors, edits, cut) => {
        const bytes = await encode(entriesOf(tensors));
        for (const [at, value] of edits) bytes[at % Math.min(bytes.length, 200)] = value;
        try {
          const file = await decode(bytes.subarray(0, cut < 20 ? bytes.length - cut : bytes.length));
          for (const [name, info] of file.tensors)
            expect((await file.read(name)).data.length).toBe(info.shape.reduce((n, d) => n * d, 1));
        } catch (error) {
          expect(error).toBeInstanceOf(CheckpointError);
          refused++;
        }
      }),
      { numRuns: 1000 },
    );
    expect(refused).toBeGreaterThan(300);
  });
});
