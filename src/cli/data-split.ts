/** `flava data split SOURCE --out DIR`. */
import { type SplitBy, splitSource } from "../data/split/index.ts";
import { ConfigError } from "../errors.ts";
import type { Io } from "./command.ts";
import { openNamed } from "./data-source.ts";
import { formatCount, type Progress } from "./progress.ts";

interface SplitCommand {
  readonly out: string;
  readonly validation: number;
  readonly test: number;
  readonly by: SplitBy;
  readonly seed: number;
  readonly samplesPerShard: number;
  readonly decode: boolean;
  readonly outside?: boolean;
  readonly cacheDir?: string;
}

export async function split(io: Io, [spec = ""]: readonly string[], options: SplitCommand): Promise<void> {
  const { out, validation, test, signal, ...given } = { ...options, signal: io.signal };
  if (validation + test <= 0 || validation + test >= 1)
    throw new ConfigError(
      `--validation ${validation} --test ${test}: expected shares that together are above 0 and below 1`,
      "0.1 is a tenth",
    );
  const source = await openNamed(io, spec, options);
  const begin = (label: string): Progress => io.progress({ label, unit: "samples", total: source.count });
  let [progress, current] = [begin(`comparing ${spec}`), 1];
  const onProgress = (read: number, pass: 1 | 2): void => {
    if (pass !== current) {
      progress.end();
      [progress, current] = [begin(`writing ${out}`), pass];
    }
    progress.update(read);
  };
  const manifest = await splitSource(source, out, { ...given, validation, test, signal, onProgress }).finally(() =>
    progress.end(),
  );
  const { groups, largest, bad, notes, parts } = manifest;
  const lines = Object.entries(parts).map(
    ([part, { samples, shards }]) =>
      `${out}/${part}: ${formatCount(samples)} samples in ${shards.length} ${shards.length === 1 ? "shard" : "shards"}`,
  );
  const lost = [bad > 0 ? `${formatCount(bad)} left out` : "", notes > 0 ? `${formatCount(notes)} notes` : ""].filter(
    Boolean,
  );
  io.result(
    [
      ...lines,
      `${formatCount(manifest.read)} read; ${formatCount(groups)} groups that belong together by ${given.by}, the largest of ${formatCount(largest)}`,
      ...(lost.length > 0 ? [`${lost.join(", ")}: see ${out}/bad.jsonl`] : []),
    ].join("\n"),
    manifest,
  );
}
