/** What `flava finetune` says: of the data before any training, and of the figures after it. */
import { join } from "node:path";
import type { FlavaModel } from "../api/index.ts";
import type { Figures, Intervals, PreparedData, Settings, TuningResult } from "../finetune/index.ts";
import { saveJson } from "../io/index.ts";
import type { Io } from "./command.ts";

const count = (n: number): string => n.toLocaleString("en-US");

/** What is learned, from how many samples of what. */
export function describeData({ problem, why, train, validation, heldOut, classes }: PreparedData): string[] {
  const { target, inputs } = problem;
  const learned =
    target.kind === "number"
      ? `numbers, ${target.mean.toPrecision(3)} on average, spread ${target.scale.toPrecision(3)}`
      : `${count(target.names.length)} ${target.kind}`;
  const named = classes.slice(0, 8).map(({ name, train }) => `${name} (${count(train)})`);
  return [
    `learned from ${{ text: "texts", image: "pictures", pair: "pictures with texts" }[inputs]}: ${learned}; ${why}`,
    ...(named.length > 0 ? [`training samples: ${named.join(", ")}${classes.length > 8 ? ", …" : ""}`] : []),
    `${count(train.count)} training samples, ${count(validation.count)} for validation${heldOut ? ", held out" : ""}`,
  ];
}

/** A line where texts are longer than what is read of them. */
export function describeCut({ train }: PreparedData, { textLength }: Settings, { model }: FlavaModel): string[] {
  const cut = train.tokens.filter((tokens) => tokens > textLength).length;
  if (cut === 0) return [];
  const how =
    textLength < (model.texts?.maxPositions ?? 0) ? "--set textLength=N reads more" : "the model takes no more";
  return [`${count(cut)} training texts are longer than ${textLength} tokens and are cut; ${how}`];
}

/** What --dry-run prints. */
export const plan = (settings: Settings, described: readonly string[]): string =>
  [...described, ...Object.entries(settings).map(([key, value]) => `${key}: ${JSON.stringify(value)}`)].join("\n");

/** The runs of one command. */
interface Series {
  readonly out: string;
  readonly seeds: readonly number[];
}

/** Prints the figures of a run, or mean and spread of several, which seeds.json keeps. */
export async function sayResults(io: Io, results: readonly TuningResult[], { out, seeds }: Series): Promise<void> {
  const shown = (result: TuningResult) => ({
    out: result.out,
    step: result.step,
    validation: result.figures,
    ...(result.tests.test && { test: result.tests.test }),
    interval: result.intervals,
  });
  if (results.length === 1) {
    const [result] = results;
    const { figures, tests, intervals } = result!;
    const lines = [
      ...block("validation", figures, intervals.validation),
      ...block("test", tests.test ?? {}, intervals.test),
    ];
    return io.result([...lines, `model: ${out}`].join("\n"), shown(result!));
  }
  const summary = {
    validation: spread(results.map(({ figures }) => figures)),
    test: spread(results.map(({ tests }) => tests.test ?? {})),
  };
  const value = { seeds, runs: results.map(shown), ...summary };
  await saveJson(join(out, "seeds.json"), value);
  const lines = Object.entries(summary).flatMap(([part, all]) =>
    Object.entries(all).map(([name, { mean, std }]) => `${part} ${name}: ${mean.toFixed(4)} ± ${std.toFixed(4)}`),
  );
  io.result([...lines, `${results.length} seeds: ${out}`].join("\n"), value);
}

/** A line for each figure, with its 95 % interval. */
const block = (part: string, figures: Figures, intervals: Intervals = {}): string[] =>
  Object.entries(figures).map(([name, value]) => {
    const bounds = intervals[name];
    const range = bounds ? ` (${bounds.low.toFixed(4)} to ${bounds.high.toFixed(4)})` : "";
    return `${part} ${name}: ${value.toFixed(4)}${range}`;
  });

/** Mean and sample standard deviation over seeds. */
function spread(all: readonly Figures[]): Record<string, { readonly mean: number; readonly std: number }> {
  return Object.fromEntries(
    Object.keys(all[0] ?? {}).map((name) => {
      const values = all.flatMap((figures) => figures[name] ?? []);
      const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
      const squares = values.reduce((sum, x) => sum + (x - mean) ** 2, 0);
      return [name, { mean, std: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : 0 }];
    }),
  );
}
