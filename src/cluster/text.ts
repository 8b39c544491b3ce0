/** Texts between workers: what they compare before a run, and what one of them decides for all. */
import type { Cluster } from "./cluster.ts";

/** The text of every worker, by rank. */
export async function gatherTexts(cluster: Cluster, text: string): Promise<string[]> {
  const bytes = new TextEncoder().encode(text);
  const lengths = new Int32Array(cluster.size);
  lengths[cluster.rank] = bytes.length;
  await cluster.allGather(lengths);
  const longest = Math.max(1, ...lengths);
  const all = new Uint8Array(cluster.size * longest);
  all.set(bytes, cluster.rank * longest);
  await cluster.allGather(all);
  return [...lengths].map((length, rank) =>
    new TextDecoder().decode(all.subarray(rank * longest, rank * longest + length)),
  );
}

/** The text of worker 0, on all. */
export async function textOfFirst(cluster: Cluster, text: string): Promise<string> {
  const own = new TextEncoder().encode(cluster.rank === 0 ? text : "");
  const length = new Int32Array([own.length]);
  await cluster.broadcast(length, 0);
  const bytes = new Uint8Array(length[0]!);
  if (cluster.rank === 0) bytes.set(own);
  await cluster.broadcast(bytes, 0);
  return new TextDecoder().decode(bytes);
}
