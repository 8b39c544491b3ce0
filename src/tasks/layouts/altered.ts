/** Pictures that are altered before a model sees them: what it has learned of parts and of places shows in what it loses. */
import { createHash } from "node:crypto";
import { decodeImage, type Pixels, pixels } from "../../image/index.ts";
import { permutation, random } from "../../tensor/index.ts";
import type { Alteration } from "../schema.ts";
import type { TaskSource } from "./open.ts";

/** The same source, every picture altered. */
export function alteredSource(source: TaskSource, alteration: Alteration): TaskSource {
  const { fingerprint } = source;
  return {
    ...source,
    ...(fingerprint && { fingerprint: async () => marked(await fingerprint(), alteration) }),
    async *samples(options = {}) {
      for await (const { sample, cursor } of source.samples(options)) {
        if (!sample.image) yield { sample, cursor };
        else yield { sample: { ...sample, image: await altered(sample.image, sample.key, alteration) }, cursor };
      }
    },
  };
}

/** Features of the pictures as they are stay apart from those of the altered ones. */
const marked = <F extends { readonly hash: string }>(found: F, alteration: Alteration): F => ({
  ...found,
  hash: createHash("sha256")
    .update(JSON.stringify([found.hash, alteration]))
    .digest("hex"),
});

async function altered(image: Uint8Array, key: string, { shuffle, shift }: Alteration): Promise<Uint8Array> {
  let rgb = await decodeImage(image);
  if (shuffle !== undefined) rgb = shuffled(rgb, shuffle, key);
  if (shift !== undefined) rgb = shifted(rgb, shift);
  return netpbm(rgb);
}

/** The cells of an n × n grid in an order drawn by the key; what does not divide evenly is cut off at the right and the bottom. */
export function shuffled({ width, height, data }: Pixels, n: number, key: string): Pixels {
  const [w, h] = [Math.max(1, Math.floor(width / n)), Math.max(1, Math.floor(height / n))];
  const order = permutation(n * n, random(0, `shuffle:${key}`));
  const out = pixels(w * n, h * n, new Uint8Array(3 * w * n * h * n));
  for (const [to, from] of [...order].entries())
    for (let y = 0; y < h; y++) {
      const source = 3 * ((Math.floor(from / n) * h + y) * width + (from % n) * w);
      out.data.set(
        data.subarray(source, source + 3 * w),
        3 * ((Math.floor(to / n) * h + y) * out.width + (to % n) * w),
      );
    }
  return out;
}

/** Moved right and down by this share of its sides; the border that comes in repeats what was at the edge. */
export function shifted(picture: Pixels, share: number): Pixels {
  const { width, height, data } = picture;
  const [dx, dy] = [Math.round(width * share), Math.round(height * share)];
  const out = new Uint8Array(data.length);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const from = 3 * (Math.max(0, y - dy) * width + Math.max(0, x - dx));
      out.set(data.subarray(from, from + 3), 3 * (y * width + x));
    }
  return pixels(width, height, out);
}

/** A binary PPM. */
function netpbm({ width, height, data }: Pixels): Uint8Array {
  const head = new TextEncoder().encode(`P6\n${width} ${height}\n255\n`);
  const out = new Uint8Array(head.length + data.length);
  out.set(head);
  out.set(data, head.length);
  return out;
}
