/** What a stage will do that its author may not expect: it runs, and says so in its plan and when it starts. */
import type { Source } from "../../data/index.ts";
import { dataName } from "../../datasets/index.ts";
import { DATA_KINDS, type DataKind, type Recipe, type WeightedSource } from "../recipe/types.ts";
import type { StageBase, StagePlan } from "../stages/stage.ts";

/** A source with the number of its samples; undefined where it is only known after reading the source. */
export interface Counted {
  readonly name: string;
  readonly weight: number;
  readonly count: number | undefined;
}

/** The sizes of the recipe's sources by kind of data. */
export type Counts = Readonly<Record<DataKind, readonly Counted[]>>;

/** The counts of the recipe's sources; `open` gives undefined for one that is not to be looked at. */
export async function countsOf(
  { data }: Pick<Recipe, "data">,
  open: (given: WeightedSource) => Promise<Source | undefined>,
): Promise<Counts> {
  const counted = async (given: WeightedSource): Promise<Counted> => ({
    name: dataName(given.source),
    weight: given.weight,
    count: (await open(given))?.count,
  });
  const entries = DATA_KINDS.map(async (kind) => [kind, await Promise.all(data[kind].map(counted))] as const);
  return Object.fromEntries(await Promise.all(entries)) as unknown as Counts;
}

const shown = (n: number): string => n.toLocaleString("en-US");

/** Lines on a warm-up that does not end and on batches that repeat samples. */
export function warningsOf(stage: StageBase, plan: StagePlan, counts: Counts): string[] {
  const { steps, batchSize, schedule, optimizer } = stage;
  const lines: string[] = [];
  if (schedule.warmupSteps > steps)
    lines.push(
      `the warm-up of ${shown(schedule.warmupSteps)} steps is not over when the stage ends, after ${shown(steps)}: the learning rate does not reach ${optimizer.lr}`,
    );
  for (const { kind, data } of plan.datasets) {
    const size = plan.objectives[kind]?.batchSize ?? batchSize;
    const total = counts[data].reduce((sum, { weight }) => sum + weight, 0);
    for (const { name, weight, count } of counts[data]) {
      const drawn = Math.round((size * weight) / total);
      if (count === undefined || count >= drawn) continue;
      const held = count === 1 ? "one sample" : `${shown(count)} samples`;
      lines.push(
        `${name} (${data}) holds ${held}, and a batch draws about ${shown(drawn)} of them: batches repeat samples`,
      );
    }
  }
  return lines;
}

/** Lines on data of fewer files than workers: each worker goes through all samples, and decodes its own rows. `files`: by data set and source. */
export function fewFiles(files: Readonly<Record<string, { readonly files: number }>>, workers: number): string[] {
  return Object.entries(files).flatMap(([name, { files: count }]) =>
    count >= workers
      ? []
      : [
          `${name.slice(0, name.lastIndexOf("/"))}: ${shown(count)} ${count === 1 ? "file" : "files"} for ${shown(workers)} workers: each reads all of it, and decodes its own rows`,
        ],
  );
}

/** Two sources may share a few keys: fewer repeats than this say nothing. */
const MANY_REPEATED = 0.1;

/** A line on a batch that holds the same samples again and again, which a source of unknown size shows only here. */
export function repeatsIn(keys: readonly string[]): string | undefined {
  const repeated = keys.length - new Set(keys).size;
  if (repeated <= MANY_REPEATED * keys.length) return undefined;
  return `${shown(repeated)} of the ${shown(keys.length)} rows of the first batch repeat samples that it holds already: are there fewer samples than rows?`;
}
