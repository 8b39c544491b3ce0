/** What a linear evaluation is compared with: the pixels themselves, and the same encoder before any training. */

import { fingerprint } from "../../api/fingerprint.ts";
import { FlavaModel } from "../../api/index.ts";
import type { Source } from "../../data/index.ts";
import { DataError, FlavaError } from "../../errors.ts";
import { decodeImage, resize } from "../../image/index.ts";
import { initialTensor } from "../../nn/index.ts";
import { State } from "../../runtime/index.ts";
import type { TextTokenizer } from "../../text/index.ts";
import type { Features } from "../probe/features.ts";
import { pictured, type Refused, type StreamOptions } from "./streams.ts";

/** Side that pictures are brought to: 16 × 16 × 3 = 768 numbers, the width of a base encoder. */
const SIDE = 16;

/** Red, green and blue in 0..1 of each picture, 16 by 16. */
export async function pixelFeatures(source: Source, options: StreamOptions = {}): Promise<Features> {
  const [labels, rows, refused]: [string[], Float32Array[], Refused[]] = [[], [], []];
  const suits = ({ label }: { label?: string | number }): string | undefined =>
    label === undefined ? "the label is missing" : undefined;
  for await (const { key, image, label } of pictured(source, suits, refused, options)) {
    options.signal?.throwIfAborted();
    try {
      const { data } = resize(await decodeImage(image, { key }), SIDE, SIDE, "bilinear");
      rows.push(Float32Array.from(data, (value) => value / 255));
      labels.push(String(label));
      options.onProgress?.(labels.length);
    } catch (error) {
      if (!(error instanceof FlavaError)) throw error;
      refused.push({ key, reason: error.message.split("\n")[0]! });
    }
  }
  if (labels.length === 0) throw new DataError(`${source.name}: expected pictures with labels, got none`);
  const width = 3 * SIDE * SIDE;
  const x = new Float32Array(rows.length * width);
  for (const [i, row] of rows.entries()) x.set(row, i * width);
  return { width, x, labels, refused };
}

/** The image encoder of a model with the weights that a seed draws, as at the start of a training. Its `dispose` frees them. */
export function untrained({ model, device, batchSize }: FlavaModel, seed: number): FlavaModel & Disposable {
  const state = new State(device);
  const hash = fingerprint();
  for (const spec of model.image!({ batch: 1 }).params) {
    const drawn = initialTensor(spec, seed);
    hash.add(spec.name, drawn);
    state.write(spec.name, drawn);
  }
  const tokenizer = {} as TextTokenizer; // it is asked for pictures alone
  const twin = FlavaModel.of({
    name: "untrained",
    model,
    device,
    state,
    batchSize,
    tokenizer,
    weightsHash: hash.text(),
  });
  const free = (): void => {
    FlavaModel.prototype.dispose.call(twin);
    state.dispose();
  };
  return Object.assign(twin, { dispose: free, [Symbol.dispose]: free });
}
