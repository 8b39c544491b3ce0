/** Small data sets on disk for the tests of the data rooms: one of each kind of source, made afresh. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packTar } from "modern-tar";
import { afterAll } from "vitest";
import type { Placed, SampleOptions, Source } from "../../src/data/sources/index.ts";

const folders: string[] = [];
afterAll(async () => {
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true, force: true })));
});

/** A new folder that goes away with the test file. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "flava-test-"));
  folders.push(folder);
  return folder;
}

/** Bytes that stand for an image where nothing decodes them. */
export const fakeImage = (i: number): Uint8Array => new Uint8Array(300 + ((i * 37) % 900)).fill(i + 1);

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A tar archive of these files, in order. */
export const tarOf = (files: Readonly<Record<string, Uint8Array | string>>): Promise<Uint8Array> =>
  packTar(Object.entries(files).map(([name, body]) => ({ header: { name, size: utf8Length(body) }, body })));

const utf8Length = (body: Uint8Array | string): number => (typeof body === "string" ? utf8(body).length : body.length);

/** Files of samples `from`..`to`−1 in WebDataset's naming. */
export function shardFiles(from: number, to: number): Record<string, Uint8Array | string> {
  const files: Record<string, Uint8Array | string> = {};
  for (let i = from; i < to; i++) {
    files[`${i}.jpg`] = fakeImage(i);
    files[`${i}.txt`] = `caption ${i}`;
  }
  return files;
}

/** Writes files below a folder, making folders as needed. */
export async function writeFiles(root: string, files: Readonly<Record<string, Uint8Array | string>>): Promise<void> {
  for (const [name, body] of Object.entries(files)) {
    const path = join(root, name);
    await mkdir(join(path, ".."), { recursive: true });
    await writeFile(path, body);
  }
}

/** Everything a source gives. */
export async function collect(source: Source, options: SampleOptions = {}): Promise<Placed[]> {
  const all: Placed[] = [];
  for await (const placed of source.samples(options)) all.push(placed);
  return all;
}

export const keysOf = (placed: readonly Placed[]): string[] => placed.map(({ sample }) => sample.key);

/** A source held in memory, for tests that need none on disk. */
export function listSource(name: string, samples: readonly Placed["sample"][]): Source {
  return {
    name,
    count: samples.length,
    async *samples({ cursor = 0, shard = { index: 0, count: 1 } } = {}) {
      for (let i = cursor as number; i < samples.length; i++)
        if (i % shard.count === shard.index) yield { sample: samples[i]!, cursor: i + 1 };
    },
  };
}
