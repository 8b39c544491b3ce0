import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { noisePixels, pillowGoldens, pillowPasses } from "../../test/golden/image/pictures.ts";
import { ShapeError } from "../errors.ts";
import { fnv1a } from "../tensor/index.ts";
import { type Axis, axisWeights } from "./filters.ts";
import { type Box, crop, cropResize, type Filter, type Pixels, pixels, resize, resizeEach } from "./index.ts";
import { packingError } from "./packed-rows.ts";

/** Pillow's algorithm again, from its description: float64 weights per output, rounded to 22 bits, BigInt sums. Slow and plain. */
function naiveResize(image: Pixels, width: number, height: number, filter: Filter, box: Box): Pixels {
  const [left, top, right, bottom] = box.map(Math.fround) as unknown as Box;
  if ([left, top].every(Number.isInteger) && right - left === width && bottom - top === height)
    return naiveCrop(image, left, top, width, height);
  const wide =
    width === image.width && left === 0 && right === width ? image : naiveColumns(image, width, filter, left, right);
  if (height === image.height && top === 0 && bottom === height) return wide;
  return transpose(naiveColumns(transpose(wide), height, filter, top, bottom));
}

function naiveColumns(image: Pixels, width: number, filter: Filter, from: number, to: number): Pixels {
  const data = new Uint8ClampedArray(width * image.height * 3);
  const scale = Math.fround(to - from) / width;
  const stretch = Math.max(1, scale);
  const support = NAIVE[filter][0] * stretch;
  for (let x = 0; x < width; x++) {
    const center = from + (x + 0.5) * scale;
    const low = Math.max(Math.trunc(center - support + 0.5), 0);
    const high = Math.min(Math.trunc(center + support + 0.5), image.width);
    const raw: number[] = [];
    for (let k = low; k < high; k++) raw.push(NAIVE[filter][1]((k - center + 0.5) * (1 / stretch)));
    const total = raw.reduce((a, b) => a + b, 0);
    const weights = raw.map((w) => {
      const scaled = (total === 0 ? w : w / total) * 4194304;
      return BigInt(scaled < 0 ? Math.ceil(scaled - 0.5) : Math.floor(scaled + 0.5));
    });
    for (let y = 0; y < image.height; y++)
      for (let c = 0; c < 3; c++) {
        let sum = 1n << 21n;
        for (let k = low; k < high; k++) sum += weights[k - low]! * BigInt(image.data[(y * image.width + k) * 3 + c]!);
        data[(y * width + x) * 3 + c] = Number(sum >> 22n); // clamped
      }
  }
  return pixels(width, image.height, new Uint8Array(data.buffer));
}

const NAIVE: Record<Filter, [number, (x: number) => number]> = {
  box: [0.5, (x) => (x > -0.5 && x <= 0.5 ? 1 : 0)],
  bilinear: [1, (x) => (Math.abs(x) < 1 ? 1 - Math.abs(x) : 0)],
  bicubic: [2, (x) => naiveCubic(Math.abs(x))],
  lanczos: [3, (x) => (x === 0 ? 1 : Math.abs(x) >= 3 && x !== -3 ? 0 : naiveSinc(x) * naiveSinc(x / 3))],
};
const naiveSinc = (x: number): number => (x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI));
const naiveCubic = (x: number): number =>
  x < 1 ? (1.5 * x - 2.5) * x * x + 1 : x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0;

function transpose(image: Pixels): Pixels {
  const data = new Uint8Array(image.data.length);
  for (let y = 0; y < image.height; y++)
    for (let x = 0; x < image.width; x++)
      for (let c = 0; c < 3; c++) data[(x * image.height + y) * 3 + c] = image.data[(y * image.width + x) * 3 + c]!;
  return pixels(image.height, image.width, data);
}

function naiveCrop(image: Pixels, left: number, top: number, width: number, height: number): Pixels {
  const at = (i: number): number => {
    const [x, y] = [left + (Math.floor(i / 3) % width), top + Math.floor(i / 3 / width)];
    return image.data[(y * image.width + x) * 3 + (i % 3)]!;
  };
  return pixels(
    width,
    height,
    Uint8Array.from({ length: width * height * 3 }, (_, i) => at(i)),
  );
}

const pixelAt = ({ width, data }: Pixels, row: number, column: number): number[] => [
  ...data.slice((row * width + column) * 3, (row * width + column) * 3 + 3),
];

const filters = fc.constantFrom<Filter>("box", "bilinear", "bicubic", "lanczos");
const side = (max: number): fc.Arbitrary<number> =>
  fc.oneof({ weight: 1, arbitrary: fc.constant(1) }, { weight: 5, arbitrary: fc.integer({ min: 1, max }) });

describe("resize", () => {
  // Reference: Pillow 12.3 on made-up noise; Hugging Face's FlavaImageProcessor gives the same bytes.
  it.each([
    [37, 29, 224, "bicubic", 19076697, 0x37e53e10, [230, 6, 226], [234, 42, 4], [110, 15, 222]],
    [37, 29, 112, "lanczos", 4768784, 0x38969855, [255, 6, 229], [103, 112, 154], [117, 26, 249]],
    [300, 400, 224, "bicubic", 19219790, 0xed4bb2af, [91, 64, 170], [71, 116, 138], [125, 156, 222]],
    [300, 400, 112, "lanczos", 4805029, 0xd6215f98, [145, 131, 131], [147, 140, 122], [159, 133, 170]],
    [224, 224, 224, "bicubic", 19224162, 0x776a3ae7, [185, 26, 205], [14, 164, 77], [201, 16, 70]],
    [224, 224, 112, "lanczos", 4805653, 0x1ce5439c, [107, 128, 118], [165, 106, 127], [94, 76, 86]],
  ] as const)("makes Pillow's bytes of %i×%i noise at %i, %s", (w, h, size, filter, sum, hash, first, middle, last) => {
    const image = resize(noisePixels("flava-test-image", w, h), size, size, filter);
    expect(image.data.reduce((a, b) => a + b, 0)).toBe(sum);
    expect(fnv1a(image.data)).toBe(hash);
    expect([pixelAt(image, 0, 0), pixelAt(image, 100, 50), pixelAt(image, size - 1, size - 1)]).toEqual([
      first,
      middle,
      last,
    ]);
  });

  it("makes Pillow's bytes with every filter, with and without a box", () => {
    for (const { filter, from, to, box, hash } of pillowGoldens().resize) {
      const image = resize(noisePixels("resize", ...from), ...to, filter, box ? { box } : {});
      expect(fnv1a(image.data), `${filter} ${from} → ${to} box ${box}`).toBe(hash);
    }
  });

  it.each([
    ["12.3.0", undefined],
    ["12.3.0", "horizontal"],
    ["13.0.0", "cheaper"],
  ] as const)("makes the bytes of Pillow %s of tall pictures, firstPass %s", (version, firstPass) => {
    for (const { filter, from, to, box, hash } of pillowPasses()[version]) {
      const image = resize(noisePixels("passes", ...from), ...to, filter, { firstPass, ...(box ? { box } : {}) });
      expect(fnv1a(image.data), `${filter} ${from} → ${to} box ${box}`).toBe(hash);
    }
  });

  it("shows which pass came first where the height shrinks by more than twice the pixels of the width", () => {
    const differs = ([w, h]: readonly [number, number], to: readonly [number, number]): boolean => {
      const image = noisePixels("passes", w, h);
      const [old, now] = (["horizontal", "cheaper"] as const).map((firstPass) =>
        resize(image, ...to, "bicubic", { firstPass }),
      );
      return fnv1a(old!.data) !== fnv1a(now!.data);
    };
    expect(differs([40, 101], [10, 40])).toBe(true);
    expect(differs([40, 100], [10, 40])).toBe(false);
    expect(differs([24, 143], [24, 24])).toBe(false);
  });

  it("equals the naive version on any sizes", () => {
    fc.assert(
      fc.property(side(40), side(40), side(30), side(30), filters, fc.integer(), (w, h, ow, oh, filter, seed) => {
        const image = noisePixels(`${seed}`, w, h);
        expect(resize(image, ow, oh, filter)).toEqual(naiveResize(image, ow, oh, filter, [0, 0, w, h]));
      }),
      { numRuns: 300 },
    );
  });

  it("equals the naive version on any box", () => {
    const unit = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(
        side(30),
        side(30),
        side(24),
        side(24),
        filters,
        fc.tuple(unit, unit, unit, unit),
        (w, h, ow, oh, filter, u) => {
          const [left, top] = [u[0] * w * 0.99, u[1] * h * 0.99];
          const box: Box = [
            left,
            top,
            left + (w - left) * Math.max(0.01, u[2]),
            top + (h - top) * Math.max(0.01, u[3]),
          ];
          const image = noisePixels("box", w, h);
          expect(resize(image, ow, oh, filter, { box })).toEqual(naiveResize(image, ow, oh, filter, box));
        },
      ),
      { numRuns: 300 },
    );
  });

  it("equals the naive version where sums fall on rounding boundaries", () => {
    // Averages of two bytes with weights ½ end exactly between two bytes: the packed rows must decide them as integers do.
    const image = noisePixels("ties", 64, 33);
    for (const filter of ["box", "bilinear", "bicubic", "lanczos"] as const)
      expect(resize(image, 32, 33, filter)).toEqual(naiveResize(image, 32, 33, filter, [0, 0, 64, 33]));
  });

  it("equals the naive version on black and white, where overshoot is largest", () => {
    const noise = noisePixels("extremes", 57, 31);
    const image = pixels(
      57,
      31,
      noise.data.map((v) => (v < 128 ? 0 : 255)),
    );
    for (const filter of ["bicubic", "lanczos"] as const)
      for (const width of [20, 57, 90])
        expect(resize(image, width, 31, filter)).toEqual(naiveResize(image, width, 31, filter, [0, 0, 57, 31]));
  });

  it("equals the naive version when very many pixels fall on one", () => {
    const image = noisePixels("long", 3000, 3);
    expect(resize(image, 2, 3, "lanczos")).toEqual(naiveResize(image, 2, 3, "lanczos", [0, 0, 3000, 3]));
    expect(resize(image, 40, 3, "lanczos")).toEqual(naiveResize(image, 40, 3, "lanczos", [0, 0, 3000, 3]));
  });

  it("keeps a flat picture flat and never touches its input", () => {
    const image = pixels(17, 9, new Uint8Array(17 * 9 * 3).fill(201));
    expect(resize(image, 40, 5, "lanczos").data.every((v) => v === 201)).toBe(true);
    const noise = noisePixels("input", 20, 20);
    const before = noise.data.slice();
    const same = resize(noise, 20, 20, "bicubic");
    same.data.fill(0);
    resize(noise, 7, 31, "bicubic");
    expect(noise.data).toEqual(before);
  });

  it("refuses sizes and boxes that make no sense", () => {
    const image = noisePixels("bad", 10, 10);
    for (const size of [0, -1, 2.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => resize(image, size, 5, "bicubic")).toThrow(ShapeError);
      expect(() => resize(image, 5, size, "bicubic")).toThrow(ShapeError);
    }
    expect(() => resize(image, 2 ** 20, 2 ** 20, "bicubic")).toThrow("at most 1073741824 bytes, got 3298534883328");
    for (const box of [
      [-1, 0, 5, 5],
      [0, 0, 11, 5],
      [5, 0, 5, 5],
      [0, 6, 5, 5],
      [0, 0, Number.NaN, 5],
    ] as const)
      expect(() => resize(image, 5, 5, "bicubic", { box })).toThrow("expected a box inside 10×10");
  });
});

describe("axisWeights", () => {
  it("keeps what was used last, within its memory", () => {
    const axis = (size: number): Axis => axisWeights("box", { size, from: 0, to: size, outputs: 16 });
    const first = axis(200_000);
    expect(axis(200_000)).toBe(first);
    // Each takes 3.2 MB of the 32: twenty do not fit beside the first, which stays as long as it is used.
    for (let size = 200_001; size <= 200_020; size++) {
      axis(size);
      if (size <= 200_005) expect(axis(200_000)).toBe(first);
    }
    const again = axis(200_000);
    expect(again).not.toBe(first);
    expect(again.first).toEqual(first.first);
  });
});

describe("packingError", () => {
  it("lets the fast loop take every FLAVA and DINO size, and knows where it must not", () => {
    for (const size of [48, 64, 96, 112, 224])
      for (const from of [1, 2, 3, 5, 20, 100, size, 640, 1500])
        for (const filter of ["bilinear", "bicubic", "lanczos"] as const) {
          const axis = axisWeights(filter, { size: from, from: 0, to: from, outputs: size });
          expect(packingError(axis), `${filter} ${from} → ${size}`).toBeDefined();
        }
    const axis = axisWeights("bicubic", { size: 640, from: 0, to: 640, outputs: 224 });
    expect(packingError({ ...axis, highest: 2 ** 31 })).toBeUndefined();
    expect(packingError({ ...axis, lowest: -(2 ** 29) - 2 ** 21 })).toBeUndefined();
    expect(packingError({ ...axis, taps: 514 })).toBeUndefined();
  });
});

describe("cropResize", () => {
  it("equals cutting and then resizing", () => {
    fc.assert(
      fc.property(side(30), side(30), side(30), side(30), filters, (w, h, ow, oh, filter) => {
        const image = noisePixels("crop", w + 7, h + 5);
        const region = { left: 4, top: 3, width: w, height: h };
        expect(cropResize(image, region, ow, oh, filter)).toEqual(resize(crop(image, region), ow, oh, filter));
        expect(crop(image, region)).toEqual(naiveCrop(image, 4, 3, w, h));
      }),
    );
  });

  it("does not see beyond the region, where a box does", () => {
    const image = noisePixels("edges", 40, 40);
    const region = { left: 10, top: 10, width: 20, height: 20 };
    const boxed = resize(image, 10, 10, "bicubic", { box: [10, 10, 30, 30] });
    const cut = cropResize(image, region, 10, 10, "bicubic");
    expect(cut).not.toEqual(boxed);
    expect(pixelAt(cut, 5, 5)).toEqual(pixelAt(boxed, 5, 5));
  });

  it("makes several sizes in one go, each with its own first pass", () => {
    const image = noisePixels("each", 40, 120);
    const region = { left: 3, top: 5, width: 30, height: 110 };
    const targets = (["horizontal", "cheaper"] as const).flatMap((firstPass) =>
      ([20, 30] as const).map((width) => ({ width, height: 24, filter: "bicubic" as const, firstPass })),
    );
    expect(resizeEach(image, targets, region)).toEqual(
      targets.map(({ width, firstPass }) => resize(crop(image, region), width, 24, "bicubic", { firstPass })),
    );
  });

  it("makes several sizes in one go, each as if alone", () => {
    const target = fc.record({ width: side(30), height: side(30), filter: filters });
    fc.assert(
      fc.property(side(30), side(30), fc.array(target, { maxLength: 4 }), fc.boolean(), (w, h, targets, cut) => {
        const image = noisePixels("each", w + 3, h + 2);
        const region = { left: 2, top: 1, width: w, height: h };
        const source = cut ? crop(image, region) : image;
        expect(resizeEach(image, targets, cut ? region : undefined)).toEqual(
          targets.map((t) => naiveResize(source, t.width, t.height, t.filter, [0, 0, source.width, source.height])),
        );
      }),
      { numRuns: 200 },
    );
  });

  it("refuses regions outside of the picture", () => {
    const image = noisePixels("bad", 10, 10);
    for (const region of [
      { left: -1, top: 0, width: 5, height: 5 },
      { left: 6, top: 0, width: 5, height: 5 },
      { left: 0, top: 0, width: 0, height: 5 },
      { left: 0.5, top: 0, width: 5, height: 5 },
    ])
      expect(() => cropResize(image, region, 5, 5, "box")).toThrow(ShapeError);
  });
});
