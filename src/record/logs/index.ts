export type { PngImage } from "./event.ts";
export {
  type LogOptions,
  loadMetrics,
  METRICS_FILE,
  type MetricsLine,
  type MetricsLog,
  openMetrics,
  parseMetrics,
  type ReadMetrics,
} from "./metrics.ts";
export { EVENTS_FOLDER, openRunLog, type RunLog } from "./run-log.ts";
export { type EventWriter, type EventWriterOptions, openEvents } from "./tensorboard.ts";
