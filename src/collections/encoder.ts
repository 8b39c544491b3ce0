/** What collections ask of a model: pixels and texts to rows that can be compared. */
import type { ImageBuild } from "../data/index.ts";
import type { Tensor } from "../tensor/index.ts";

/** Embeds pictures and texts in one space. Rows are of length 1. */
export interface Encoder {
  /** Of the weights and of what is done to pictures: rows of two encoders can be compared where it is the same. */
  readonly identity: string;
  /** Floats in a row. */
  readonly width: number;
  /** Pictures that go through the model at once. */
  readonly batchSize: number;
  /** What is made of a picture before the model sees it. */
  readonly build: ImageBuild;
  /** `pixel_values` (N, 3, S, S), N up to `batchSize`, to (N, width). */
  images(pixels: Tensor<"float32">, signal?: AbortSignal): Promise<Float32Array>;
  /** To (N, width). */
  texts(texts: readonly string[], signal?: AbortSignal): Promise<Float32Array>;
}
