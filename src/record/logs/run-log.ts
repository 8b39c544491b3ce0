/** Everything that a run writes while it trains: metrics.jsonl and, derived from it, TensorBoard event files a stage. */
import { join } from "node:path";
import { type MetricsOptions, openMetrics } from "./metrics.ts";
import { type EventWriter, openEvents } from "./tensorboard.ts";

export const METRICS_FILE = "metrics.jsonl";
export const EVENTS_FOLDER = "tensorboard";

export interface RunLog extends AsyncDisposable {
  log(stage: string, step: number, values: Readonly<Record<string, number>>): Promise<void>;
  /** The event file of a stage, for pictures and texts. */
  events(stage: string): Promise<EventWriter>;
  /** Makes what was written last through a power cut: to be called with every checkpoint. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** Opens the logs of a run folder: `metrics.jsonl` and `tensorboard/<stage>/`. Throws CheckpointError. */
export async function openRunLog(runDir: string, options: MetricsOptions): Promise<RunLog> {
  const metrics = await openMetrics(join(runDir, METRICS_FILE), options);
  const writers = new Map<string, EventWriter>();
  const { resumeAt } = options;
  const events = async (stage: string): Promise<EventWriter> => {
    const known = writers.get(stage);
    if (known) return known;
    const resumedAt = resumeAt?.stage === stage ? resumeAt.step : undefined;
    const writer = await openEvents(join(runDir, EVENTS_FOLDER, stage), { resumedAt, now: options.now });
    writers.set(stage, writer);
    return writer;
  };
  const close = async (): Promise<void> => {
    await metrics.close();
    for (const writer of writers.values()) await writer.close();
  };
  return {
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
