import fc from "fast-check";
import sharp, { type Sharp } from "sharp";
import { describe, expect, it } from "vitest";
import { noiseBytes, noisePixels, pillowGoldens } from "../../test/golden/image/pictures.ts";
import { DataError } from "../errors.ts";
import { fnv1a } from "../tensor/index.ts";
import { decodeImage, type Pixels, readImageHeader } from "./index.ts";

const [W, H] = [23, 17];
const noise = noisePixels("decode", W, H);
const raw = { raw: { width: W, height: H, channels: 3 } } as const;
const picture = (): Sharp => sharp(noise.data, raw);
/** Smooth, so that lossy formats stay close. */
const smooth = Uint8Array.from(
  { length: W * H * 3 },
  (_, i) => (Math.floor(i / 3) % W) * 5 + Math.floor(i / 3 / W) * 7,
);
const fromBase64 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "base64"));
const failure = async (bytes: Uint8Array, options = {}): Promise<Error> =>
  decodeImage(bytes, { key: "cats/7.jpg", ...options }).then(
    () => new Error("decoded"),
    (error: Error) => error,
  );

describe("decodeImage against Pillow", () => {
  it.each(pillowGoldens().formats)(
    "reads $name (mode $mode) as convert('RGB') does",
    async ({ size, rgb, upright, base64 }) => {
      const image = await decodeImage(fromBase64(base64), { background: "drop" });
      expect([image.width, image.height]).toEqual(size);
      expect(fnv1a(image.data)).toBe(rgb);
      const turned = await decodeImage(fromBase64(base64), { background: "drop", applyOrientation: true });
      expect(fnv1a(turned.data)).toBe(upright);
    },
  );
});

describe("decodeImage", () => {
  it("reads lossless formats back byte for byte", async () => {
    for (const bytes of [
      await picture().png().toBuffer(),
      await picture().webp({ lossless: true }).toBuffer(),
      await picture().tiff({ compression: "lzw" }).toBuffer(),
    ])
      expect(await decodeImage(bytes)).toEqual(noise);
  });

  it("reads AVIF and SVG in Node", async () => {
    const avif = await decodeImage(
      await sharp(smooth, raw).avif({ quality: 100, chromaSubsampling: "4:4:4" }).toBuffer(),
    );
    expect([avif.width, avif.height]).toEqual([W, H]);
    expect(Math.max(...avif.data.map((v, i) => Math.abs(v - smooth[i]!)))).toBeLessThan(8);
    const svg = new TextEncoder().encode(
      '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 4" width="8" height="4"><rect width="4" height="4" fill="#0a141e"/></svg>',
    );
    const drawn = await decodeImage(svg);
    expect([drawn.width, drawn.height]).toEqual([8, 4]);
    expect([...drawn.data.slice(0, 3), ...drawn.data.slice(21, 24)]).toEqual([10, 20, 30, 255, 255, 255]);
    const large = await decodeImage(svg, { svgSize: 64 });
    expect([large.width, large.height]).toEqual([64, 32]);
  });

  it("takes the first frame of an animation", async () => {
    const frames = Buffer.concat([Buffer.alloc(8 * 8 * 3, 40), Buffer.alloc(8 * 8 * 3, 200)]);
    const animated = sharp(frames, { raw: { width: 8, height: 16, channels: 3, pageHeight: 8 } });
    for (const bytes of [
      await animated.clone().gif().toBuffer(),
      await animated.clone().webp({ lossless: true }).toBuffer(),
    ]) {
      const image = await decodeImage(bytes);
      expect([image.width, image.height]).toEqual([8, 8]);
      expect(image.data.every((v) => v === 40)).toBe(true);
    }
  });

  it("composites alpha on white, on a colour, or drops it", async () => {
    const rgba = Uint8Array.of(100, 50, 0, 0, 100, 50, 0, 51, 100, 50, 0, 255);
    const png = await sharp(rgba, { raw: { width: 3, height: 1, channels: 4 } })
      .png()
      .toBuffer();
    expect([...(await decodeImage(png)).data]).toEqual([255, 255, 255, 224, 214, 204, 100, 50, 0]);
    expect([...(await decodeImage(png, { background: [0, 0, 10] })).data]).toEqual([0, 0, 10, 20, 10, 8, 100, 50, 0]);
    expect([...(await decodeImage(png, { background: "drop" })).data]).toEqual([100, 50, 0, 100, 50, 0, 100, 50, 0]);
  });

  it("drops the low byte of 16-bit grey, which PIL would clip", async () => {
    const values = Uint16Array.of(0, 255, 256, 0x1234, 0xff00, 0xffff);
    const png = await sharp(values, { raw: { width: 6, height: 1, channels: 1, depth: "ushort" } as never })
      .toColourspace("grey16")
      .png()
      .toBuffer();
    expect((await sharp(png).metadata()).depth).toBe("ushort");
    const { data } = await decodeImage(png);
    expect([...data.filter((_, i) => i % 3 === 0)]).toEqual([0, 0, 1, 0x12, 0xff, 0xff]);
  });

  it("ignores an embedded colour profile", async () => {
    const withProfile = await picture().withIccProfile("p3").png().toBuffer();
    const stored = await sharp(withProfile, { ignoreIcc: true }).raw().toBuffer();
    expect([...(await decodeImage(withProfile)).data]).toEqual([...stored]);
    expect(await decodeImage(withProfile)).not.toEqual(await managed(withProfile));
  });

  it("turns by EXIF orientation only when asked, all eight of them", async () => {
    for (let orientation = 1; orientation <= 8; orientation++) {
      const bytes = await picture().withMetadata({ orientation }).webp({ lossless: true }).toBuffer();
      expect(await decodeImage(bytes)).toEqual(noise);
      expect(await decodeImage(bytes, { applyOrientation: true }), `${orientation}`).toEqual(
        oriented(noise, orientation),
      );
    }
  });

  it("turns a TIFF by its orientation unless told not to, as Pillow does", async () => {
    for (let orientation = 1; orientation <= 8; orientation++) {
      const bytes = await picture().withMetadata({ orientation }).tiff({ compression: "lzw" }).toBuffer();
      expect(await decodeImage(bytes), `${orientation}`).toEqual(oriented(noise, orientation));
      expect(await decodeImage(bytes, { applyOrientation: false })).toEqual(noise);
    }
  });

  it("reads a view into a larger buffer", async () => {
    const png = await picture().png().toBuffer();
    const shelf = new Uint8Array(png.length + 20).fill(9);
    shelf.set(png, 7);
    expect(await decodeImage(shelf.subarray(7, 7 + png.length))).toEqual(noise);
  });

  it("stops when aborted", async () => {
    const png = await picture().png().toBuffer();
    await expect(decodeImage(png, { signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow("enough");
  });
});

async function managed(bytes: Uint8Array): Promise<Pixels> {
  return { width: W, height: H, data: new Uint8Array(await sharp(bytes).raw().toBuffer()) };
}

/** What EXIF orientation n asks for, pixel by pixel (CIPA DC-008, tag 274). */
function oriented({ width, height, data }: Pixels, orientation: number): Pixels {
  const swap = orientation >= 5;
  const [w, h] = swap ? [height, width] : [width, height];
  const out = new Uint8Array(data.length);
  for (let y = 0; y < h; y++)
    for (let x = 0; x < w; x++) {
      const [a, b] = swap ? [y, x] : [x, y];
      const fromX = [2, 3, 7, 8].includes(orientation) ? width - 1 - a : a;
      const fromY = [3, 4, 6, 7].includes(orientation) ? height - 1 - b : b;
      out.set(data.subarray((fromY * width + fromX) * 3, (fromY * width + fromX) * 3 + 3), (y * w + x) * 3);
    }
  return { width: w, height: h, data: out };
}

describe("decodeImage on bad input", () => {
  it("names the sample and what the bytes look like", async () => {
    const kinds: readonly [string, string][] = [
      ["PK\x03\x04 not an image", "a ZIP archive"],
      ["", "no bytes at all"],
      ["<!DOCTYPE html><p>404 <svg>", "an HTML page"],
      ["BM bitmap", "a damaged BMP image"],
      ["\x1f\x8b gzip", "gzip"],
      ["%PDF-1.7", "a PDF"],
      ["hello", "5 bytes of an unknown kind (68 65 6c 6c 6f)"],
    ];
    for (const [text, looks] of kinds) {
      const error = await failure(new Uint8Array(Buffer.from(text, "latin1")));
      expect(error).toBeInstanceOf(DataError);
      expect(error.message).toContain("cats/7.jpg");
      expect(error.message).toContain(looks);
    }
  });

  it("refuses every format cut in half, as PIL does", async () => {
    const big = sharp(noiseBytes("cut", 64 * 64 * 3), { raw: { width: 64, height: 64, channels: 3 } });
    for (const bytes of [
      await big.clone().jpeg().toBuffer(),
      await big.clone().jpeg({ progressive: true }).toBuffer(),
      await big.clone().png().toBuffer(),
      await big.clone().webp().toBuffer(),
      await big.clone().gif().toBuffer(),
      await big.clone().tiff({ compression: "none" }).toBuffer(),
      await big.clone().avif({ effort: 0 }).toBuffer(),
    ])
      for (const share of [0.5, 0.9]) {
        const error = await failure(bytes.subarray(0, Math.floor(bytes.length * share)));
        expect(error).toBeInstanceOf(DataError);
        expect(error.message).toMatch(/cats\/7\.jpg: expected a whole \w+ image, got damaged or cut-off bytes/);
        expect(error.cause).toBeInstanceOf(Error);
      }
  });

  it("forgives what PIL forgives: bytes after the end, and a corrupt stretch inside a JPEG's data", async () => {
    const jpeg = await picture().jpeg().toBuffer();
    expect(await decodeImage(Buffer.concat([jpeg, Buffer.alloc(50)]))).toEqual(await decodeImage(jpeg));
    const hurt = Uint8Array.from(jpeg);
    const middle = Math.floor(jpeg.length * 0.75);
    for (let i = middle; i < middle + 8; i++) hurt[i] = (hurt[i]! * 7 + 13) % 255;
    expect((await decodeImage(hurt)).width).toBe(W);
  });

  it("refuses a 60,000×60,000 header in every format before taking memory", async () => {
    const side = 60_000;
    const before = process.memoryUsage.rss();
    for (const bytes of await hugeHeaders(side)) {
      const header = readImageHeader(bytes)!;
      if (header.format !== "svg" && header.format !== "tiff" && header.format !== "webp")
        expect([header.width, header.height]).toEqual([side, side]);
      const error = await failure(bytes);
      expect(error, header.format).toBeInstanceOf(DataError);
      expect(error.message, header.format).toMatch(/expected at most 178956970 pixels, got (60000×60000|16384×16384)/);
    }
    expect(process.memoryUsage.rss() - before).toBeLessThan(200e6); // decoded it would be 10.8 GB
  });

  it("obeys maxPixels to the pixel", async () => {
    const png = await picture().png().toBuffer();
    expect((await decodeImage(png, { maxPixels: W * H })).width).toBe(W);
    expect((await failure(png, { maxPixels: W * H - 1 })).message).toContain(
      `expected at most ${W * H - 1} pixels, got ${W}×${H}`,
    );
    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40"/>');
    expect((await failure(svg, { maxPixels: 1599 })).message).toContain("40×40");
    expect(await failure(svg, { svgSize: 400, maxPixels: 10_000 })).toBeInstanceOf(DataError);
  });

  it("refuses a header without area", async () => {
    const png = Uint8Array.from(await picture().png().toBuffer());
    png.fill(0, 16, 20);
    expect((await failure(png)).message).toContain("at least 1×1");
  });
});

/** Headers that promise side × side pixels (WebP: its largest, 16384) with little behind them. */
async function hugeHeaders(side: number): Promise<Uint8Array[]> {
  const u16 = (v: number): number[] => [v >> 8, v & 255];
  const u32 = (v: number): number[] => [...u16(v >>> 16), ...u16(v & 65535)];
  const png = Uint8Array.from(await picture().png().toBuffer());
  png.set([...u32(side), ...u32(side)], 16);
  const gif = Uint8Array.from(await picture().gif().toBuffer());
  gif.set([side & 255, side >> 8, side & 255, side >> 8], 6);
  const jpeg = Uint8Array.from(await picture().jpeg().toBuffer());
  const frame = jpeg.findIndex((v, i) => v === 0xff && jpeg[i + 1] === 0xc0);
  jpeg.set([...u16(side), ...u16(side)], frame + 5);
  const webp = Uint8Array.from(await picture().webp({ lossless: true }).toBuffer());
  webp.set([0xff, 0xff, 0xff, webp[24]! | 0x0f], 21);
  const svg = Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" width="${side}" height="${side}"/>`);
  const avif = Uint8Array.from(await picture().avif({ effort: 0 }).toBuffer());
  const extents = Buffer.from(avif).indexOf("ispe");
  avif.set([...u32(side), ...u32(side)], extents + 8);
  return [png, gif, jpeg, webp, svg, avif, hugeTiff(side)];
}

/** A TIFF whose directory claims side × side bytes in one strip. */
function hugeTiff(side: number): Uint8Array {
  const entries = [
    [256, 4, side],
    [257, 4, side],
    [258, 3, 8],
    [259, 3, 1],
    [262, 3, 1],
    [273, 4, 8],
    [277, 3, 1],
    [278, 4, side],
    [279, 4, 10],
  ];
  const view = new DataView(new ArrayBuffer(8 + 2 + entries.length * 12 + 4));
  view.setUint32(0, 0x49492a00);
  view.setUint32(4, 8, true);
  view.setUint16(8, entries.length, true);
  for (const [i, [tag, type, value]] of entries.entries()) {
    view.setUint16(10 + i * 12, tag!, true);
    view.setUint16(12 + i * 12, type!, true);
    view.setUint32(14 + i * 12, 1, true);
    view.setUint32(18 + i * 12, value!, true);
  }
  return new Uint8Array(view.buffer);
}

describe("decodeImage, fuzzed", () => {
  const settle = async (bytes: Uint8Array): Promise<void> => {
    const result = await decodeImage(bytes, { key: "fuzz", maxPixels: 1e6 }).catch((error: unknown) => error);
    if (result instanceof DataError) expect(result.message).toContain("fuzz");
    else {
      const image = result as Pixels;
      expect(image.data.length).toBe(image.width * image.height * 3);
      expect(image.width * image.height).toBeLessThanOrEqual(1e6);
    }
  };

  it("gives pixels or a DataError for any bytes behind any magic number", async () => {
    const magics = [
      "",
      "\xff\xd8\xff",
      "\xff\xd8\xff\xc0\0\x11\x08",
      "\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
      "GIF89a",
      "RIFF\x40\0\0\0WEBPVP8X",
      "RIFF\x40\0\0\0WEBPVP8 ",
      "RIFF\x40\0\0\0WEBPVP8L",
      "II*\0\x08\0\0\0",
      "\0\0\0\x1cftypavif",
      "<svg ",
    ];
    const magic = fc.constantFrom(...magics).map((text) => [...Buffer.from(text, "latin1")]);
    await fc.assert(
      fc.asyncProperty(magic, fc.uint8Array({ maxLength: 80 }), (head, tail) =>
        settle(Uint8Array.from([...head, ...tail])),
      ),
      { numRuns: 400 },
    );
  });

  it("gives pixels or a DataError for damaged images of every format", async () => {
    const whole = pillowGoldens().formats.map(({ base64 }) => fromBase64(base64));
    const edit = fc.tuple(fc.double({ min: 0, max: 0.9999, noNaN: true }), fc.integer({ min: 0, max: 255 }));
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...whole),
        fc.array(edit, { minLength: 1, maxLength: 6 }),
        fc.double({ min: 0.1, max: 1, noNaN: true }),
        async (bytes, edits, keep) => {
          const damaged = bytes.slice(0, Math.ceil(bytes.length * Math.max(keep, 0.5)));
          // Half of the edits fall into the header.
          for (const [place, value] of edits)
            damaged[Math.floor(place * (value % 2 ? damaged.length : Math.min(64, damaged.length)))] = value;
          await settle(damaged);
        },
      ),
      { numRuns: 400 },
    );
  });

  it("reads headers of anything without throwing", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => void readImageHeader(bytes)));
  });
});
