import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { temporaryFolder } from "../../../test/support/data-fixtures.ts";
import { entriesOf } from "../../hub/index.ts";
import { tensor } from "../../tensor/index.ts";
import { bertTokenizer } from "../../text/index.ts";
import { loadTokenizer } from "../../text/load.node.ts";
import { resolveRecipe } from "../recipe/index.ts";
import { tables } from "../tables.ts";
import type { RunContext, StageRun } from "./context.ts";
import { exportModel } from "./export.ts";

it("leaves the files of the tokenizer in the old form beside the model, with the longest text that it reads", async () => {
  const runDir = await temporaryFolder();
  const { recipe } = await resolveRecipe("recipes/starter.yaml", { tiny: true });
  const tokenizer = bertTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "cat", "##s"]);
  const stage = Object.values(recipe.stages).at(-1)!;
  const modelEntries = () => entriesOf({ x: tensor("float32", [1], new Float32Array(1)) });
  await exportModel(
    { runDir, recipe, tables, tokenizer } as RunContext,
    { stage, modelEntries } as unknown as StageRun,
  );
  expect((await readdir(runDir)).sort()).toEqual([
    "config.json",
    "model.safetensors",
    "preprocessor_config.json",
    "special_tokens_map.json",
    "tokenizer_config.json",
    "vocab.txt",
  ]);
  const { text_config } = JSON.parse(await readFile(join(runDir, "config.json"), "utf8"));
  const { model_max_length } = JSON.parse(await readFile(join(runDir, "tokenizer_config.json"), "utf8"));
  expect(model_max_length).toBe(text_config.max_position_embeddings);
  expect((await loadTokenizer(runDir)).ids("a cats")).toEqual([5, 6, 7]);
});
