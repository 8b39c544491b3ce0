/** Writes samples of any source as WebDataset tar shards with a manifest: what `flava data build` does. */
import { createHash } from "node:crypto";
import { type FileHandle, open, readdir, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { createTarPacker } from "modern-tar";
import { DataError, settled } from "../../errors.ts";
import { readImageHeader } from "../../image/index.ts";
import { lockFile, makeFolder, PARTIAL, saveFile, systemReason, writeError } from "../../io/index.ts";
import { type BadList, badList } from "./bad-list.ts";
import { decodableSource } from "./decodable.ts";
import type { Sample, Source } from "./source.ts";

export interface ShardOptions {
  /** Default 1000. */
  readonly samplesPerShard?: number | undefined;
  /** A shard ends early at this size. Default 1 GiB. */
  readonly shardBytes?: number | undefined;
  /** The most samples in all. */
  readonly limit?: number | undefined;
  /** Whether pictures are decoded first, and those that cannot be are left out. Default true. */
  readonly decode?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((samples: number) => void) | undefined;
}

/** `manifest.json` beside the shards. */
export interface ShardManifest {
  readonly format: "flava-shards/1";
  readonly samples: number;
  readonly bytes: number;
  /** Samples left out. */
  readonly bad: number;
  /** What was ignored without losing a sample. */
  readonly notes: number;
  readonly sources: readonly { readonly name: string; readonly samples: number }[];
  readonly shards: readonly {
    readonly file: string;
    readonly samples: number;
    readonly bytes: number;
    readonly sha256: string;
  }[];
}

const EXTENSIONS: Readonly<Record<string, string>> = { jpeg: "jpg", tiff: "tif" };

/**
 * Writes the samples of the sources, one after another, to `000000.tar`, … in a new folder, with `manifest.json` and, if
 * any were left out, `bad.jsonl`. The folder appears whole or not at all; the same samples give the same bytes.
 */
export async function buildShards(
  sources: readonly Source[],
  out: string,
  options: ShardOptions = {},
): Promise<ShardManifest> {
  return inNewFolder(out, async (folder, bad) => {
    const { manifest, shards } = await writeAll(sources, folder, bad, options);
    await bad.close();
    await saveFile(join(folder, "manifest.json"), `${JSON.stringify({ ...manifest, shards }, null, 2)}\n`);
    return { ...manifest, shards };
  });
}

/** Has `write` fill a folder that appears whole or not at all, with a list of what was left out. Throws DataError where it exists. */
export async function inNewFolder<T>(out: string, write: (folder: string, bad: BadList) => Promise<T>): Promise<T> {
  await requireNew(out);
  const staging = resolve(out) + PARTIAL;
  await makeFolder(dirname(staging));
  await using _lock = await lockFile(`${resolve(out)}.lock`);
  await rm(staging, { recursive: true, force: true }); // what a killed process left
  await makeFolder(staging);
  const bad = badList(join(staging, "bad.jsonl"));
  try {
    const result = await write(staging, bad);
    await bad.close();
    await rm(out, { recursive: true, force: true }); // empty, or absent
    await rename(staging, out);
    return result;
  } catch (error) {
    await settled(bad.close());
    await rm(staging, { recursive: true, force: true });
    throw writeError(out, error);
  }
}

async function requireNew(out: string): Promise<void> {
  const names = await readdir(out).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT") return [];
    throw new DataError(`${out}: expected a new folder, got ${systemReason(cause)}`, undefined, { cause });
  });
  if (names.length > 0)
    throw new DataError(`${out}: expected a new or empty folder, got one with ${names[0]}`, "give another --out");
}

async function writeAll(
  sources: readonly Source[],
  folder: string,
  bad: BadList,
  options: ShardOptions,
): Promise<{ manifest: Omit<ShardManifest, "shards">; shards: ShardManifest["shards"] }> {
  const { limit = Number.POSITIVE_INFINITY, decode = true, signal, onProgress } = options;
  const counts: { name: string; samples: number }[] = [];
  const set = new ShardSet(folder, options);
  try {
    for (const source of sources) {
      const count = { name: source.name, samples: 0 };
      counts.push(count);
      const usable = decode ? decodableSource(source) : source;
      for await (const { sample } of usable.samples({ signal, onBad: bad.onBad })) {
        if (set.samples >= limit) break;
        if (!(await set.add(sample))) {
          bad.onBad({ source: source.name, key: sample.key, reason: NO_FORMAT });
          continue;
        }
        if (sample.regions) bad.onBad({ source: source.name, key: sample.key, reason: NO_REGIONS, kept: true });
        count.samples++;
        onProgress?.(set.samples);
      }
    }
  } catch (error) {
    await set.abandon();
    throw error;
  }
  const shards = await set.close();
  if (set.samples === 0)
    throw new DataError(`${sources.map(({ name }) => name).join(", ")}: expected samples, got none`);
  const bytes = shards.reduce((n, shard) => n + shard.bytes, 0);
  const notes = [...bad.notes.values()].reduce((n, count) => n + count, 0);
  const manifest = {
    format: "flava-shards/1" as const,
    samples: set.samples,
    bytes,
    bad: bad.count,
    notes,
    sources: counts,
  };
  return { manifest, shards };
}

/** Why a sample cannot be written. */
export const NO_FORMAT = "the image has no format that is known";

/** What of a sample is not written. */
const NO_REGIONS = "its regions are not written: shards have none";

/** `000000.tar`, … in one folder. */
export class ShardSet {
  readonly #folder: string;
  readonly #options: Pick<ShardOptions, "samplesPerShard" | "shardBytes">;
  readonly #shards: ShardManifest["shards"][number][] = [];
  #writer: ShardWriter | undefined;
  samples = 0;

  constructor(folder: string, options: Pick<ShardOptions, "samplesPerShard" | "shardBytes"> = {}) {
    this.#folder = folder;
    this.#options = options;
  }

  /** Whether the sample could be written: not, where nobody knows the format of its image. */
  async add(sample: Sample): Promise<boolean> {
    const { samplesPerShard = 1000, shardBytes = 2 ** 30 } = this.#options;
    const members = membersOf(sample);
    if (members === undefined) return false;
    if (this.#writer && (this.#writer.samples >= samplesPerShard || this.#writer.bytes >= shardBytes))
      await this.close();
    this.#writer ??= await ShardWriter.open(this.#folder, `${String(this.#shards.length).padStart(6, "0")}.tar`);
    await this.#writer.add(String(this.samples).padStart(9, "0"), members);
    this.samples++;
    return true;
  }

  /** Ends the shard that is being written; gives all so far. */
  async close(): Promise<ShardManifest["shards"]> {
    if (this.#writer) this.#shards.push(await this.#writer.close());
    this.#writer = undefined;
    return this.#shards;
  }

  async abandon(): Promise<void> {
    await this.#writer?.abandon();
  }
}

/** The members of a sample by extension; undefined where the image's format is unknown. */
function membersOf({
  key,
  image,
  texts = [],
  label,
  objects,
  meta = {},
}: Sample): Record<string, Uint8Array> | undefined {
  const utf8 = new TextEncoder();
  const members: Record<string, Uint8Array> = {};
  if (image) {
    const format = readImageHeader(image)?.format;
    if (format === undefined) return undefined;
    members[EXTENSIONS[format] ?? format] = image;
  }
  if (texts.length > 0) members.txt = utf8.encode(texts[0]!);
  const whole = label !== undefined && /^-?\d{1,15}$/.test(String(label)) && typeof label === "number";
  if (whole) members.cls = utf8.encode(String(label));
  const named = label !== undefined && !whole && { label };
  members.json = utf8.encode(
    JSON.stringify({
      key,
      ...meta,
      ...(texts.length > 1 && { captions: texts }),
      ...(objects && { objects }),
      ...named,
    }),
  );
  return members;
}

/** One tar file, hashed as it is written. */
class ShardWriter {
  readonly #file: string;
  readonly #handle: FileHandle;
  readonly #hash = createHash("sha256");
  readonly #packer = createTarPacker();
  readonly #written: Promise<void>;
  samples = 0;
  bytes = 0;

  static async open(folder: string, file: string): Promise<ShardWriter> {
    return new ShardWriter(file, await open(join(folder, file), "wx"));
  }

  constructor(file: string, handle: FileHandle) {
    this.#file = file;
    this.#handle = handle;
    this.#written = this.#drain();
    void settled(this.#written); // met in close
  }

  async add(name: string, members: Readonly<Record<string, Uint8Array>>): Promise<void> {
    for (const [extension, body] of Object.entries(members)) {
      const header = { name: `${name}.${extension}`, size: body.length, mtime: new Date(0), mode: 0o644 };
      const writer = this.#packer.controller.add(header).getWriter();
      await writer.write(body);
      await writer.close();
    }
    this.samples++;
  }

  async close(): Promise<{ file: string; samples: number; bytes: number; sha256: string }> {
    this.#packer.controller.finalize();
    await this.#written;
    return { file: this.#file, samples: this.samples, bytes: this.bytes, sha256: this.#hash.digest("hex") };
  }

  async abandon(): Promise<void> {
    this.#packer.controller.error(new Error("abandoned"));
    await settled(this.#written);
  }

  async #drain(): Promise<void> {
    try {
      for await (const chunk of this.#packer.readable as unknown as AsyncIterable<Uint8Array>) {
        this.#hash.update(chunk);
        this.bytes += chunk.length;
        await this.#handle.writeFile(chunk);
      }
    } finally {
      await this.#handle.close();
    }
  }
}
