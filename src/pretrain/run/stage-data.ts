/** The batches of a stage: the recipe's sources as the data sets that its plan asks for. */
import {
  createLoader,
  type DatasetOptions,
  type LoadedBatch,
  type Loader,
  type LoaderState,
  type TextCounts,
} from "../../data/index.ts";
import type { Batch } from "../../train/index.ts";
import type { WeightedSource } from "../recipe/types.ts";
import type { StageBase, StagePlan } from "../stages/stage.ts";
import type { Resumed, RunContext } from "./context.ts";
import { countsOf, repeatsIn, warningsOf } from "./warnings.ts";

/** The stage's batches, and where the data stands after the last one that was used. */
export interface StageData {
  next(step: number): Promise<Batch & { readonly place: LoaderState }>;
  close(): Promise<void>;
}

/** The cursor of a checkpoint that says where the data continues. */
export const CURSORS = "loader";

/** Opens the sources and starts the loader, at the checkpoint's place where there is one. */
export async function openData(
  context: RunContext,
  name: string,
  plan: StagePlan,
  stage: StageBase,
  resumed: Resumed | undefined,
): Promise<StageData> {
  const { recipe, sources, tokenizer, reporter, onBad, cluster } = context;
  const { workers, prefetch } = recipe.data;
  const datasets = await datasetsOf(context, name, plan, stage);
  const place = resumed?.state.cursors[CURSORS] as LoaderState | undefined;
  const counts = await countsOf(recipe, sources.training);
  for (const line of warningsOf(stage, plan, counts)) reporter.note(`${name}: warning: ${line}`);
  const changed: string[] = [];
  const loader: Loader = await createLoader({
    seed: recipe.seed,
    datasets,
    workers,
    prefetch,
    ...(cluster.size > 1 && { shard: { index: cluster.rank, count: cluster.size } }),
    tokenizer,
    pixels: sources.pixels,
    state: place,
    onBad,
    onTexts: (counts) => warnOfTexts(counts, (line) => reporter.note(line)),
    ...(recipe.mayChange.some((key) => /^data\b/.test(key)) && { onChanged: (lines) => changed.push(...lines) }),
  });
  for (const line of changed) reporter.note(`the data have changed: ${line}`);
  if (changed.length > 0) await context.onChanged(changed);
  const unpacked = new Set(plan.datasets.filter(({ pack }) => !pack).map(({ kind }) => `${name}/${kind}`));
  return {
    async next(step) {
      const { dataset, feeds, samples, state }: LoadedBatch = await loader.next(step);
      const repeated = unpacked.delete(dataset) ? repeatsIn(samples) : undefined; // of each data set's first batch
      if (repeated) reporter.note(`warning: ${dataset}: ${repeated}`);
      return { kind: dataset.slice(name.length + 1), feeds, samples, place: state };
    },
    close: () => loader.close(),
  };
}

/** The plan's data sets as the loader takes them, their sources open. */
function datasetsOf(
  { recipe, sources }: RunContext,
  name: string,
  plan: StagePlan,
  stage: StageBase,
): Promise<DatasetOptions[]> {
  const { shuffle, shuffleBytes, memoryBytes } = recipe.data;
  return Promise.all(
    plan.datasets.map(async ({ kind, data, task, ...dataset }) => ({
      ...dataset,
      name: `${name}/${kind}`,
      batchSize: plan.objectives[kind]?.batchSize ?? stage.batchSize,
      shuffle,
      shuffleBytes,
      memoryBytes,
      sources: await Promise.all(
        sourcesFor(recipe.data[data], task).map(async (given) => ({
          weight: given.weight,
          ...(given.captions && { captions: given.captions }),
          source: await sources.training(given),
        })),
      ),
    })),
  );
}

/** Those that are for a task, or for all. */
export const sourcesFor = (all: readonly WeightedSource[], task: string | undefined): readonly WeightedSource[] =>
  task === undefined ? all : all.filter(({ tasks }) => !tasks || tasks.includes(task));

/** Above this share of words that the vocabulary lacks, texts say little to the model. */
const MANY_UNKNOWN = 0.2;

/** Says when the first batch of a data set holds texts of another language, or none: no loss would show it. */
function warnOfTexts({ dataset, rows, unknownShare, unmaskable }: TextCounts, warn: (line: string) => void): void {
  const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
  const help = "is the recipe's vocabulary that of these texts?";
  if (unmaskable > 0 && unmaskable === rows)
    warn(
      `warning: ${dataset}: no row of the first batch has a word that the vocabulary knows: nothing is learnt of them; ${help}`,
    );
  else if (unknownShare >= MANY_UNKNOWN)
    warn(`warning: ${dataset}: ${percent(unknownShare)} of the words of the first batch are unknown ([UNK]); ${help}`);
}
