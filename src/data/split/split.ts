/** Divides any source into shards for training, validation and test that share no picture, caption or concept: `flava data split`. */
import { join } from "node:path";
import { DataError } from "../../errors.ts";
import { makeFolder, saveFile } from "../../io/index.ts";
import { decodableSource } from "../sources/decodable.ts";
import type { BadSample, Source } from "../sources/index.ts";
import { inNewFolder, NO_FORMAT, type ShardManifest, ShardSet } from "../sources/shards.ts";
import { type Assignment, assignGroups, type Shares, type SplitPart } from "./assign.ts";
import { Grouping, type Groups } from "./groups.ts";
import { marksOf, type SplitBy } from "./marks.ts";

export interface SplitOptions extends Shares {
  readonly by: SplitBy;
  readonly seed: number;
  /** Default 1000. */
  readonly samplesPerShard?: number | undefined;
  /** Whether pictures are decoded first, and those that cannot be are left out. Default true. */
  readonly decode?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Every sample is read twice. */
  readonly onProgress?: ((read: number, pass: 1 | 2) => void) | undefined;
}

/** `split.json` beside the folders of the parts. */
export interface SplitManifest {
  readonly format: "flava-split/1";
  readonly source: string;
  readonly by: SplitBy;
  readonly seed: number;
  /** Samples that the source gave: those that were written and those that were left out. */
  readonly read: number;
  /** Samples left out, listed in bad.jsonl. */
  readonly bad: number;
  /** What was ignored without losing a sample. */
  readonly notes: number;
  /** Groups of samples that belong together, and the samples of the largest. */
  readonly groups: number;
  readonly largest: number;
  readonly parts: Readonly<
    Partial<Record<SplitPart, { readonly samples: number; readonly shards: ShardManifest["shards"] }>>
  >;
}

/**
 * Writes `train/`, `validation/` and `test/` below a new folder, each with tar shards, and `split.json`. Samples that share a mark
 * (marks.ts) are in one part. The source is read twice; of it are held a few numbers a sample. Throws DataError where it cannot be
 * divided so, or gives other samples at the second reading.
 */
export async function splitSource(source: Source, out: string, options: SplitOptions): Promise<SplitManifest> {
  const { by, seed, decode = true, onProgress, signal } = options;
  return inNewFolder(out, async (folder, bad) => {
    const undecodable = new Set<string>();
    const onBad = (one: BadSample): void => {
      bad.onBad(one);
      if (!one.kept) undecodable.add(one.key);
    };
    const grouping = new Grouping();
    const usable = decode ? decodableSource(source) : source;
    for await (const { sample } of usable.samples({ signal, onBad })) {
      grouping.add(marksOf(sample, by));
      onProgress?.(grouping.count, 1);
    }
    if (grouping.count === 0)
      throw new DataError(`${source.name}: expected samples, got none that can be used`, nothing(bad.reasons));
    const read = grouping.count + bad.count;
    const groups = grouping.groups();
    const assignment = assignGroups(groups, options, { name: source.name, seed, by });
    const written = await writeParts(source, folder, { ...options, groups, assignment, undecodable, onBad: bad.onBad });
    await bad.close();
    const kept = Object.values(written).reduce((n, { samples }) => n + samples, 0);
    if (kept + bad.count !== read) throw new Error(`internal: read ${read}, written ${kept}, left out ${bad.count}`);
    const manifest: SplitManifest = {
      format: "flava-split/1",
      source: source.name,
      by,
      seed,
      read,
      bad: bad.count,
      notes: [...bad.notes.values()].reduce((n, count) => n + count, 0),
      groups: groups.sizes.size,
      largest: Math.max(...groups.sizes.values()),
      parts: written,
    };
    await saveFile(join(folder, "split.json"), `${JSON.stringify(manifest, null, 2)}\n`);
    return manifest;
  });
}

const nothing = (reasons: ReadonlyMap<string, number>): string | undefined => {
  const [first] = [...reasons].sort(([, a], [, b]) => b - a);
  return first && `${first[1].toLocaleString("en-US")} were left out because: ${first[0]}`;
};

interface Writing extends SplitOptions {
  readonly groups: Groups;
  readonly assignment: Assignment;
  /** Keys of samples that the first reading left out. */
  readonly undecodable: ReadonlySet<string>;
  readonly onBad: (bad: BadSample) => void;
}

async function writeParts(source: Source, folder: string, options: Writing): Promise<SplitManifest["parts"]> {
  const { groups, assignment, undecodable, onBad, signal, onProgress } = options;
  const parts = new Map<SplitPart, ShardSet>();
  for (const part of ["train", "validation", "test"] as const) {
    if (part !== "train" && options[part] === 0) continue;
    await makeFolder(join(folder, part));
    parts.set(part, new ShardSet(join(folder, part), options));
  }
  let at = 0;
  try {
    for await (const { sample } of source.samples({ signal, onBad })) {
      if (undecodable.has(sample.key)) continue;
      if (at === groups.of.length) throw changed(source);
      const part = parts.get(assignment.get(groups.of[at++]!) ?? "train")!;
      if (!(await part.add(sample))) onBad({ source: source.name, key: sample.key, reason: NO_FORMAT });
      onProgress?.(at, 2);
    }
    if (at !== groups.of.length) throw changed(source);
    const written: Partial<Record<SplitPart, { samples: number; shards: ShardManifest["shards"] }>> = {};
    for (const [part, set] of parts) written[part] = { shards: await set.close(), samples: set.samples };
    return written;
  } catch (error) {
    for (const set of parts.values()) await set.abandon();
    throw error;
  }
}

const changed = ({ name }: Source): DataError =>
  new DataError(`${name}: expected the same samples at both readings, got others`, "is something still writing to it?");
