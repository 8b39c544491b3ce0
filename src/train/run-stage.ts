/** One stage of a run: traces it, fills its state, and leads it through the loop with logs, evaluation and checkpoints. */
import { join } from "node:path";
import type { BadSample, LoadedBatch, Loader, LoaderState } from "../data/index.ts";
import { createLoader } from "../data/index.ts";
import type { TextTokenizer } from "../data/text/index.ts";
import { type Device, State } from "../runtime/index.ts";
import type { Tensor } from "../tensor/index.ts";
import {
  aliasesOf,
  type BestSoFar,
  betterOf,
  type CheckpointState,
  type Found,
  folderName,
  type Json,
  OWED,
  openCheckpoint,
  owesEvaluation,
  recipeHash,
  restoreTensors,
  saveCheckpoint,
  storeEntries,
  type TensorStore,
} from "./checkpoint/index.ts";
import type { Sources } from "./inputs.ts";
import { lossBoard, type RunLog, type RunReporter } from "./logs/index.ts";
import { type Ending, type Times, train } from "./loop.ts";
import { means, type Sums } from "./means.ts";
import type { Recipe, Stage } from "./recipe/types.ts";
import type { Batch, Evaluator, Metrics, StagePlan } from "./stage.ts";
import { planStage } from "./stages/index.ts";
import { initialWeights, resultOf } from "./stages/initial.ts";
import { createUpdater, stageState, traceStage } from "./stages/updater.ts";

/** What every stage of a run works with. */
export interface RunContext {
  /** With the vocabulary in use. */
  readonly recipe: Recipe;
  readonly runDir: string;
  readonly device: Device;
  readonly sources: Sources;
  readonly tokenizer: TextTokenizer;
  readonly log: RunLog;
  readonly reporter: RunReporter;
  readonly versions: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  readonly onBad?: ((bad: BadSample) => void) | undefined;
}

/** A checkpoint to go on from. */
export type Resumed = Found & { readonly state: CheckpointState };

export interface StageRun {
  readonly name: string;
  readonly stage: Stage;
  readonly state: State;
  readonly chance: Metrics;
  /** Number of trained parameters. */
  readonly parameters: number;
  /** The model's tensors as a file holds them. */
  modelEntries(): ReturnType<typeof storeEntries>;
}

export interface StageOutcome {
  readonly ending: Ending;
  readonly step: number;
  readonly samples: number;
  readonly times: Times;
  /** What guesses score, by the names of the log. */
  readonly chance: Metrics;
}

/** What looks at the model while it is trained and when it is done. */
export interface Looks {
  evaluators(run: StageRun): readonly Evaluator[];
  /** Called while the state of a finished stage is still in the engine. */
  finished?(run: StageRun): Promise<void>;
  /** Called before the first step. */
  begun?(run: StageRun): Promise<void>;
}

/** Sizes and switches that the tensors of a checkpoint depend on. */
export const architectureOf = ({ model }: Recipe): Json => model as unknown as Json;

/** Runs a stage from its start, or from a checkpoint. Throws NonFiniteError, CheckpointError, DataError. */
export async function runStage(
  context: RunContext,
  name: string,
  looks: Looks,
  resumed?: Resumed,
): Promise<StageOutcome> {
  const { recipe, device, reporter, signal } = context;
  const stage = recipe.stages[name]!;
  const plan = planStage(recipe, stage);
  reporter.note(`${name}: tracing the steps…`);
  const graphs = traceStage(name, stage, plan);
  const declared = stageState(graphs);
  using state = new State(device);
  const names = await fillState(context, { name, stage, plan, ...declared, state }, resumed);
  const updater = await createUpdater({ stage, plan, graphs, state, device, note: (line) => reporter.note(line) });
  const run: StageRun = {
    name,
    stage,
    state,
    chance: declared.chance,
    parameters: names.trained,
    modelEntries: () => storeEntries(state, names.model, names.aliases),
  };
  const evaluators = looks.evaluators(run);
  const data = await openData(context, name, plan, stage, resumed);
  try {
    await looks.begun?.(run);
    const outcome = await lead(context, run, { updater, evaluators, data, names, resumed });
    if (outcome.ending === "done" && !signal?.aborted) {
      await takeResult(join(context.runDir, name), state, names, outcome.step);
      await looks.finished?.(run);
    }
    return outcome;
  } finally {
    reporter.end();
    await data.close();
    for (const evaluator of evaluators) evaluator.dispose?.();
    updater.dispose();
  }
}

interface Names {
  readonly model: readonly string[];
  readonly optimizer: readonly string[];
  readonly aliases: ReturnType<typeof aliasesOf>;
  readonly trained: number;
}

type Filling = ReturnType<typeof stageState> & {
  readonly name: string;
  readonly stage: Stage;
  readonly plan: StagePlan;
  readonly state: State;
};

/** First values, or a checkpoint's. Resolves to which tensor goes to which file. */
async function fillState(context: RunContext, filling: Filling, resumed: Resumed | undefined): Promise<Names> {
  const { specs, trained, initial, plan, stage, state } = filling;
  const { recipe, runDir, signal, reporter } = context;
  const isModel = plan.isModel ?? (() => true);
  const { tensors, origins } = resumed
    ? { tensors: {}, origins: [] }
    : await initialWeights(runDir, stage, specs, { seed: recipe.seed, signal });
  for (const line of origins) reporter.note(`${filling.name}: ${line}`);
  const shapes = new Map<string, Pick<Tensor, "dtype" | "shape">>();
  const put = (name: string, shape: Pick<Tensor, "dtype" | "shape">, first: () => Tensor): void => {
    if (shapes.has(name)) return;
    shapes.set(name, shape);
    if (!resumed || isSum(name)) state.write(name, first());
  };
  for (const { name, shape } of specs)
    put(name, { dtype: "float32", shape }, () => tensors[plan.twin?.(name) ?? name]!);
  for (const { name, shape } of specs)
    if (trained.has(name) && plan.average) {
      const average = plan.average.name(name);
      put(average, { dtype: "float32", shape }, () => tensors[name]!);
    }
  for (const [name, t] of Object.entries({ ...initial, ...plan.carried?.initial })) put(name, t, () => t);
  const model = specs.map(({ name }) => name).filter((name) => isModel(name));
  const inModel = new Set(model);
  const names: Names = {
    model,
    optimizer: [...shapes.keys()].filter((name) => !inModel.has(name) && !isSum(name)),
    aliases: aliasesOf(specs.filter(({ name }) => inModel.has(name))),
    trained: specs.reduce((n, { name, shape }) => n + (trained.has(name) ? shape.reduce((a, b) => a * b, 1) : 0), 0),
  };
  if (resumed) await restore(resumed.path, { ...storeOf(state, shapes) }, names, signal);
  return names;
}

/** Sums of gradients begin anew with every step, so no checkpoint holds them. */
const isSum = (name: string): boolean => name.startsWith("accumulated.");

/** The state as checkpoints see it: with the shapes that the stage asks for. */
const storeOf = (state: State, shapes: ReadonlyMap<string, Pick<Tensor, "dtype" | "shape">>): TensorStore => ({
  has: (name) => shapes.has(name),
  buffer: (name) => shapes.get(name)!,
  read: (name) => state.read(name),
  write: (name, t) => state.write(name, t),
});

async function restore(path: string, store: TensorStore, names: Names, signal?: AbortSignal): Promise<void> {
  await using checkpoint = await openCheckpoint(path);
  await restoreTensors(checkpoint.model, store, names.model, { aliases: names.aliases, signal });
  await restoreTensors(checkpoint.optimizer, store, names.optimizer, { signal });
}

/** Where the result of a stage is not its last step, the model's tensors become those of the best. */
async function takeResult(folder: string, state: State, names: Names, step: number): Promise<void> {
  const path = await resultOf(folder);
  if (path === join(folder, folderName(step))) return;
  await using checkpoint = await openCheckpoint(path);
  await restoreTensors(checkpoint.model, state, names.model, { aliases: names.aliases });
}

/** The stage's batches, and where the data stands after the last one that was used. */
interface StageData {
  next(step: number): Promise<Batch & { readonly place: LoaderState }>;
  close(): Promise<void>;
}

/** Cursors of a checkpoint: of the data, and of the means between two lines of the log. */
const CURSORS = "loader";
const MEANS = "means";

async function openData(
  { recipe, sources, tokenizer, onBad }: RunContext,
  name: string,
  plan: StagePlan,
  stage: Stage,
  resumed: Resumed | undefined,
): Promise<StageData> {
  const { shuffle, shuffleBytes, memoryBytes, workers, prefetch } = recipe.data;
  const datasets = await Promise.all(
    plan.datasets.map(async ({ kind, data, ...dataset }) => ({
      ...dataset,
      name: `${name}/${kind}`,
      batchSize: plan.kinds[kind]?.batchSize ?? stage.batchSize,
      shuffle,
      shuffleBytes,
      memoryBytes,
      sources: await Promise.all(
        recipe.data[data].map(async ({ source, ...read }) => ({ ...read, source: await sources.open(source) })),
      ),
    })),
  );
  const place = resumed?.state.cursors[CURSORS] as LoaderState | undefined;
  const loader: Loader = await createLoader({
    seed: recipe.seed,
    datasets,
    workers,
    prefetch,
    tokenizer,
    pixels: sources.pixels,
    state: place,
    onBad,
  });
  return {
    async next(step) {
      const { dataset, feeds, samples, state }: LoadedBatch = await loader.next(step);
      return { kind: dataset.slice(name.length + 1), feeds, samples, place: state };
    },
    close: () => loader.close(),
  };
}

interface Led {
  readonly updater: Awaited<ReturnType<typeof createUpdater>>;
  readonly evaluators: readonly Evaluator[];
  readonly data: StageData;
  readonly names: Names;
  readonly resumed: Resumed | undefined;
}

/** The loop with everything that it calls. */
async function lead(context: RunContext, run: StageRun, led: Led): Promise<StageOutcome> {
  const { recipe, runDir, reporter, log, signal } = context;
  const { name, stage, state } = run;
  const { updater, evaluators, data, names, resumed } = led;
  const board = lossBoard(run.chance);
  const recent = means(resumed?.state.cursors[MEANS] as Sums | undefined);
  let place = resumed?.state.cursors[CURSORS] as LoaderState | undefined;
  let samples = resumed?.state.counters.samples ?? 0;
  let best: BestSoFar | null = resumed?.state.best ?? null;
  const begun = { time: performance.now(), samples };
  reporter.begin(name, stage.steps, resumed?.step ?? 0);
  const { ending, step, times } = await train(
    {
      stage: name,
      done: resumed?.step ?? 0,
      owed: resumed && owesEvaluation(resumed.state),
      steps: stage.steps,
      every: stage.every,
      next: (step) => data.next(step),
      update: async (step, batch) => {
        const metrics = await updater.update(step, batch);
        place = (batch as Batch & { place: LoaderState }).place;
        samples += batch.samples.length;
        return metrics;
      },
      evaluators,
      async log(step, metrics, due) {
        recent.add(metrics);
        const seconds = (performance.now() - begun.time) / 1000;
        const rate = { samples_per_second: (samples - begun.samples) / seconds };
        reporter.step(step, board.update({ ...metrics, ...rate }));
        if (due) await log.log(name, step, { ...recent.take(), ...rate, samples });
      },
      async evaluated(step, found) {
        if (Object.keys(found).length > 0) await log.log(name, step, found);
        const value = stage.best && found[stage.best.metric];
        if (!stage.best || typeof value !== "number") return false;
        const better = betterOf(best, { ...stage.best, value, step });
        const improved = better !== best;
        best = better;
        return improved;
      },
      async save(step, owed) {
        await log.flush();
        await saveCheckpoint(
          join(runDir, name),
          {
            state: {
              stage: name,
              step,
              seed: recipe.seed,
              cursors: { [MEANS]: recent.sums(), ...(place ? { [CURSORS]: place as unknown as Json } : {}) },
              counters: { samples, ...(owed ? { [OWED]: 1 } : {}) },
              best,
              recipe: recipe as unknown as Json,
              recipeHash: recipeHash(recipe as unknown as Json, name),
              architecture: architectureOf(recipe),
              versions: context.versions,
            },
            model: storeEntries(state, names.model, names.aliases),
            optimizer: storeEntries(state, names.optimizer),
          },
          { limit: stage.saveTotalLimit },
        );
      },
    },
    signal,
  );
  const guesses = evaluators.flatMap(({ name, chance = {} }) =>
    Object.entries(chance).map(([metric, value]) => [`${name}/${metric}`, value] as const),
  );
  return { ending, step, samples, times, chance: { ...run.chance, ...Object.fromEntries(guesses) } };
}
