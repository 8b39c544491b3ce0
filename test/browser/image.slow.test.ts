/**
 * The image room in a real browser, beside Node on the same bytes. Slow because it starts Chromium; without one it is skipped.
 * `npm run test:browser`
 */
import sharp, { type Sharp } from "sharp";
import { beforeAll, describe, expect, it } from "vitest";
import { type DecodeOptions, decodeImage, flavaEvalImage, flavaTrainImage } from "../../src/image/index.ts";
import { fnv1a, random } from "../../src/tensor/index.ts";
import { noiseBytes, pillowGoldens } from "../golden/image/pictures.ts";
import { findChromium, runInChromium } from "../support/chromium.ts";

const chromium = findChromium();
if (chromium === undefined) console.warn("test/browser: skipped, because no Chromium is on the PATH");

interface Case {
  readonly bytes: Uint8Array;
  readonly options?: DecodeOptions;
}

/** What the page answers for a case. */
type Answer = { width: number; height: number; data: string; branches: number[] } | { error: string };

const PAGE = `
import { decodeImage, flavaEvalImage, flavaTrainImage } from "/dist/data/image/index.js";
import { fnv1a, random } from "/dist/tensor/index.js";
const fromBase64 = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const toBase64 = (bytes) => btoa(Array.from(bytes, (b) => String.fromCharCode(b)).join(""));
const hash = ({ data }) => fnv1a(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
export default (cases) => Promise.all(cases.map(async ({ base64, options }) => {
  try {
    const image = await decodeImage(fromBase64(base64), options);
    const size = { size: 64, codebookSize: 32 };
    const both = [flavaEvalImage(image, size), flavaTrainImage(image, size, random(1, "crop", 2, 3))];
    const branches = both.flatMap((b) => [hash(b.pixel_values), hash(b.codebook_pixel_values)]);
    return { width: image.width, height: image.height, data: toBase64(image.data), branches };
  } catch (error) {
    return { error: String(error) };
  }
}));`;

const [W, H] = [53, 39];
const noise = noiseBytes("browser", W * H * 3);
const picture = (): Sharp => sharp(noise, { raw: { width: W, height: H, channels: 3 } });
const ENCODERS: Readonly<Record<string, (image: Sharp) => Sharp>> = {
  jpeg: (image) => image.jpeg({ quality: 90 }),
  png: (image) => image.png(),
  webp: (image) => image.webp({ lossless: true }),
};

const cases = new Map<string, Case>();
let answers: Map<string, Answer>;

describe.skipIf(chromium === undefined)("decodeImage in Chromium", () => {
  beforeAll(async () => {
    await makeCases();
    const input = [...cases.values()].map(({ bytes, options }) => ({
      base64: Buffer.from(bytes).toString("base64"),
      options,
    }));
    const list = await runInChromium<Answer[]>(chromium!, PAGE, input);
    answers = new Map([...cases.keys()].map((name, i) => [name, list[i]!]));
  });

  it("gives Node's bytes, opaque or on a background", async () => {
    const exact = [...cases.keys()].filter((name) => !/CMYK|avif|alpha dropped|cut at|60000|zip/.test(name));
    expect(exact.length).toBeGreaterThan(60);
    for (const name of exact) expect(await compare(name), name).toEqual({ most: 0, mean: 0 });
  });

  it("keeps upright what says nothing else, and turns the rest only when asked", async () => {
    for (const format of Object.keys(ENCODERS)) {
      const plain = pixelsOf(`${format} orientation 1`);
      for (let orientation = 2; orientation <= 8; orientation++) {
        expect(pixelsOf(`${format} orientation ${orientation}`)).toEqual(plain);
        const turned = pixelsOf(`${format} orientation ${orientation}, turned`);
        expect(turned).not.toEqual(plain);
        expect([turned.width, turned.height]).toEqual(orientation >= 5 ? [H, W] : [W, H]);
      }
    }
  });

  it("makes Node's model inputs of Node's pixels: resampling, crops and normalisation are ours", async () => {
    for (const name of ["jpeg 640×479", "webp 640×479", "png RGB 16 bit", "png alpha", "gif animation"]) {
      const { bytes, options } = cases.get(name)!;
      const image = await decodeImage(bytes, options);
      const size = { size: 64, codebookSize: 32 };
      const both = [flavaEvalImage(image, size), flavaTrainImage(image, size, random(1, "crop", 2, 3))];
      const expected = both.flatMap((b) => [hashOf(b.pixel_values.data), hashOf(b.codebook_pixel_values.data)]);
      expect(pixelsOf(name).branches, name).toEqual(expected);
    }
  });

  it("differs by one where two libraries round colours: CMYK and AVIF", async () => {
    for (const name of ["jpeg CMYK", "avif"]) expect((await compare(name)).most, name).toBeLessThanOrEqual(1);
  });

  it("loses colours under low alpha where alpha is dropped: a canvas holds them multiplied", async () => {
    for (const name of ["png alpha, alpha dropped", "webp alpha, alpha dropped"]) {
      const { mean } = await compare(name);
      expect(mean, name).toBeGreaterThan(0);
      expect(mean, name).toBeLessThan(3);
    }
  });

  it("refuses what Node refuses, and TIFF", () => {
    for (const name of cases.keys())
      if (/cut at|60000|zip|tiff/.test(name))
        expect(answers.get(name), name).toEqual({ error: expect.stringMatching(/^DataError/) });
  });
});

function pixelsOf(name: string): Exclude<Answer, { error: string }> {
  const answer = answers.get(name)!;
  if ("error" in answer) throw new Error(`${name}: ${answer.error}`);
  return answer;
}

const hashOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): number =>
  fnv1a(new Uint8Array(buffer, byteOffset, byteLength));

/** How far the browser's bytes are from Node's. */
async function compare(name: string): Promise<{ most: number; mean: number }> {
  const { bytes, options } = cases.get(name)!;
  const node = await decodeImage(bytes, options);
  const web = pixelsOf(name);
  expect([web.width, web.height], name).toEqual([node.width, node.height]);
  const data = Buffer.from(web.data, "base64");
  let [most, sum] = [0, 0];
  for (const [i, value] of node.data.entries()) {
    const difference = Math.abs(value - data[i]!);
    most = Math.max(most, difference);
    sum += difference;
  }
  return { most, mean: sum / node.data.length };
}

async function makeCases(): Promise<void> {
  for (const { name, base64 } of pillowGoldens().formats) {
    const bytes = Buffer.from(base64, "base64");
    cases.set(name, { bytes });
    cases.set(`${name}, alpha dropped`, { bytes, options: { background: "drop" } });
  }
  for (const [format, encode] of Object.entries(ENCODERS))
    for (let orientation = 1; orientation <= 8; orientation++) {
      const bytes = await encode(picture()).withMetadata({ orientation }).toBuffer();
      cases.set(`${format} orientation ${orientation}`, { bytes });
      cases.set(`${format} orientation ${orientation}, turned`, { bytes, options: { applyOrientation: true } });
    }
  const profile = (image: Sharp): Sharp => image.withIccProfile("p3");
  for (const [format, encode] of Object.entries(ENCODERS))
    cases.set(`${format} with a colour profile`, { bytes: await profile(encode(picture())).toBuffer() });
  const photo = sharp(noiseBytes("photo", 160 * 120 * 3), { raw: { width: 160, height: 120, channels: 3 } })
    .blur(2)
    .resize(640, 479, { fit: "fill" });
  cases.set("jpeg 640×479", { bytes: await photo.clone().jpeg({ quality: 85 }).toBuffer() });
  cases.set("jpeg 640×479 progressive", { bytes: await photo.clone().jpeg({ progressive: true }).toBuffer() });
  cases.set("webp 640×479", { bytes: await photo.clone().webp().toBuffer() });
  cases.set("avif", { bytes: await picture().avif({ effort: 0 }).toBuffer() });
  const grey16 = Uint16Array.from({ length: W * H }, (_, i) => (i * 37) & 0xffff);
  cases.set("png grey 16 bit", {
    bytes: await sharp(grey16, { raw: { width: W, height: H, channels: 1, depth: "ushort" } as never })
      .toColourspace("grey16")
      .png()
      .toBuffer(),
  });
  const rgba = sharp(noiseBytes("rgba", 256 * 64 * 4), { raw: { width: 256, height: 64, channels: 4 } });
  for (const [name, encode] of Object.entries({ png: ENCODERS.png!, webp: ENCODERS.webp! })) {
    const bytes = await encode(rgba.clone()).toBuffer();
    cases.set(`${name} alpha`, { bytes });
    cases.set(`${name} alpha on blue`, { bytes, options: { background: [0, 0, 255] } });
    cases.set(`${name} alpha, alpha dropped`, { bytes, options: { background: "drop" } });
  }
  const frames = Buffer.concat([Buffer.alloc(8 * 8 * 3, 40), Buffer.alloc(8 * 8 * 3, 200)]);
  cases.set("gif animation", {
    bytes: await sharp(frames, { raw: { width: 8, height: 16, channels: 3, pageHeight: 8 } })
      .gif()
      .toBuffer(),
  });
  const big = sharp(noiseBytes("cut", 64 * 64 * 3), { raw: { width: 64, height: 64, channels: 3 } });
  for (const [name, image] of Object.entries({
    jpeg: big.clone().jpeg(),
    "jpeg progressive": big.clone().jpeg({ progressive: true }),
    png: big.clone().png(),
    webp: big.clone().webp(),
    gif: big.clone().gif(),
  })) {
    const bytes = await image.toBuffer();
    for (const share of [0.5, 0.9])
      cases.set(`${name} cut at ${share}`, { bytes: bytes.subarray(0, Math.floor(bytes.length * share)) });
  }
  const huge = Uint8Array.from(await picture().png().toBuffer());
  new DataView(huge.buffer).setUint32(16, 60_000);
  new DataView(huge.buffer).setUint32(20, 60_000);
  cases.set("60000×60000", { bytes: huge });
  cases.set("zip", { bytes: new TextEncoder().encode("PK\x03\x04 not an image") });
}
