/** From a run folder to report.html. */
import { join } from "node:path";
import { saveFile } from "../io/index.ts";
import { loadGallery, loadMetrics, loadRunInfo, readRecipe } from "../record/index.ts";
import { chartMaker } from "./chart.ts";
import { reportPage } from "./page.ts";

/** The page of a run, in its folder. */
export const REPORT_FILE = "report.html";

/** Where the page is written. */
export interface ReportOptions {
  /** Where to write; `report.html` in the run folder unless given. */
  readonly output?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Writes the report of a run, finished or not, and resolves to its path. Throws DataError if a file of the run is
 * damaged, FileError if one is missing or the page cannot be written.
 */
export async function writeReport(runDir: string, options: ReportOptions = {}): Promise<string> {
  const { output = join(runDir, REPORT_FILE), signal } = options;
  const info = await loadRunInfo(runDir);
  const recipe = await readRecipe(runDir);
  const gallery = await loadGallery(runDir);
  const metrics = await loadMetrics(runDir);
  signal?.throwIfAborted();
  const page = reportPage({ info, recipe, metrics, gallery }, await chartMaker());
  await saveFile(output, page, { signal });
  return output;
}
