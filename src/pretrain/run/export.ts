/** The model of a finished run as others load it: weights, configuration, and the files of its processors. */
import { join } from "node:path";
import { saveSafetensors } from "../../hub/index.ts";
import { imageOptionsToJson } from "../../image/index.ts";
import { saveFile } from "../../io/index.ts";
import { tokenizerFiles } from "../../text/index.ts";
import { familyOf, kindOf, modelOf } from "../tables.ts";
import type { RunContext, StageRun } from "./context.ts";

/** Writes the files into the run's folder. Its tokenizer.json is there from the beginning, and stays as it is. Throws FileError. */
export async function exportModel({ runDir, recipe, tables, tokenizer }: RunContext, run: StageRun): Promise<void> {
  const entries = run.modelEntries();
  await saveSafetensors(join(runDir, "model.safetensors"), entries, { metadata: { format: "pt" } });
  const config = familyOf(tables, recipe).configFile(recipe.model, {
    lossWeights: kindOf(tables, run.stage).lossWeights?.(run.stage) ?? {},
    tensors: entries.map(({ name }) => name),
  });
  await saveFile(join(runDir, "config.json"), config);
  const { pictures, texts } = modelOf(tables, recipe);
  if (pictures) {
    const { size, codebookSize, grid, fit } = pictures;
    const options = { size, codebookSize, fit };
    await saveFile(join(runDir, "preprocessor_config.json"), imageOptionsToJson(options, size / grid));
  }
  if (!texts) return;
  const { "tokenizer.json": _, ...beside } = tokenizerFiles(tokenizer, texts.maxPositions);
  for (const [name, text] of Object.entries(beside)) await saveFile(join(runDir, name), text);
}
