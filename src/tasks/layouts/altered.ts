/** Pictures that are altered before a model sees them: what it has learned of parts and of places shows in what it loses. */
import { createHash } from "node:crypto";
import { DataError } from "../../errors.ts";
import { decodeImage, type Pixels, pixels } from "../../image/index.ts";
import { permutation, random } from "../../tensor/index.ts";
import type { Alteration } from "../schema.ts";
import type { TaskSource } from "./open.ts";

/** The same source, every picture altered. One that cannot be read is told to `onBad`, and the others come. */
export function alteredSource(source: TaskSource, alteration: Alteration): TaskSource {
  const { fingerprint } = source;
  return {
    ...source,
    ...(fingerprint && { fingerprint: async () => marked(await fingerprint(), alteration) }),
    async *samples(options = {}) {
      for await (const { sample, cursor } of source.samples(options)) {
        const { image, key } = sample;
        if (!image) {
          yield { sample, cursor };
          continue;
        }
        const made = await altered(image, key, alteration, options.signal);
        if (typeof made === "string") options.onBad?.({ source: source.name, key, reason: made });
        else yield { sample: { ...sample, image: made }, cursor };
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

/** The altered picture, or why it cannot be read. */
async function altered(
  image: Uint8Array,
  key: string,
  { shuffle, shift }: Alteration,
  signal: AbortSignal | undefined,
): Promise<Uint8Array | string> {
  try {
    let rgb = await decodeImage(image, { key, ...(signal && { signal }) });
    if (shuffle !== undefined) rgb = shuffled(rgb, shuffle, key);
    if (shift !== undefined) rgb = shifted(rgb, shift);
    return netpbm(rgb);
  } catch (error) {
    if (error instanceof DataError) return error.message.split("\n")[0]!;
    throw error;
  }
}

/**
 * The cells of an n × n grid in an order drawn by the key; what does not divide evenly is cut off at the right and the bottom. A picture of
 * fewer than n pixels a side has a cell for each of them.
 */
export function shuffled({ width, height, data }: Pixels, n: number, key: string): Pixels {
  const [across, down] = [Math.min(n, width), Math.min(n, height)];
  const [w, h] = [Math.floor(width / across), Math.floor(height / down)];
  const order = permutation(across * down, random(0, `shuffle:${key}`));
  const out = pixels(w * across, h * down, new Uint8Array(3 * w * across * h * down));
  const start = (cell: number, y: number, rowWidth: number): number =>
    3 * ((Math.floor(cell / across) * h + y) * rowWidth + (cell % across) * w);
  for (const [to, from] of [...order].entries())
    for (let y = 0; y < h; y++) {
      const source = start(from, y, width);
      out.data.set(data.subarray(source, source + 3 * w), start(to, y, out.width));
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
