/** Proves on the written shards that no held-out concept is in the training data: read back, not remembered. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { unpackTar } from "modern-tar";
import { DataError } from "../../errors.ts";
import { sha256Of } from "./manifest.ts";
import { NameIndex } from "./words.ts";

/** What training must not hold. */
export interface HeldOut {
  /** Ids of the concepts. */
  readonly concepts: ReadonlySet<string>;
  /** Their names, as `captionWords` gives them. */
  readonly names: readonly string[];
  readonly styles: readonly string[];
  /** Shards of the held-out pictures: training must not hold an equal picture under another name. */
  readonly shards: readonly string[];
}

/** Reads the training shards and throws DataError at the first picture or caption that is held out. */
export async function proveHeldOut(
  dir: string,
  trainingShards: readonly string[],
  heldOut: HeldOut,
): Promise<{ pictures: number; captions: number }> {
  const index = new NameIndex(heldOut.names.map((name) => [name, name] as const));
  const pictures = new Set<string>();
  for (const shard of heldOut.shards) {
    for (const [name, bytes] of await readShard(dir, shard)) if (name.endsWith(".png")) pictures.add(sha256Of(bytes));
  }
  const counts = { pictures: 0, captions: 0 };
  for (const shard of trainingShards) {
    for (const [name, bytes] of await readShard(dir, shard)) {
      const fail = (what: string): never => {
        throw new DataError(
          `${shard} ${name}: expected no held-out concept in training, got ${what}`,
          "this is a defect of the split rules; please report it",
        );
      };
      if (name.endsWith(".png")) {
        counts.pictures++;
        if (pictures.has(sha256Of(bytes))) fail("a picture equal to a held-out one");
        continue;
      }
      const text = new TextDecoder().decode(bytes);
      const json = name.endsWith(".json") ? (JSON.parse(text) as Record<string, unknown>) : {};
      if (heldOut.concepts.has(String(json.concept))) fail(`the concept ${String(json.concept)}`);
      if (heldOut.styles.includes(String(json.style))) fail(`the style ${String(json.style)}`);
      const captions = name.endsWith(".json")
        ? [json.captions ?? [], json.name ?? [], json.tags ?? [], json.definition ?? []].flat().map(String)
        : [text];
      for (const caption of captions) {
        counts.captions++;
        const found = index.find(caption);
        if (found !== undefined) fail(`${JSON.stringify(caption)}, which names ${JSON.stringify(found)}`);
      }
    }
  }
  return counts;
}

async function readShard(dir: string, name: string): Promise<[string, Uint8Array][]> {
  const entries = await unpackTar(await readFile(join(dir, name)));
  return entries.map(({ header, data }) => [header.name, data ?? new Uint8Array(0)]);
}
