/** `flava data fetch starter`. */
import type { FetchProgress } from "../datasets/index.ts";
import { fetchStarter as fetch } from "../datasets/starter/index.ts";
import type { Io } from "./command.ts";
import { formatBytes, formatCount, type Progress } from "./progress.ts";

interface FetchOptions {
  readonly cacheDir?: string;
  readonly offline?: boolean;
  readonly verify?: boolean;
}

export async function fetchStarter(io: Io, { cacheDir, offline, verify }: FetchOptions): Promise<void> {
  const { dir, manifest } = await withProgress(io, (onProgress) =>
    fetch({ cacheDir, offline, verify, signal: io.signal, onProgress }),
  );
  const splits = Object.entries(manifest.splits).map(
    ([name, { samples, use, about }]) =>
      `  ${name.padEnd(24)} ${formatCount(samples).padStart(8)}  ${use.padEnd(8)}  ${about}`,
  );
  const bytes = Object.values(manifest.files).reduce((sum, file) => sum + file.bytes, 0);
  const lines = [`${dir}: ${formatBytes(bytes)}, licences in LICENCES.md`, ...splits];
  io.result(lines.join("\n"), { dir, manifest });
}

/** Runs the fetch with a progress line for what is counted, and a plain line for each other stage. */
export async function withProgress<T>(
  io: Io,
  work: (onProgress: (at: FetchProgress) => void) => Promise<T>,
): Promise<T> {
  let shown = "";
  let progress: Progress | undefined;
  const onProgress = ({ stage, what, done, total }: FetchProgress): void => {
    if (shown !== what) {
      shown = what;
      progress?.end();
      progress = total > 1 ? io.progress({ label: stage, unit: what, total }) : undefined;
      if (total <= 1) io.note(`${stage}: ${what}`);
    }
    progress?.update(done);
  };
  try {
    return await work(onProgress);
  } finally {
    progress?.end();
  }
}
