export { type LossBoard, lossBoard, type RunReporter, silentReporter } from "../../pretrain/run/reporter.ts";
export type { PngImage } from "./event.ts";
export { type MetricsLine, type MetricsLog, type MetricsOptions, openMetrics, parseMetrics } from "./metrics.ts";
export { EVENTS_FOLDER, METRICS_FILE, openRunLog, type RunLog } from "./run-log.ts";
export { type EventWriter, type EventWriterOptions, openEvents } from "./tensorboard.ts";
