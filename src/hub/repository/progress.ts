/** What is told while files are loaded: the event objects of transformers.js. */

/** `name` is the repository, `file` a file of it; `progress` in percent, `loaded` and `total` in bytes. */
export type ProgressEvent =
  | { readonly status: "initiate" | "download" | "done"; readonly name: string; readonly file: string }
  | ({ readonly status: "progress"; readonly name: string; readonly file: string } & Amount)
  | ({ readonly status: "progress_total"; readonly name: string } & Amount & {
        /** By file: those whose size is not known yet are left out. */
        readonly files: Readonly<Record<string, { readonly loaded: number; readonly total: number }>>;
      })
  | { readonly status: "ready"; readonly task: string; readonly model: string };

interface Amount {
  readonly progress: number;
  readonly loaded: number;
  readonly total: number;
}

/** Hears of downloads. */
export type OnProgress = (event: ProgressEvent) => void;

/** Between two events of a file. */
const INTERVAL_MS = 50;

/** Tells of one file's bytes: the first, the last, and some between. Where the length is unknown, `total` is what came so far. */
export function byteEvents(
  name: string,
  file: string,
  onProgress: OnProgress,
): (loaded: number, total: number | undefined) => void {
  let due = 0;
  return (loaded, said) => {
    const now = performance.now();
    if (loaded !== said && now < due) return;
    due = now + INTERVAL_MS;
    const total = said ?? loaded;
    onProgress({ status: "progress", name, file, progress: total === 0 ? 100 : (100 * loaded) / total, loaded, total });
  };
}

/** The events of several files, and after each of bytes one of them together. */
export function withTotal(name: string, sizes: ReadonlyMap<string, number>, onProgress: OnProgress): OnProgress {
  const files: Record<string, { loaded: number; total: number }> = {};
  for (const [file, total] of sizes) files[file] = { loaded: 0, total };
  return (event) => {
    onProgress(event);
    if (event.status === "progress") files[event.file] = { loaded: event.loaded, total: event.total };
    else if (event.status === "done" && files[event.file]) files[event.file]!.loaded = files[event.file]!.total;
    else return;
    const sum = (of: "loaded" | "total"): number => Object.values(files).reduce((n, file) => n + file[of], 0);
    const [loaded, total] = [sum("loaded"), sum("total")];
    const progress = total === 0 ? 100 : (100 * loaded) / total;
    onProgress({ status: "progress_total", name, progress, loaded, total, files: structuredClone(files) });
  };
}
