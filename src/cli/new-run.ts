/** What `flava new` loads when it runs. */
import { newRecipe, type Size } from "../pretrain/new/index.ts";
import { describePlan, formatTotals, type Recipe } from "../pretrain/recipe/index.ts";
import type { Io } from "./command.ts";
import { measure, preview } from "./pretrain-run.ts";
import type { Progress } from "./progress.ts";

interface Options {
  readonly images?: string;
  readonly texts?: string;
  readonly val?: string;
  readonly size: Size;
  readonly minutes: number;
  readonly out?: string;
  readonly seed: number;
  readonly imageColumn?: string;
  readonly textColumn?: string;
  readonly outside?: boolean;
  readonly ignoreCaptions?: boolean;
  readonly force?: boolean;
}

/** Looks, writes, and plans the run as `flava pretrain --dry-run` does. */
export async function run(io: Io, [source = ""]: readonly string[], { val, ...options }: Options): Promise<void> {
  let progress: Progress | undefined;
  let label = "";
  const onProgress = (what: string, samples: number): void => {
    if (what !== label) {
      progress?.end();
      progress = io.progress({ label: `looking at ${what}`, unit: "samples" });
      label = what;
    }
    progress?.update(samples);
  };
  const note = (line: string): void => {
    progress?.end();
    io.note(line);
  };
  const made = await newRecipe(
    { ...options, source, validation: val },
    { note, onProgress, signal: io.signal },
  ).finally(() => progress?.end());
  const { recipe: planned, ...seen } =
    made.words === undefined ? await preview(made.recipe, io) : sizedFor(made.recipe, made.words);
  const plan = await describePlan(planned, { measure, ...seen });
  const { stages } = plan;
  const lines = [
    ...made.facts,
    ...made.remarks.map((line) => `note: ${line}`),
    ...stages.flatMap(({ name, warnings }) => warnings.map((line) => `warning: ${name}: ${line}`)),
    "",
    `${made.path}: variant ${planned.variant}, ${stages.map(({ name, steps, batchSize }) => `${name} ${steps.toLocaleString("en-US")} × ${batchSize}`).join(", ")}`,
    ...(made.heldOut ? [`${made.heldOut}: what is held out`] : []),
    formatTotals(plan),
    `next: ${made.command}`,
  ];
  io.result(lines.join("\n"), {
    ...made,
    stages: stages.map(({ name, steps, batchSize, seconds, memory }) => ({ name, steps, batchSize, seconds, memory })),
  });
}

/** For a source that is too large to be read for a plan. */
const sizedFor = (recipe: Recipe, words: number): { recipe: Recipe; words: number } => ({
  recipe: { ...recipe, model: { ...recipe.model, text: { ...recipe.model.text, vocabSize: words } } },
  words,
});
