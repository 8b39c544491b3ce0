/** Downloads of a model's files as progress lines: bytes, rate and time left of each. */
import { isProgressHidden, type OnProgress } from "../hub/index.ts";
import type { Io } from "./command.ts";
import type { Progress } from "./progress.ts";

const MIB = 2 ** 20;

/** Runs `work`, whose downloads are shown; small files, and those that are in the cache, leave no line. */
export async function withDownloads<T>(
  io: Pick<Io, "progress">,
  work: (onProgress: OnProgress) => Promise<T>,
): Promise<T> {
  const lines = new Map<string, Progress>();
  const onProgress: OnProgress = (event) => {
    if (event.status === "done") {
      lines.get(event.file)?.end();
      lines.delete(event.file);
    }
    if (event.status !== "progress" || event.total < MIB || isProgressHidden()) return;
    const { file, loaded, total } = event;
    const [start, all] = [loaded / MIB, total / MIB];
    const line = lines.get(file) ?? io.progress({ label: `downloading ${file}`, unit: "MiB", total: all, start });
    lines.set(file, line);
    line.update(loaded / MIB);
  };
  try {
    return await work(onProgress);
  } finally {
    for (const line of lines.values()) line.end();
  }
}
