import fc from "fast-check";
import sharp, { type Sharp } from "sharp";
import { describe, expect, it } from "vitest";
import { noiseBytes } from "../../test/golden/image/pictures.ts";
import { exifOrientation, turnUpright, withoutExif } from "./exif.ts";

const [W, H] = [5, 3];
const ENCODERS: readonly (readonly ["jpeg" | "png" | "webp", (image: Sharp) => Sharp])[] = [
  ["jpeg", (image) => image.jpeg()],
  ["png", (image) => image.png()],
  ["webp", (image) => image.webp({ lossless: true })],
];
const rgba = noiseBytes("exif", W * H * 4).map((v, i) => (i % 4 === 3 ? 255 : v));
const picture = (): Sharp => sharp(rgba, { raw: { width: W, height: H, channels: 4 } });

describe.each(ENCODERS)("the EXIF of a %s", (format, encode) => {
  it("names the orientation, and is gone without it", async () => {
    for (let orientation = 1; orientation <= 8; orientation++) {
      const bytes = await encode(picture()).withMetadata({ orientation }).toBuffer();
      expect(exifOrientation(bytes, format)).toBe(orientation);
      const bare = Buffer.concat(withoutExif(bytes, format));
      expect((await sharp(bare).metadata()).orientation).toBeUndefined();
      expect(exifOrientation(bare, format)).toBe(1);
      expect(await sharp(bare).raw().toBuffer()).toEqual(await sharp(bytes).raw().toBuffer());
    }
  });

  it("leaves an image without EXIF as it is", async () => {
    const bytes = await encode(picture()).toBuffer();
    expect(Buffer.concat(withoutExif(bytes, format)).equals(bytes)).toBe(true);
    expect(exifOrientation(bytes, format)).toBe(1);
  });

  it("may be damaged in any way", async () => {
    const bytes = await encode(picture()).withMetadata({ orientation: 6 }).toBuffer();
    const damage = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(damage, fc.nat(bytes.length), (changes, length) => {
        const copy = Uint8Array.from(bytes).subarray(0, length);
        for (const [at, value] of changes) copy[at] = value;
        withoutExif(copy, format);
        const orientation = exifOrientation(copy, format);
        expect(orientation >= 1 && orientation <= 8).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("turnUpright", () => {
  it("turns as libvips does", async () => {
    for (let orientation = 1; orientation <= 8; orientation++) {
      const bytes = await picture().png().withMetadata({ orientation }).toBuffer();
      const { data, info } = await sharp(bytes, { autoOrient: true }).raw().toBuffer({ resolveWithObject: true });
      const turned = turnUpright({ width: W, height: H, data: rgba, layout: "rgba" }, orientation);
      expect([turned.width, turned.height]).toEqual([info.width, info.height]);
      expect([...turned.data], `${orientation}`).toEqual([...data]);
    }
  });
});
