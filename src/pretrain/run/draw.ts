/** The pictures of a stage that is done, in the run's gallery. */
import { join } from "node:path";
import { input } from "../../graph/index.ts";
import { Params } from "../../nn/index.ts";
import { drawSections } from "../../pictures/index.ts";
import type { Tensor } from "../../tensor/index.ts";
import type { HeldOut } from "../stages/stage.ts";
import { familyOf, kindOf, modelOf } from "../tables.ts";
import type { RunContext, StageRun } from "./context.ts";
import { evaluationContext } from "./evaluation.ts";
import { decoderWeights } from "./initial.ts";

/** Texts that pictures are picked from. */
const SHOWN_TEXTS = 500;

/** Draws the stage's sections. Resolves to lines on what was left out and should not surprise. */
export async function drawStage(context: RunContext, held: HeldOut, run: StageRun): Promise<string[]> {
  const { runDir, tables } = context;
  const kind = kindOf(tables, run.stage);
  if (!kind.pictures) return [];
  const pairs = (await Promise.all(Object.values(held.validation).map((read) => read()))).flat();
  const readsTextsOnly = Object.keys(kind.reads(run.stage)).join() === "texts";
  const texts = readsTextsOnly ? await someTexts(context, held) : [];
  const options = { runDir, stage: run.name, pairs, decoder: await decoderOf(context), words: held.words };
  const lines: string[] = [];
  await drawSections(
    evaluationContext(context, run),
    { ...options, ...(texts.length > 0 ? { texts } : {}) },
    (drawing) => kind.pictures!(drawing, run.stage, (line) => void lines.push(line)),
  );
  return lines;
}

async function someTexts({ signal }: RunContext, held: HeldOut): Promise<string[]> {
  const texts: string[] = [];
  for (const source of await held.texts())
    for await (const { sample } of source.samples({ signal })) {
      if (sample.texts?.[0] !== undefined) texts.push(sample.texts[0]);
      if (texts.length >= SHOWN_TEXTS) break;
    }
  return texts;
}

/** The decoder that the run's codebook stage trained. */
async function decoderOf({ recipe, runDir, tables }: RunContext): Promise<Record<string, Tensor> | undefined> {
  const [name] =
    Object.entries(recipe.stages).find(([, stage]) => kindOf(tables, stage).gives.includes("codebook")) ?? [];
  const { codebook } = modelOf(tables, recipe);
  if (name === undefined || !codebook) return undefined;
  const p = new Params();
  codebook.decode(p, input("words", [1, 1, 1], "int32"));
  return decoderWeights(join(runDir, name), p.specs(), familyOf(tables, recipe).layouts);
}
