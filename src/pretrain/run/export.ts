/** The model of a finished run as others load it: model.safetensors, config.json and preprocessor_config.json beside the run's tokenizer.json. */
import { join } from "node:path";
import { saveSafetensors } from "../../hub/index.ts";
import { imageOptionsToJson } from "../../image/index.ts";
import { saveFile } from "../../io/index.ts";
import { familyOf, kindOf, modelOf } from "../tables.ts";
import type { RunContext, StageRun } from "./context.ts";

/** Writes the files into the run's folder. Throws FileError. */
export async function exportModel({ runDir, recipe, tables }: RunContext, run: StageRun): Promise<void> {
  const entries = run.modelEntries();
  await saveSafetensors(join(runDir, "model.safetensors"), entries, { metadata: { format: "pt" } });
  const config = familyOf(tables, recipe).configFile(recipe.model, {
    lossWeights: kindOf(tables, run.stage).lossWeights?.(run.stage) ?? {},
    tensors: entries.map(({ name }) => name),
  });
  await saveFile(join(runDir, "config.json"), config);
  const { pictures } = modelOf(tables, recipe);
  if (!pictures) return;
  const { size, codebookSize, grid } = pictures;
  await saveFile(join(runDir, "preprocessor_config.json"), imageOptionsToJson({ size, codebookSize }, size / grid));
}
