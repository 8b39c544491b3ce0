import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { noiseBytes, noisePixels, pillowPasses } from "../../../test/golden/image/pictures.ts";
import { fnv1a } from "../../tensor/index.ts";
import { type Axis, axisWeights } from "../filters.ts";
import type { Filter } from "../index.ts";
import { normalizeTable, toPlanes } from "../normalize.ts";
import { type Plan, plainPasses, type View } from "../passes.ts";
import { KERNEL } from "./kernel.ts";
import { encodeModule } from "./module.ts";
import { simdPasses } from "./passes.ts";
import { simdPlanes } from "./planes.ts";
import { weightTape } from "./tape.ts";

const side = (max: number): fc.Arbitrary<number> => fc.integer({ min: 1, max });

/** A picture inside a larger one. */
const views: fc.Arbitrary<View> = fc
  .record({ width: side(50), height: side(50), left: fc.nat(9), top: fc.nat(9), right: fc.nat(9), black: fc.boolean() })
  .map(({ width, height, left, top, right, black }) => {
    const stride = (left + width + right) * 3;
    const noise = noiseBytes("views", (top + height) * stride);
    const data = black ? noise.map((byte) => (byte < 128 ? 0 : 255)) : noise;
    return { data, offset: top * stride + left * 3, stride, width, height };
  });

/** One axis of `size` pixels, whole or of a part of it. */
const axes = (size: number): fc.Arbitrary<Axis> => {
  const filter = fc.constantFrom<Filter>("box", "bilinear", "bicubic", "lanczos");
  const part = fc.tuple(fc.double({ min: 0, max: 0.5, noNaN: true }), fc.double({ min: 0.6, max: 1, noNaN: true }));
  return fc
    .tuple(filter, fc.option(part, { nil: [0, 1] as [number, number] }), side(60))
    .map(([name, [from, to], outputs]) => axisWeights(name, { size, from: from * size, to: to * size, outputs }));
};

const plans = ({ width, height }: View): fc.Arbitrary<Plan> =>
  fc.tuple(axes(width), axes(height), fc.constantFrom("both", "across", "down")).map(([across, down, passes]) => ({
    width: passes === "down" ? width : across.outputs,
    height: passes === "across" ? height : down.outputs,
    ...(passes === "down" ? {} : { across }),
    ...(passes === "across" ? {} : { down }),
  }));

describe("simdPasses", () => {
  it("gives the bytes of the plain passes, for any pictures, parts, sizes and filters", () => {
    const jobs = views.chain((view) =>
      fc.tuple(fc.constant(view), fc.array(plans(view), { minLength: 1, maxLength: 3 })),
    );
    fc.assert(
      fc.property(jobs, ([view, list]) => {
        expect(simdPasses(view, list)).toEqual(plainPasses(view, list));
      }),
      { numRuns: 150 },
    );
  });

  it("gives them for any weights, zeros and overflow included", () => {
    const weight = fc.oneof(fc.constant(0), fc.integer({ min: -(2 ** 25), max: 2 ** 25 }));
    const axis = fc.array(fc.array(weight, { minLength: 6, maxLength: 6 }), { minLength: 9, maxLength: 9 });
    fc.assert(
      fc.property(axis, axis, (across, down) => {
        const view = { data: noiseBytes("weights", 14 * 14 * 3), offset: 0, stride: 42, width: 14, height: 14 };
        const plan = { width: 9, height: 9, across: madeUp(across), down: madeUp(down) };
        expect(simdPasses(view, [plan])).toEqual(plainPasses(view, [plan]));
      }),
    );
  });

  it("gives them in memory that grew, with wide rows and many of them", () => {
    for (const [width, height] of [
      [3, 2000],
      [20_000, 7],
      [40, 40],
    ] as const) {
      const view = { data: noiseBytes("large", width * height * 3), offset: 0, stride: width * 3, width, height };
      const across = axisWeights("bicubic", { size: width, from: 0, to: width, outputs: 51 });
      const down = axisWeights("lanczos", { size: height, from: 0, to: height, outputs: 33 });
      const list = [{ width: 51, height: 33, across, down }];
      expect(simdPasses(view, list)).toEqual(plainPasses(view, list));
    }
  });

  it("leaves to the plain passes what would take more than 64 MiB", () => {
    const axis = axisWeights("box", { size: 10, from: 0, to: 10, outputs: 5000 });
    const view = { data: new Uint8Array(300), offset: 0, stride: 30, width: 10, height: 10 };
    expect(simdPasses(view, [{ width: 5000, height: 5000, across: axis, down: axis }])).toBeUndefined();
  });
});

/** An axis whose output j reads six inputs from j. Its `highest` keeps rows from being packed. */
function madeUp(rows: readonly (readonly number[])[]): Axis {
  const weights = Int32Array.from(rows.flat());
  const [first, count] = [Int32Array.from(rows, (_, j) => j), Int32Array.from(rows, () => 6)];
  const axis = { outputs: rows.length, taps: 6, first, count, weights, highest: 2 ** 31, lowest: 0 };
  const doubles = new Float64Array(weights);
  return { ...axis, doubles, tape: weightTape({ ...axis, doubles }) };
}

/** Another instance of a module's imports, as `load` makes it. */
function fresh<T>(load: () => Promise<T>): Promise<T> {
  vi.resetModules();
  return load();
}

describe("the kernel", () => {
  it("is small enough for browsers to compile at once", () => {
    const bytes = encodeModule(KERNEL, 1024);
    expect(WebAssembly.validate(bytes)).toBe(true);
    expect(bytes.length).toBeLessThan(4096);
  });
});

describe("without the kernel", () => {
  const view = { data: noiseBytes("without", 300), offset: 0, stride: 30, width: 10, height: 10 };
  const down = axisWeights("bicubic", { size: 10, from: 0, to: 10, outputs: 4 });
  const list = [{ width: 10, height: 4, down }];
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
  });

  it("resizes by the plain passes where WebAssembly is missing or forbidden", async () => {
    vi.stubGlobal("WebAssembly", undefined);
    expect((await fresh(() => import("./passes.ts"))).simdPasses(view, list)).toBeUndefined();
    const { resize } = await import("../resize.ts");
    const image = { width: 10, height: 10, data: view.data };
    expect(resize(image, 10, 4, "bicubic").data).toEqual(plainPasses(view, list)[0]);
  });

  it("makes Pillow's bytes by the plain passes too, whichever comes first", async () => {
    vi.stubGlobal("WebAssembly", undefined);
    const { resize } = await fresh(() => import("../resize.ts"));
    for (const [version, firstPass] of [
      ["12.3.0", "horizontal"],
      ["13.0.0", "cheaper"],
    ] as const)
      for (const { filter, from, to, box, hash } of pillowPasses()[version]) {
        const image = resize(noisePixels("passes", ...from), ...to, filter, { firstPass, ...(box ? { box } : {}) });
        expect(fnv1a(image.data), `${version} ${filter} ${from} → ${to} box ${box}`).toBe(hash);
      }
  });

  it("makes the same planes, to the bit, of any number of pixels", async () => {
    vi.stubGlobal("WebAssembly", undefined);
    const plain = await fresh(() => import("../normalize.ts"));
    vi.unstubAllGlobals();
    for (const width of [1, 3, 4095, 4096, 4097, 10_000]) {
      const image = { width, height: 1, data: noiseBytes("planes", width * 3) };
      expect(simdPlanes(image.data, normalizeTable(), new Float32Array(width * 3))).toBe(true);
      expect(toPlanes(image, normalizeTable())).toEqual(plain.toPlanes(image, normalizeTable()));
    }
  });

  it("throws EngineError when there is no memory", async () => {
    vi.spyOn(WebAssembly.Memory.prototype, "grow").mockImplementation(() => {
      throw new RangeError("no memory");
    });
    const { simdPasses: passes } = await fresh(() => import("./passes.ts"));
    expect(() => passes(view, list)).toThrow("bytes of memory for WebAssembly, got 0");
    expect(() => passes(view, list)).toThrow(expect.objectContaining({ code: "E_ENGINE" }));
  });
});
