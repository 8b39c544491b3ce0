/** What looks at the model of a run: evaluators during each stage, pictures at its end, and the final numbers of the run. */
import { join } from "node:path";
import type { EvaluationContext } from "../../api/context.ts";
import type { BadSample } from "../../data/index.ts";
import { createCodebook } from "../../evaluators/codebook.ts";
import { createKnn } from "../../evaluators/knn.ts";
import { labelledSet } from "../../evaluators/labelled.ts";
import { createMim } from "../../evaluators/mim.ts";
import { createMlm } from "../../evaluators/mlm.ts";
import { type PairSet, pairSet } from "../../evaluators/pair-set.ts";
import { createPairs } from "../../evaluators/pairs.ts";
import { input } from "../../graph/index.ts";
import { saveSafetensors } from "../../hub/index.ts";
import { saveFile } from "../../io/index.ts";
import { dinoImageConfig, TEACHER } from "../../models/dino/index.ts";
import { dvaeDecoder } from "../../models/dvae/index.ts";
import { huggingFaceJson, toHuggingFaceConfig } from "../../models/flava/index.ts";
import { Params } from "../../nn/index.ts";
import { drawStage } from "../../pictures/index.ts";
import type { StageProgress } from "../../record/index.ts";
import type { Tensor } from "../../tensor/index.ts";
import type { Evaluator, Metrics } from "../../train/stage.ts";
import type { JointStage, Stage } from "../recipe/types.ts";
import { decoderWeights } from "./initial.ts";
import type { Looks, RunContext, StageRun } from "./run-context.ts";

/** The held-out sets of a run, each read once. */
export interface HeldOut {
  readonly validation: Readonly<Record<string, PairSet>>;
  readonly test: Readonly<Record<string, PairSet>>;
}

export function heldOut({ recipe, signal, onBad }: RunContext): HeldOut {
  const { validation, test, maxPairs } = recipe.evaluation;
  const sets = (specs: typeof validation): Record<string, PairSet> =>
    Object.fromEntries(Object.entries(specs).map(([name, spec]) => [name, pairSet(spec, { maxPairs, signal, onBad })]));
  return { validation: sets(validation), test: sets(test) };
}

export interface LookOptions {
  /** Whether the run ends with this stage. */
  readonly last: boolean;
  /** Takes in final numbers. */
  results(found: Metrics): Promise<void>;
  begun(run: StageRun): Promise<void>;
  saved(progress: StageProgress): Promise<void>;
}

/** What looks at a stage. */
export function createLooks(context: RunContext, sets: HeldOut, options: LookOptions): Looks {
  return {
    evaluators: (run) => evaluatorsOf(context, sets, run),
    begun: options.begun,
    saved: options.saved,
    async finished(run) {
      const { reporter } = context;
      const at = evaluationContext(context, run);
      if (options.last) {
        await exportModel(context, run);
        await options.results(await finalNumbers(context, at, sets, run));
      }
      reporter.note(`${run.name}: drawing pictures…`);
      // Pictures are for people to look at: a run does not fail for them.
      const lines = await draw(context, at, sets, run).catch((error: Error) => [`no pictures: ${error.message}`]);
      for (const line of lines) reporter.note(`${run.name}: ${line}`);
    },
  };
}

const evaluationContext = (context: RunContext, { state }: StageRun): EvaluationContext => ({
  ...context,
  state,
  model: context.recipe.model,
});

/** The evaluators of a stage, by what it trains. */
function evaluatorsOf(context: RunContext, { validation }: HeldOut, run: StageRun): Evaluator[] {
  const at = evaluationContext(context, run);
  const { stage } = run;
  const pairs = Object.values(validation);
  switch (stage.kind) {
    case "dvae":
      return [createCodebook(at, { pairs, imageSize: stage.imageSize, weights: stage.ema === null ? "live" : "ema" })];
    case "text-mlm":
      return [createMlm(at, { ...stage, onBad: context.onBad })];
    case "image-mim":
      return [createMim(at, { pairs, masking: stage.masking }), ...knn(at, stage)];
    case "image-dino":
      return knn(at, stage);
    case "joint":
      return jointEvaluators(at, validation, stage, context.onBad);
  }
}

function jointEvaluators(
  at: EvaluationContext,
  validation: HeldOut["validation"],
  stage: JointStage,
  onBad: ((bad: BadSample) => void) | undefined,
): Evaluator[] {
  const { sampling, lossWeights, textLength, textMasking, imageMasking, pack } = stage;
  const evaluators: Evaluator[] = [];
  if (sampling.pairs > 0)
    for (const [name, pairs] of Object.entries(validation)) evaluators.push(createPairs(at, { name, pairs, stage }));
  if (sampling.texts > 0 && lossWeights.mlm > 0)
    evaluators.push(createMlm(at, { textLength: textLength.texts, masking: textMasking, pack, onBad }));
  if (sampling.images > 0 && lossWeights.mim > 0)
    evaluators.push(createMim(at, { pairs: Object.values(validation), masking: imageMasking }));
  return evaluators;
}

function knn(at: EvaluationContext, stage: Stage): Evaluator[] {
  const { labelled, maxPairs } = at.recipe.evaluation;
  if (!labelled) return [];
  const set = (spec: typeof labelled.train) => labelledSet(spec, { max: maxPairs, signal: at.signal });
  const dino = stage.kind === "image-dino" ? { image: dinoImageConfig(at.model.image), scope: TEACHER } : {};
  return [createKnn(at, { train: set(labelled.train), test: set(labelled.test), ...dino })];
}

/** Measured once, at the end: no checkpoint is chosen by these sets. */
async function finalNumbers(
  { reporter, signal }: RunContext,
  at: EvaluationContext,
  { test }: HeldOut,
  run: StageRun,
): Promise<Metrics> {
  const { stage } = run;
  const results: Record<string, number> = {};
  if (stage.kind !== "joint" || stage.sampling.pairs === 0) return results;
  for (const [name, pairs] of Object.entries(test)) {
    reporter.note(`measuring ${name}…`);
    const evaluator = createPairs(at, { name, pairs, stage });
    try {
      for await (const [metric, value] of evaluator.run(stage.steps, signal)) results[`${name}_${metric}`] = value;
      for (const [metric, level] of Object.entries(evaluator.chance ?? {}))
        if (metric.endsWith("_r1") && results[`${name}_${metric}`] !== undefined)
          results[`${name}_${metric}_over_chance`] = results[`${name}_${metric}`]! / level;
    } finally {
      evaluator.dispose?.();
    }
  }
  return results;
}

/** The model as others load it: model.safetensors and config.json beside the run's tokenizer.json. */
async function exportModel({ runDir, recipe }: RunContext, { modelEntries, stage }: StageRun): Promise<void> {
  const entries = modelEntries();
  await saveSafetensors(join(runDir, "model.safetensors"), entries, { metadata: { format: "pt" } });
  const config = toHuggingFaceConfig(recipe.model, {
    lossWeights: stage.kind === "joint" ? stage.lossWeights : undefined,
    tensors: entries.map(({ name }) => name),
  });
  await saveFile(join(runDir, "config.json"), huggingFaceJson(config));
}

async function draw(
  context: RunContext,
  at: EvaluationContext,
  { validation }: HeldOut,
  run: StageRun,
): Promise<string[]> {
  const sets = await Promise.all(Object.values(validation).map((read) => read()));
  const pairs = sets.flat();
  if (pairs.length === 0) return ["no pictures: the recipe has no validation pairs"];
  const texts = run.stage.kind === "text-mlm" ? await heldOutTexts(context) : undefined;
  const decoder = await decoderOf(context);
  return drawStage(at, {
    runDir: context.runDir,
    stage: run.name,
    decoder,
    pairs,
    ...(texts?.length ? { texts } : {}),
  });
}

const SHOWN_TEXTS = 500;

async function heldOutTexts({ recipe, sources, signal }: RunContext): Promise<string[]> {
  const texts: string[] = [];
  for (const source of recipe.evaluation.texts)
    for await (const { sample } of (await sources.open(source)).samples({ signal })) {
      if (sample.texts?.[0] !== undefined) texts.push(sample.texts[0]);
      if (texts.length >= SHOWN_TEXTS) break;
    }
  return texts;
}

/** The decoder that the run's codebook stage trained. */
async function decoderOf({ recipe, runDir }: RunContext): Promise<Readonly<Record<string, Tensor>> | undefined> {
  const name = Object.entries(recipe.stages).find(([, { kind }]) => kind === "dvae")?.[0];
  const config = recipe.model.codebook;
  if (name === undefined || !config) return undefined;
  const p = new Params();
  dvaeDecoder(p.at("image_decoder"), config, input("words", [1, config.vocabSize, 1, 1]));
  return decoderWeights(join(runDir, name), p.specs());
}
