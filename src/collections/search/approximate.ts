/**
 * An approximate index (HNSW) for collections that are too large to compare with every row, by the package usearch where it is
 * installed. It lies beside the rows and grows with them; candidates are ordered by their exact products.
 */
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { EngineError } from "../../errors.ts";
import { namesIn, PARTIAL, statOf } from "../../io/index.ts";
import { dot } from "../exact.ts";
import type { FolderIndex, Found } from "./folder-index.ts";

/** From so many rows on an exact comparison takes longer than a person waits without noticing. */
export const MANY_ROWS = 500_000;

/** What is used of usearch 2. */
interface Usearch {
  readonly Index: new (options: { metric: "ip"; dimensions: number; connectivity: number }) => UsearchIndex;
}

interface UsearchIndex {
  add(keys: BigUint64Array, rows: Float32Array, threads: number): void;
  search(query: Float32Array, count: number, threads: number): { readonly keys: BigUint64Array };
  size(): number;
  save(path: string): void;
  load(path: string): void;
}

/** How the package is looked for. */
export interface ApproximateOptions {
  /** Whether its absence is an error; else it is said, and every row compared. */
  readonly required: boolean;
  readonly note?: ((line: string) => void) | undefined;
  /** Loads it; for tests. */
  readonly load?: (() => Promise<unknown>) | undefined;
}

/** Rows that are added between two turns of the event loop. */
const ADDED = 10_000;
/** More candidates than asked for: rows of deleted files are among them. */
const SPARE = 64;
const PACKAGE = "usearch";

/** A search of the index by HNSW. Throws EngineError where the package is needed and missing. */
export async function approximateSearch(
  index: FolderIndex,
  { required, note, load = () => import(PACKAGE) }: ApproximateOptions,
): Promise<FolderIndex["search"]> {
  const usearch = await load().catch((cause: unknown) => {
    const help = "npm install usearch";
    if (required) throw new EngineError("expected the package usearch for an approximate index", help, { cause });
    note?.(`${index.pictures} pictures are compared one by one; ${help} makes an approximate index possible`);
    return undefined;
  });
  if (usearch === undefined) return index.search;
  const { default: module = usearch } = usearch as { default?: unknown };
  const graph = await openGraph(module as Usearch, index, note);
  return (query, count) => {
    const { keys } = graph.search(query, Math.min(count + SPARE, graph.size()), 0);
    const width = query.length;
    const found = Array.from(keys, Number).flatMap((row): Found[] => {
      const score = dot(index.rows, row * width, query);
      return index.pathsOf(row).map((path) => ({ path, score }));
    });
    return found.sort((a, b) => b.score - a.score).slice(0, count);
  };
}

/** The graph of these rows: that of an earlier search, with what is new since. */
async function openGraph(
  { Index }: Usearch,
  { rows, width, place, generation, signal }: FolderIndex,
  note: ApproximateOptions["note"],
): Promise<UsearchIndex> {
  const path = join(place, `${generation}.usearch`);
  const make = (): UsearchIndex => new Index({ metric: "ip", dimensions: width, connectivity: 16 });
  let graph = make();
  const count = rows.length / width;
  if (await statOf(path)) {
    try {
      graph.load(path);
      if (graph.size() > count) throw new Error(`${graph.size()} rows instead of ${count}`);
    } catch (error) {
      note?.(`the approximate index is built anew: ${(error as Error).message}`);
      graph = make();
    }
  }
  if (graph.size() === count) return graph;
  for (let from = graph.size(); from < count; from += ADDED) {
    signal?.throwIfAborted();
    const to = Math.min(count, from + ADDED);
    const keys = BigUint64Array.from({ length: to - from }, (_, i) => BigInt(from + i));
    graph.add(keys, rows.subarray(from * width, to * width), 0);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const temporary = `${path}.${process.pid}${PARTIAL}`;
  graph.save(temporary);
  await rename(temporary, path);
  for (const name of await namesIn(place))
    if (name.endsWith(".usearch") && name !== `${generation}.usearch`) await rm(join(place, name), { force: true });
  return graph;
}
