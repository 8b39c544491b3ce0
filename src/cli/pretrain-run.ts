/** What `flava pretrain` loads when it trains: the named data sets that the recipe reads, the run, and its final numbers. */
import { type DataSpec, fetchData } from "../datasets/index.ts";
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
  for (const spec of specsOf(request.recipe))
    await withProgress(io, (onProgress) => fetchData(spec, { signal: io.signal, onProgress }));
  const { results, status } = await pretrain(request, { reporter: consoleReporter(io), signal: io.signal });
  if (status === "stopped") io.signal.throwIfAborted();
  const lines = Object.entries(results).map(([name, value]) => `${name}: ${Number(value.toPrecision(4))}`);
  if (lines.length > 0) io.result(lines.join("\n"), results);
}

/** Every source that the recipe names. */
function specsOf({ data, evaluation }: Recipe): (string | DataSpec)[] {
  const { validation, test, texts, labelled } = evaluation;
  const training = [data.pairs, data.images, data.texts].flat().map(({ source }) => source);
  return [
    ...training,
    ...Object.values(validation),
    ...Object.values(test),
    ...texts,
    ...Object.values(labelled ?? {}),
  ];
}
