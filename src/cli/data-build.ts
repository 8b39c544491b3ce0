/** `flava data build SOURCE… --out DIR`. */
import { buildShards, type Source } from "../data/index.ts";
import type { Io } from "./command.ts";
import { openNamed } from "./data-source.ts";
import { formatBytes, formatCount } from "./progress.ts";

interface BuildOptions {
  readonly out: string;
  readonly samplesPerShard: number;
  readonly limit?: number;
  readonly decode: boolean;
  readonly outside?: boolean;
  readonly cacheDir?: string;
}

export async function build(io: Io, specs: readonly string[], options: BuildOptions): Promise<void> {
  const { out, samplesPerShard, limit, decode } = options;
  const { signal } = io;
  const sources: Source[] = [];
  for (const spec of specs) sources.push(await openNamed(io, spec, options));
  const known = sources.reduce((sum, { count = Number.NaN }) => sum + count, 0);
  const total = Number.isNaN(known) ? limit : Math.min(known, limit ?? known);
  const progress = io.progress({ label: `writing ${out}`, unit: "samples", total });
  try {
    const onProgress = (done: number): void => progress.update(done);
    const manifest = await buildShards(sources, out, { samplesPerShard, limit, decode, signal, onProgress });
    progress.end();
    const { samples, shards, bytes, bad, notes } = manifest;
    const lost = [bad > 0 ? `${formatCount(bad)} left out` : "", notes > 0 ? `${formatCount(notes)} notes` : ""];
    const said = lost.filter(Boolean).join(", ");
    const left = said === "" ? "" : `; ${said}, see ${out}/bad.jsonl`;
    io.result(
      `${out}: ${formatCount(samples)} samples in ${shards.length} ${shards.length === 1 ? "shard" : "shards"}, ${formatBytes(bytes)}${left}`,
      manifest,
    );
  } finally {
    progress.end();
  }
}
