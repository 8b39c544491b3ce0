/** What `flava pretrain` loads when it trains: the starter data where the recipe reads it, the run, and its final numbers. */
import type { SourceSpec } from "../data/sources/index.ts";
import { type FetchOptions, fetchStarter } from "../datasets/starter/index.ts";
import type { Recipe, StageMeasure } from "../pretrain/recipe/index.ts";
import { measureStage } from "../pretrain/run/measure.ts";
import { pretrain } from "../pretrain/run/run.ts";
import type { Io } from "./command.ts";
import { withProgress } from "./data-fetch.ts";
import type { PretrainRequest } from "./pretrain.ts";
import { consoleReporter } from "./run-reporter.ts";

export const measure: (recipe: Recipe, stage: string) => StageMeasure = measureStage;

/** Trains and prints the results as `name: value` lines. A run that was stopped by Ctrl-C is saved and fails as cancelled. */
export async function run(request: PretrainRequest, io: Io): Promise<void> {
  for (const edition of startersOf(request.recipe))
    await withProgress(io, (onProgress) => fetchStarter({ ...edition, signal: io.signal, onProgress }));
  const { results, status } = await pretrain(request, { reporter: consoleReporter(io), signal: io.signal });
  if (status === "stopped") io.signal.throwIfAborted();
  const lines = Object.entries(results).map(([name, value]) => `${name}: ${Number(value.toPrecision(4))}`);
  if (lines.length > 0) io.result(lines.join("\n"), results);
}

/** The editions of the starter data that the recipe reads, each once. */
function startersOf({ data, evaluation }: Recipe): Pick<FetchOptions, "heldOutBy" | "cacheDir">[] {
  const found = new Map<string, Pick<FetchOptions, "heldOutBy" | "cacheDir">>();
  const add = ({ heldOutBy = "families", cacheDir }: Pick<FetchOptions, "heldOutBy" | "cacheDir">): unknown =>
    found.set(JSON.stringify([heldOutBy, cacheDir]), { heldOutBy, cacheDir });
  const visit = (value: unknown): void => {
    if (typeof value === "string" && value.startsWith("starter:")) add({});
    if (typeof value !== "object" || value === null) return;
    if ((value as Partial<SourceSpec>).type === "starter") add(value);
    else for (const part of Object.values(value)) visit(part);
  };
  visit([data, evaluation]);
  return [...found.values()];
}
