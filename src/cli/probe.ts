/** `flava probe MODEL`: a linear classifier on the frozen image encoder, as the paper evaluates its vision tasks. */
import type { Command } from "commander";
import type { FlavaModel, Probe } from "../api/index.ts";
import type { Source } from "../data/index.ts";
import type { Features, LinearResult } from "../tasks/index.ts";
import { action, type Io } from "./command.ts";
import { openNamed } from "./data-source.ts";
import { natural } from "./numbers.ts";

/** A function, as TypeScript 6 leaves the ".ts" of an `import()` that stands in a block with `await using` (test/package.test.ts). */
const api = () => import("../api/index.ts");
const tasks = () => import("../tasks/index.ts");

interface Options {
  readonly train: string;
  readonly validation?: string;
  readonly test: string;
  readonly seed: number;
  readonly save?: string;
  readonly cacheDir?: string;
}

const HELP = `
Sources are those of flava data inspect, with a label for each picture: a table with a column label, or a folder for each class.

Examples:
  flava probe runs/starter --train starter:groups_train --test starter:groups_test
  flava probe runs/starter --train photos/train --test photos/test --save runs/starter/probe.safetensors`;

export function define(program: Command): void {
  program
    .command("probe")
    .summary("labelled pictures → a linear classifier on a frozen model, and how good it is")
    .description(
      "Fits multinomial logistic regression on the features of a model, its regularisation chosen on validation samples (a fifth of the training samples unless given), and measures it once on the test samples.",
    )
    .argument("<model>", "a run's folder, a model's folder, or a repository of the Hub")
    .requiredOption("--train <source>", "labelled pictures to learn from")
    .option("--validation <source>", "labelled pictures that choose the regularisation")
    .requiredOption("--test <source>", "labelled pictures that are looked at once, at the end")
    .option("--seed <n>", "what is held out of the training samples for validation", natural, 0)
    .option("--save <file>", "write the classifier; as probe.safetensors beside a model it serves image-classification")
    .option("--cache-dir <dir>", "where features and fetched data are kept")
    .addHelpText("after", HELP)
    .action(action<Options>(probe));
}

async function probe(io: Io, [path]: readonly string[], options: Options): Promise<void> {
  const { FlavaModel } = await api();
  const { linearEvaluation } = await tasks();
  await using model = await FlavaModel.fromPretrained(path!, { signal: io.signal });
  const read = (spec: string) => featuresOf(io, model, spec, options);
  const train = await read(options.train);
  const validation = options.validation === undefined ? undefined : await read(options.validation);
  const test = await read(options.test);
  const progress = io.progress({ label: "choosing the regularisation", unit: "values", total: 15 });
  let tried = 0;
  const result = await linearEvaluation(
    model.device,
    { train, validation, test },
    {
      seed: options.seed,
      signal: io.signal,
      onTried: ({ C, accuracy }) => progress.update(++tried, `C ${C.toPrecision(2)}: ${accuracy.toFixed(3)}`),
    },
  ).finally(() => progress.end());
  if (options.save) await saveProbe(options.save, result);
  io.result(summary(result, options), resultValue(result, { train, validation, test }));
}

async function featuresOf(io: Io, model: FlavaModel, spec: string, { cacheDir }: Options): Promise<Features> {
  const { labelledFeatures } = await tasks();
  const { defaultCacheDir } = await import("../datasets/starter/index.ts");
  const source: Source = await openNamed(io, spec, cacheDir === undefined ? {} : { cacheDir });
  const progress = io.progress({ label: `features of ${source.name}`, unit: "pictures", total: source.count });
  const features = await labelledFeatures(model, source, {
    cacheDir: cacheDir ?? defaultCacheDir(),
    signal: io.signal,
    onProgress: (done) => progress.update(done),
  }).finally(() => progress.end());
  const [first] = features.refused;
  if (first)
    io.note(
      `${source.name}: ${features.refused.length} samples were left out; the first, ${first.key}: ${first.reason}`,
    );
  return features;
}

async function saveProbe(path: string, { classifier, classes }: LinearResult): Promise<void> {
  const { probeTensors } = await api();
  const { entriesOf, saveSafetensors } = await import("../hub/index.ts");
  const { width, classes: K, coef, intercept } = classifier;
  const weight = new Float32Array(K * width);
  for (let d = 0; d < width; d++) for (let k = 0; k < K; k++) weight[k * width + d] = coef[d * K + k]!;
  const bias = Float32Array.from(intercept, (b) => Math.max(b, -1e30)); // classes without samples
  const probe: Probe = {
    input: "cls",
    weight: { dtype: "float32", shape: [K, width], data: weight },
    bias: { dtype: "float32", shape: [K], data: bias },
    labels: classes,
  };
  const { tensors, metadata } = probeTensors(probe);
  await saveSafetensors(path, entriesOf(tensors), { metadata });
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

function summary(
  { metrics, intervals, swept, samples, classes, classifier, unseen }: LinearResult,
  { save }: Options,
): string {
  const figure = (name: keyof LinearResult["intervals"]): string =>
    `${percent(metrics[name])}   (95 % of resamples: ${percent(intervals[name].low)} to ${percent(intervals[name].high)})`;
  const lines = [
    `accuracy             ${figure("lp_acc1")}`,
    `mean over classes    ${figure("lp_mean_per_class_recall")}`,
    `among the first five ${figure("lp_acc5")}`,
    `the commonest class  ${percent(metrics.majority)}`,
    `${classes.length} classes; ${samples.train} samples to learn from, ${samples.validation} to choose C = ${swept.C.toPrecision(3)}, ${samples.test} to test`,
  ];
  if (!classifier.converged) lines.push(`not converged after ${classifier.iterations} iterations`);
  if (unseen.length > 0) lines.push(`without a training sample, so never right: ${unseen.join(", ")}`);
  if (save) lines.push(`saved: ${save}`);
  return lines.join("\n");
}

const resultValue = (
  { metrics, intervals, swept, samples, classes, unseen, classifier }: LinearResult,
  splits: Readonly<Record<string, Features | undefined>>,
): object => ({
  metrics,
  intervals,
  C: swept.C,
  tried: swept.tried,
  classes,
  unseen,
  samples,
  converged: classifier.converged,
  refused: Object.fromEntries(Object.entries(splits).map(([name, split]) => [name, split?.refused ?? []])),
});
