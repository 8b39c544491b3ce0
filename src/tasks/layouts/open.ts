/** From a task and the folder of all data to the samples of a split. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { z } from "zod";
import type { Fingerprint, Reading, Sample, Source } from "../../data/index.ts";
import { filesFingerprint } from "../../data/index.ts";
import { jsonSchema, parseCursor } from "../../data/sources/files.ts";
import { indexedSamples } from "../../data/sources/indexed.ts";
import { readImage } from "../../data/sources/record.ts";
import { DataError, FileError, type FlavaError } from "../../errors.ts";
import { namesIn, statOf } from "../../io/index.ts";
import type { Layout, SplitName, Task } from "../schema.ts";
import { alteredSource } from "./altered.ts";
import { drawnItems } from "./draw.ts";
import { readLinesOf } from "./files.ts";
import { type Item, type LayoutReader, type Listing, type Place, WHOLE } from "./layout.ts";
import { placesOf } from "./places.ts";
import { layouts } from "./table.ts";

/** A task's data, found. */
export interface TaskPlace extends Place {
  readonly layout: Layout;
  /** Names of classes by the number in the data. */
  readonly classes: readonly string[] | undefined;
}

/** Samples of a task. */
export interface TaskSource extends Source {
  /** The classes that occur, in no order, where that is known without reading the samples. */
  readonly labels?: readonly string[] | undefined;
}

/** Where a task's data lie below the root, and how; undefined where they are not there. Throws DataError for a folder of no known layout. */
export async function findTask(task: Task, dataRoot: string, signal?: AbortSignal): Promise<TaskPlace | undefined> {
  let without: string | undefined;
  if (task.data.layouts.includes("starter")) {
    const place = { task, root: dataRoot, signal };
    return (await layouts.starter.isThere(place))
      ? { ...place, layout: "starter", classes: task.data.classes }
      : undefined;
  }
  for await (const root of placesOf(task, dataRoot)) {
    const place = { task, root, signal };
    for (const layout of task.data.layouts)
      if (await layouts[layout].isThere(place)) return { ...place, layout, classes: await classesOf(task, root) };
    if ((await namesIn(root)).length > 0) without ??= root;
  }
  if (without === undefined) return undefined;
  const found = (await namesIn(without)).sort().slice(0, 5).join(", ");
  throw new DataError(
    `task ${task.name}: ${without}: expected ${task.data.layouts.map((name) => layouts[name].looks).join("; or ")}; got ${found}`,
    `get it from ${task.data.source}`,
  );
}

/** As findTask. Throws FileError where there is nothing. */
export async function requireTask(task: Task, dataRoot: string, signal?: AbortSignal): Promise<TaskPlace> {
  const place = await findTask(task, dataRoot, signal);
  if (place) return place;
  const where = join(dataRoot, task.data.folder);
  if (task.data.layouts[0] === "starter")
    throw new FileError(
      `task ${task.name}: expected the starter data, found none`,
      `get them with ${task.data.source}`,
    );
  const found = (await statOf(dataRoot)) ? "none" : `no folder ${dataRoot}`;
  throw new FileError(
    `task ${task.name}: expected its data in ${where}, found ${found}`,
    `get it from ${task.data.source}`,
  );
}

/** CLIP_benchmark's folders say what their numbers mean. */
async function classesOf(task: Task, root: string): Promise<readonly string[] | undefined> {
  const file = join(root, "classnames.txt");
  return (await statOf(file)) ? readLinesOf(file) : task.data.classes;
}

/**
 * The samples of a split: those of the data's own splits that the task names for it, or drawn ones. Labels are names of classes, or targets.
 * Undefined where the task has no such split, and for a validation split that the data do not have. Throws DataError.
 */
export async function openSplit(place: TaskPlace, split: SplitName): Promise<TaskSource | undefined> {
  const found = await splitAsItIs(place, split);
  return found && split === "test" ? asTheTaskSays(place, found) : found;
}

const asTheTaskSays = ({ task: { data } }: TaskPlace, source: TaskSource): TaskSource =>
  data.altered ? alteredSource(source, data.altered) : source;

async function splitAsItIs(place: TaskPlace, split: SplitName): Promise<TaskSource | undefined> {
  const { task, root } = place;
  const reader = layouts[place.layout];
  const names = task.data.splits[split] ?? [];
  const own = await Promise.all(names.map((name) => reader.split(place, name)));
  const missing = names.filter((_, i) => own[i] === undefined);
  if (missing.length === 0 && names.length > 0) return together(place, split, own as (Listing | Source)[]);
  const drawn = await drawnSplit(place, reader, split);
  if (drawn) return listedSource(place, split, drawn);
  if (split === "validation" || (names.length === 0 && !task.data.drawn?.parts[split])) return undefined;
  throw new DataError(
    `task ${task.name}: ${root}: expected the split ${missing.join(", ") || split}, found none`,
    `${place.layout}: ${reader.looks}`,
  );
}

/** One of the data's own splits for a test by its name, as in `openSplit`. Throws DataError where there is none. */
export async function openOwnSplit(place: TaskPlace, name: string): Promise<TaskSource> {
  const found = await layouts[place.layout].split(place, name);
  if (found) return asTheTaskSays(place, together(place, name, [found]));
  throw new DataError(`task ${place.task.name}: ${place.root}: expected the split ${name}, found none`);
}

async function drawnSplit(place: TaskPlace, reader: LayoutReader, split: SplitName): Promise<Listing | undefined> {
  const { drawn } = place.task.data;
  if (!drawn?.parts[split]) return undefined;
  const whole = await reader.split(place, WHOLE);
  if (!whole || "samples" in whole) return undefined;
  return { ...whole, items: drawnItems(whole.items, drawn, split) };
}

function together(place: TaskPlace, split: string, parts: readonly (Listing | Source)[]): TaskSource {
  const listings = parts.filter((part) => "items" in part);
  if (listings.length < parts.length)
    return chained(
      parts.map((part) => ("items" in part ? listedSource(place, split, part) : namedSource(place, part))),
    );
  const owner = new Map(listings.flatMap((listing) => listing.items.map((item) => [item, listing] as const)));
  return listedSource(place, split, {
    items: listings.flatMap(({ items }) => items),
    files: listings.flatMap(({ files }) => files),
    load: async (item, reading) => owner.get(item)!.load?.(item, reading),
  });
}

const chainSchema = z.strictObject({ part: z.int().nonnegative(), at: jsonSchema });

/** One source behind the other. */
function chained(parts: readonly TaskSource[]): TaskSource {
  const [first] = parts;
  if (parts.length === 1) return first!;
  const counts = parts.map(({ count }) => count);
  const count = counts.every((one) => one !== undefined) ? counts.reduce((sum, one) => sum + one, 0) : undefined;
  return {
    name: first!.name,
    ...(count !== undefined && { count }),
    async fingerprint(): Promise<Fingerprint> {
      const found = await Promise.all(parts.map((part) => part.fingerprint!()));
      const hash = createHash("sha256");
      for (const one of found) hash.update(one.hash);
      return {
        files: found.reduce((sum, { files }) => sum + files, 0),
        bytes: found.reduce((sum, { bytes }) => sum + bytes, 0),
        hash: hash.digest("hex"),
      };
    },
    async *samples(options = {}) {
      const { cursor, ...rest } = options;
      const start = cursor === undefined ? { part: 0, at: undefined } : parseCursor(first!.name, cursor, chainSchema);
      for (let part = start.part; part < parts.length; part++) {
        const from = part === start.part && start.at !== undefined ? { cursor: start.at } : {};
        for await (const placed of parts[part]!.samples({ ...rest, ...from }))
          yield { sample: placed.sample, cursor: { part, at: placed.cursor } };
      }
    },
  };
}

/** Listed samples as a source. Throws DataError for labels that the task does not have. */
function listedSource(place: TaskPlace, split: string, { items, files, load }: Listing): TaskSource {
  const { task, root } = place;
  const named = items.map((item) => ({ ...item, label: labelName(place, item.labelAt ?? item.key, item.label) }));
  checkCount(place, named);
  if (items.length === 0)
    throw new DataError(`task ${task.name}: ${root}: expected samples in the split ${split}, got none`);
  const name = `${task.name} (${split})`;
  const read = async (i: number, reading: Reading): Promise<Sample | { key: string; reason: string }> => {
    const { key, label, texts, meta, path, refused } = named[i]!;
    if (refused !== undefined) return { key, reason: refused };
    const image = path !== undefined ? await readImage(join(root, path), reading) : await load?.(items[i]!, reading);
    if (typeof image === "string") return { key, reason: image };
    return {
      key,
      ...(image && { image }),
      ...(texts && { texts }),
      ...(label !== undefined && { label }),
      ...(meta && { meta }),
    };
  };
  return {
    name,
    count: items.length,
    labels: [...new Set(named.flatMap(({ label }) => (label === undefined ? [] : [String(label)])))],
    async fingerprint(): Promise<Fingerprint> {
      const found = await filesFingerprint([
        ...files,
        ...named.flatMap(({ path }) => (path ? [join(root, path)] : [])),
      ]);
      const hash = createHash("sha256").update(found.hash);
      for (const { key, label } of named) hash.update(JSON.stringify([key, label]));
      return { ...found, hash: hash.digest("hex") };
    },
    samples: (options = {}) => indexedSamples(name, items.length, options, read),
  };
}

/** The samples of a source with names for numbers. */
function namedSource(place: TaskPlace, source: Source): Source {
  return {
    ...source,
    async fingerprint(): Promise<Fingerprint> {
      const found = await source.fingerprint!();
      const names = JSON.stringify([place.classes, place.task.data.renamed]);
      return { ...found, hash: createHash("sha256").update(found.hash).update(names).digest("hex") };
    },
    async *samples(options) {
      for await (const { sample, cursor } of source.samples(options)) {
        const label = labelName(place, sample.key, sample.label);
        yield { sample: label === undefined ? sample : { ...sample, label }, cursor };
      }
    },
  };
}

/** The name of a label's class. Throws DataError for a number out of range and a name that the task does not have. */
function labelName(place: TaskPlace, key: string, label: string | number | undefined): string | number | undefined {
  const { task, root, classes } = place;
  const { classCount, range, renamed } = task.data;
  if (label === undefined) return undefined;
  const bad = (expected: string): FlavaError =>
    new DataError(`task ${task.name}: ${root}: ${key}: expected a label ${expected}, got ${label}`);
  if (range) {
    const target = Number(label);
    if (target >= range[0] && target <= range[1]) return target;
    throw bad(`from ${range[0]} to ${range[1]}`);
  }
  const count = classes?.length ?? classCount;
  if (typeof label === "number") {
    if (!Number.isInteger(label) || label < 0 || (count !== undefined && label >= count))
      throw bad(`from 0 to ${count! - 1}`);
    return classes?.[label] ?? String(label);
  }
  const name = renamed?.[label] ?? label;
  const known = task.data.classes;
  if (!known || known.includes(name) || classes?.includes(name)) return name;
  const spelled = known.find((one) => spelling(one) === spelling(name)); // the Hub's MRPC has not_equivalent
  if (spelled !== undefined) return spelled;
  throw bad(`of ${known.slice(0, 12).join(", ")}`);
}

/** The same for names that differ in capitals, blanks, underscores and hyphens between words alone. */
const spelling = (name: string): string => name.toLowerCase().replace(/[\s_-]+/g, " ");

function checkCount({ task, root }: TaskPlace, items: readonly Item[]): void {
  const { classCount } = task.data;
  if (classCount === undefined || task.data.range) return;
  const found = new Set(items.flatMap(({ label }) => (label === undefined ? [] : [label])));
  if (found.size > classCount)
    throw new DataError(
      `task ${task.name}: ${root}: expected ${classCount} classes, got ${found.size}: ${[...found].slice(0, 5).join(", ")}, …`,
    );
}
