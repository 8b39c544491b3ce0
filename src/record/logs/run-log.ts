/** Everything that a run writes while it trains: metrics.jsonl and, derived from it, TensorBoard event files a stage. */
import { join } from "node:path";
import { makeFolder, statOf } from "../../io/index.ts";
import { type LogOptions, lastKept, METRICS_FILE, openMetrics } from "./metrics.ts";
import { type EventWriter, openEvents } from "./tensorboard.ts";

/** TensorBoard's event files, in the run's folder. */
export const EVENTS_FOLDER = "tensorboard";

/** Writes metrics to metrics.jsonl and to event files. */
export interface RunLog extends AsyncDisposable {
  /** Lines of metrics.jsonl that were void or damaged and are gone. */
  readonly removed: number;
  log(stage: string, step: number, values: Readonly<Record<string, number>>): Promise<void>;
  /** The event file of a stage, for pictures and texts. */
  events(stage: string): Promise<EventWriter>;
  /** Makes what was written last through a power cut: to be called with every checkpoint. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens the logs of a run folder: `metrics.jsonl` and `tensorboard/<stage>/`. Throws FileError. Event files are never changed:
 * a stage that has some already gets a new one that voids the steps to come, at once, whether or not the run gets that far.
 */
export async function openRunLog(runDir: string, options: LogOptions): Promise<RunLog> {
  await makeFolder(runDir);
  const metrics = await openMetrics(join(runDir, METRICS_FILE), options);
  const writers = new Map<string, EventWriter>();
  const events = async (stage: string): Promise<EventWriter> => {
    const known = writers.get(stage);
    if (known) return known;
    const folder = join(runDir, EVENTS_FOLDER, stage);
    const writer = await openEvents(folder, { keepUntil: lastKept(options, stage), now: options.now });
    writers.set(stage, writer);
    return writer;
  };
  for (const stage of options.running) if (await statOf(join(runDir, EVENTS_FOLDER, stage))) await events(stage);
  const close = async (): Promise<void> => {
    await metrics.close();
    for (const writer of writers.values()) await writer.close();
  };
  return {
    removed: metrics.removed,
    async log(stage, step, values) {
      await metrics.log(stage, step, values);
      await (await events(stage)).scalars(step, values);
    },
    events,
    async flush() {
      await metrics.flush();
      for (const writer of writers.values()) await writer.flush();
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}
