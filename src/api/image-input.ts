/** Whatever people have pictures in → eight-bit RGB pixels. */
import { readFile } from "#platform";
import { DataError, FileError } from "../errors.ts";
import { type DecodeOptions, decodeImage, type Pixels, pixels, toRgb } from "../image/index.ts";

/** An encoded picture with its name for messages. */
export interface Picture {
  readonly key: string;
  readonly image: Uint8Array;
}

/** Pixels row by row from the top, as an ImageData or a decoder has them. */
export interface RawPixels {
  readonly width: number;
  readonly height: number;
  /** 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA; what the length of `data` says unless given. */
  readonly channels?: number | undefined;
  /** Interleaved; of 16 bits the upper eight count, as in files. */
  readonly data: Uint8Array | Uint8ClampedArray | Uint16Array;
}

/** A path, an address (also `data:`), encoded bytes, or pixels. */
export type ImageInput = string | URL | Blob | Uint8Array | ArrayBuffer | Picture | RawPixels;

/** Bytes; larger files are refused before they are read. */
const MAX_BYTES = 512 * 2 ** 20;

/**
 * The picture, with the meaning of `decodeImage`: transparent pixels on white, EXIF orientation ignored (`applyOrientation`).
 * Throws DataError for what is no picture, FileError for what cannot be read; both name it.
 */
export async function readImage(input: ImageInput, options: DecodeOptions = {}): Promise<Pixels> {
  options.signal?.throwIfAborted();
  if (isRaw(input)) return rawToRgb(input, options);
  const { key, bytes } = await readInput(input, options.signal);
  return decodeImage(bytes, { ...(key !== undefined && { key }), ...options });
}

/** What an input is called in messages. */
export function imageName(input: ImageInput): string {
  if (typeof input === "string") return input.startsWith("data:") ? `${input.slice(0, 24)}…` : input;
  if (input instanceof URL) return imageName(input.href);
  if (input instanceof Blob) return "name" in input ? String(input.name) : `a blob of ${input.size} bytes`;
  if ("key" in input) return input.key;
  return isRaw(input) ? `pixels of ${input.width}×${input.height}` : `${input.byteLength} bytes`;
}

const isRaw = (input: ImageInput): input is RawPixels =>
  typeof input === "object" && "width" in input && "height" in input && "data" in input;

async function readInput(input: Exclude<ImageInput, RawPixels>, signal: AbortSignal | undefined) {
  if (typeof input === "string" || input instanceof URL) {
    const location = String(input);
    return { key: imageName(input), bytes: await readLocation(location, signal) };
  }
  if (input instanceof Blob) return { key: imageName(input), bytes: new Uint8Array(await input.arrayBuffer()) };
  if (input instanceof ArrayBuffer) return { key: undefined, bytes: new Uint8Array(input) };
  if (input instanceof Uint8Array) return { key: undefined, bytes: input };
  if (typeof input === "object" && input !== null && "image" in input) return { key: input.key, bytes: input.image };
  throw new DataError(
    `image: expected a path, an address, a Blob, bytes or pixels { width, height, data }, got ${describe(input)}`,
  );
}

const describe = (value: unknown): string =>
  value === null
    ? "null"
    : typeof value === "object"
      ? `an object with ${Object.keys(value).join(", ") || "no fields"}`
      : `a ${typeof value}`;

async function readLocation(location: string, signal: AbortSignal | undefined): Promise<Uint8Array> {
  if (/^(https?|data|blob):/i.test(location)) return fetchBytes(location, signal);
  return readFile(location, MAX_BYTES, signal);
}

async function fetchBytes(location: string, signal: AbortSignal | undefined): Promise<Uint8Array> {
  const name = imageName(location);
  const response = await fetch(location, signal ? { signal } : {}).catch((cause: unknown) => {
    signal?.throwIfAborted();
    const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : (cause as Error);
    throw new FileError(`${name}: expected a picture at this address, got ${inner.message}`, undefined, { cause });
  });
  if (!response.ok)
    throw new FileError(`${name}: expected a picture, got status ${response.status} ${response.statusText}`.trimEnd());
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of response.body ?? []) {
    parts.push(part);
    length += part.length;
    if (length > MAX_BYTES) throw new FileError(`${name}: expected at most ${MAX_BYTES} bytes, got more`);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** For each number of channels, where red, green, blue and alpha lie; −1: opaque. */
const LAYOUTS: Readonly<Record<number, readonly [r: number, g: number, b: number, a: number]>> = {
  1: [0, 0, 0, -1],
  2: [0, 0, 0, 1],
  3: [0, 1, 2, -1],
  4: [0, 1, 2, 3],
};

function rawToRgb(raw: RawPixels, { key = imageName(raw), background = [255, 255, 255] }: DecodeOptions): Pixels {
  const { width, height, data } = raw;
  const area = width * height;
  const channels = raw.channels ?? data.length / area;
  const layout = LAYOUTS[channels];
  if (!layout || !Number.isInteger(width) || !Number.isInteger(height) || area < 1 || data.length !== area * channels)
    throw new DataError(
      `${key}: expected ${width}×${height} pixels of 1 to 4 channels, got ${data.length} numbers${raw.channels === undefined ? "" : ` for ${raw.channels} channels`}`,
    );
  if (!(data instanceof Uint8Array || data instanceof Uint8ClampedArray || data instanceof Uint16Array))
    throw new DataError(`${key}: expected pixels of 8 or 16 bits, got ${describe(data)}`);
  const bytes = data instanceof Uint16Array ? Uint8Array.from(data, (value) => value >> 8) : data;
  if (channels === 3) return pixels(width, height, new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length));
  const rgba = new Uint8Array(area * 4);
  const [r, g, b, a] = layout;
  for (let i = 0, from = 0; i < rgba.length; i += 4, from += channels) {
    rgba[i] = bytes[from + r]!;
    rgba[i + 1] = bytes[from + g]!;
    rgba[i + 2] = bytes[from + b]!;
    rgba[i + 3] = a < 0 ? 255 : bytes[from + a]!;
  }
  return toRgb({ width, height, data: rgba, layout: "rgba" }, background);
}
