/** The files that embeddings are written to, by the ending of their name. */
import { ConfigError } from "../../errors.ts";
import { formatHeader } from "../../hub/safetensors/header.ts";
import { saveFile } from "../../io/index.ts";
import { writeParquet } from "./parquet.ts";

/** What stands beside a row. */
export interface RowInfo {
  readonly key: string;
  readonly kind: "image" | "text";
  /** Of a text: the text. */
  readonly text?: string | undefined;
}

/** All rows in order, a part at a time; it can be asked for again. */
export interface Table {
  readonly count: number;
  readonly images: number;
  /** Floats in a row. */
  readonly width: number;
  /** What made them: names and hashes. */
  readonly about: Readonly<Record<string, string>>;
  parts(): AsyncIterable<{ readonly infos: readonly RowInfo[]; readonly rows: Float32Array }>;
}

interface Format {
  write(path: string, table: Table, signal?: AbortSignal): Promise<void>;
  /** Whether the keys are in a file of their own, `NAME.npy.keys.jsonl`. */
  readonly keysBeside: boolean;
}

/** A new format is a row here. */
export const FORMATS: Readonly<Record<string, Format>> = {
  parquet: { write: writeParquet, keysBeside: false },
  jsonl: { write: (path, table, signal) => save(path, jsonLines(table), signal), keysBeside: false },
  npy: { write: (path, table, signal) => save(path, npy(table), signal), keysBeside: true },
  safetensors: { write: (path, table, signal) => save(path, safetensors(table), signal), keysBeside: true },
};

/** The format of a file. Throws ConfigError. */
export function formatOf(path: string): Format {
  const ending = /\.([^./\\]+)$/.exec(path)?.[1]?.toLowerCase() ?? "";
  const format = Object.hasOwn(FORMATS, ending) ? FORMATS[ending] : undefined;
  if (format) return format;
  throw new ConfigError(
    `--out ${path}: expected a name that ends in ${Object.keys(FORMATS)
      .map((name) => `.${name}`)
      .join(", ")}`,
  );
}

/** `x.npy` → `x.npy.keys.jsonl`: `x.safetensors` beside it has keys of its own. */
export const keysFile = (path: string): string => `${path}.keys.jsonl`;

/** Writes the table, and its keys beside it where the format has no place for them. Returns the files. */
export async function writeTable(path: string, table: Table, signal?: AbortSignal): Promise<string[]> {
  const { write, keysBeside } = formatOf(path);
  if (keysBeside) await save(keysFile(path), keyLines(table), signal);
  await write(path, table, signal);
  return keysBeside ? [path, keysFile(path)] : [path];
}

const save = async (path: string, chunks: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<void> =>
  void (await saveFile(path, chunks, { signal }));

const utf8 = new TextEncoder();
const bytesOf = (rows: Float32Array): Uint8Array => new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength);

async function* keyLines(table: Table): AsyncGenerator<Uint8Array> {
  for await (const { infos } of table.parts())
    yield utf8.encode(infos.map((info) => `${JSON.stringify(info)}\n`).join(""));
}

/** Nine digits are those that tell float32 apart. */
async function* jsonLines({ parts, width }: Table): AsyncGenerator<Uint8Array> {
  for await (const { infos, rows } of parts()) {
    const lines = infos.map((info, i) => {
      const embedding = Array.from(rows.subarray(i * width, (i + 1) * width), (x) => Number(x.toPrecision(9)));
      return `${JSON.stringify({ ...info, embedding })}\n`;
    });
    yield utf8.encode(lines.join(""));
  }
}

/** NumPy's format, version 1: magic, length of the header, a Python dict padded to 64 bytes, then the numbers. */
async function* npy({ count, width, parts }: Table): AsyncGenerator<Uint8Array> {
  const dict = `{'descr': '<f4', 'fortran_order': False, 'shape': (${count}, ${width}), }`;
  const length = Math.ceil((10 + dict.length + 1) / 64) * 64 - 10;
  yield Uint8Array.from([0x93, ...utf8.encode("NUMPY"), 1, 0, length & 255, length >> 8]);
  yield utf8.encode(`${dict.padEnd(length - 1)}\n`);
  for await (const { rows } of parts()) yield bytesOf(rows);
}

/** `image_embeds` (N, E) and `text_embeds` (M, E); one of which there is none is left out. */
async function* safetensors({ count, images, width, about, parts }: Table): AsyncGenerator<Uint8Array> {
  const kinds = [
    { kind: "image", count: images },
    { kind: "text", count: count - images },
  ].filter((one) => one.count > 0);
  const specs = kinds.map((one) => ({
    name: `${one.kind}_embeds`,
    dtype: "float32" as const,
    shape: [one.count, width],
  }));
  yield formatHeader(specs, { format: "np", ...about });
  for (const { kind } of kinds)
    for await (const { infos, rows } of parts())
      for (const [i, info] of infos.entries())
        if (info.kind === kind) yield bytesOf(rows.subarray(i * width, (i + 1) * width)).slice();
}
