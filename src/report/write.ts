/** From a run folder to report.html. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { saveFile } from "../io/index.ts";
import { loadGallery } from "../record/gallery.ts";
import { parseMetrics } from "../record/logs/metrics.ts";
import { METRICS_FILE } from "../record/logs/run-log.ts";
import { loadRunInfo, RECIPE_FILE, readJson } from "../record/run-info.ts";
import { chartMaker } from "./chart.ts";
import { reportPage } from "./page.ts";

export const REPORT_FILE = "report.html";

export interface ReportOptions {
  /** Where to write; `report.html` in the run folder unless given. */
  readonly output?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Writes the report of a run, finished or not, and resolves to its path. Throws DataError if the folder is no run's or its
 * gallery is damaged, CheckpointError if the page cannot be written.
 */
export async function writeReport(runDir: string, options: ReportOptions = {}): Promise<string> {
  const { output = join(runDir, REPORT_FILE), signal } = options;
  const info = await loadRunInfo(runDir);
  const recipe = await readJson(join(runDir, RECIPE_FILE));
  const gallery = await loadGallery(runDir);
  const metrics = parseMetrics(await readFile(join(runDir, METRICS_FILE), "utf8").catch(() => ""));
  signal?.throwIfAborted();
  const page = reportPage({ info, recipe, metrics, gallery }, await chartMaker());
  await saveFile(output, page, { signal });
  return output;
}
