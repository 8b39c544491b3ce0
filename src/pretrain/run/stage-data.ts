/** The batches of a stage: the recipe's sources as the data sets that its plan asks for. */
import { createLoader, type LoadedBatch, type Loader, type LoaderState } from "../../data/index.ts";
import type { Batch } from "../../train/index.ts";
import type { StageBase, StagePlan } from "../stages/stage.ts";
import type { Resumed, RunContext } from "./context.ts";

/** The stage's batches, and where the data stands after the last one that was used. */
export interface StageData {
  next(step: number): Promise<Batch & { readonly place: LoaderState }>;
  close(): Promise<void>;
}

/** The cursor of a checkpoint that says where the data goes on. */
export const CURSORS = "loader";

export async function openData(
  { recipe, sources, tokenizer, onBad }: RunContext,
  name: string,
  plan: StagePlan,
  stage: StageBase,
  resumed: Resumed | undefined,
): Promise<StageData> {
  const { shuffle, shuffleBytes, memoryBytes, workers, prefetch } = recipe.data;
  const datasets = await Promise.all(
    plan.datasets.map(async ({ kind, data, ...dataset }) => ({
      ...dataset,
      name: `${name}/${kind}`,
      batchSize: plan.objectives[kind]?.batchSize ?? stage.batchSize,
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
