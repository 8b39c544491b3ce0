/** How far what a file computes is from the model: the same samples through both, differences output by output. */
import { costOf, interpret } from "../graph/index.ts";
import { compile, type Device, type PortInfo } from "../runtime/index.ts";
import { openOnnxFile } from "../runtime/model-file.ts";
import { fromNumbers, type Tensor, toNumbers } from "../tensor/index.ts";
import type { ExportGraph, GraphName } from "./graphs.ts";

/** One output of one file beside the model's own numbers. */
export interface OutputParity {
  readonly output: string;
  /** The largest and the mean absolute difference, and the mean absolute value that they are to be seen beside. */
  readonly max: number;
  readonly mean: number;
  readonly size: number;
  /** Cosine of each row with its counterpart: mean and lowest. */
  readonly cosine: number;
  readonly lowestCosine: number;
  /** Of logits: the share of rows whose largest is the same. */
  readonly sameTop?: number;
}

/** What the model says to the samples, by output, and what of it counts. */
export interface Expected {
  readonly outputs: Readonly<Record<string, Tensor>>;
  /** What made it. */
  readonly by: string;
}

/** Multiplications and additions that the interpreter is asked to do at most. */
const INTERPRETED = 3e8;

/**
 * The numbers that files are compared with, from the graph at the fixed sizes of the feeds: by the interpreter in float64, or for large
 * models by the device in float32.
 */
export async function expectedOf(
  { graph: g, params }: ExportGraph,
  feeds: Readonly<Record<string, Tensor>>,
  weights: Readonly<Record<string, Tensor>>,
  device: Device,
): Promise<Expected> {
  const fixed = g.trace(sizesOf(feeds));
  const own = Object.fromEntries(params.map(({ name }) => [name, weights[name]!]));
  const given = feedsOf(
    Object.values(fixed.inputs).map(({ attrs }) => attrs),
    feeds,
  );
  if (costOf(fixed).flops < INTERPRETED)
    return { outputs: interpret(fixed, { ...given, ...own }), by: "the interpreter in float64" };
  using executable = await compile(fixed, device, { weights: own });
  return { outputs: await executable.run(given), by: `${device.description} in float32, at fixed sizes` };
}

/** What all graphs should say. */
export interface AllExpected {
  readonly of: ReadonlyMap<GraphName, Expected>;
  readonly feeds: Readonly<Record<string, Tensor>>;
}

/** What each graph should say; the multimodal encoder is fed with what the two others should. */
export async function allExpected(
  graphs: readonly ExportGraph[],
  feeds: Readonly<Record<string, Tensor>>,
  weights: Readonly<Record<string, Tensor>>,
  device: Device,
): Promise<AllExpected> {
  const of = new Map<GraphName, Expected>();
  const all: Record<string, Tensor> = { ...feeds };
  for (const each of graphs) {
    for (const [name, { shape }] of Object.entries(each.graph.trace(sizesOf(feeds)).inputs))
      if (/_mm$/.test(name) && !all[name]) all[name] = madeStates(name, shape);
    const expected = await expectedOf(each, all, weights, device);
    of.set(each.name, expected);
    for (const name of ["image_mm", "text_mm"]) {
      const states = expected.outputs[name];
      if (states) all[name] = fromNumbers(toNumbers(states), states.shape);
    }
  }
  return { of, feeds: all };
}

/** The lengths of open axes that feeds stand for. */
const sizesOf = (feeds: Readonly<Record<string, Tensor>>): Record<string, number> => ({
  batch_size: Object.values(feeds)[0]!.shape[0]!,
  sequence_length: (feeds.input_ids ?? feeds.text_mm)?.shape[1] ?? 1,
  region_count: feeds.region_features?.shape[1] ?? 1,
});

/** States for a multimodal encoder that is exported without the encoders that make them. */
const madeStates = (name: string, shape: readonly number[]): Tensor =>
  fromNumbers(
    Array.from({ length: shape.reduce((n, d) => n * d, 1) }, (_, i) => Math.sin(i * (name.length + 0.7)) * 2),
    shape,
  );

/** Runs a file on the samples and compares. Rows of padded tokens do not count. */
export async function fileParity(
  path: string,
  { outputs: expected }: Expected,
  feeds: Readonly<Record<string, Tensor>>,
  options: { readonly threads?: number | undefined; readonly signal?: AbortSignal | undefined } = {},
): Promise<OutputParity[]> {
  using session = await openOnnxFile(path, options);
  const want = Object.fromEntries(session.outputs.map(({ name }) => [name, "host" as const]));
  const found = (await session.run(
    feedsOf(session.inputs, feeds),
    want,
    options.signal ? { signal: options.signal } : {},
  )) as Record<string, Tensor>;
  return session.outputs.map((port) => {
    const counts = rowsThatCount(port, expected[port.name]!, feeds.attention_mask);
    return compare(port.name, found[port.name]!, expected[port.name]!, counts);
  });
}

/** Of `feeds`, those that a graph has; ids as int64 where it wants them so. */
function feedsOf(
  inputs: readonly { readonly name: string; readonly dtype: string }[],
  feeds: Readonly<Record<string, Tensor>>,
): Record<string, Tensor> {
  return Object.fromEntries(
    inputs.flatMap(({ name, dtype }) => {
      const t = feeds[name];
      if (!t) return [];
      return [[name, dtype === "int64" ? fromNumbers(toNumbers(t), t.shape, "int64") : t]];
    }),
  );
}

interface Row {
  readonly max: number;
  readonly sum: number;
  readonly size: number;
  readonly cosine: number;
  readonly sameTop: boolean;
}

/** `counts` says which rows of the last axis do. */
function compare(output: string, found: Tensor, expected: Tensor, counts: (row: number) => boolean): OutputParity {
  const [a, b] = [toNumbers(found), toNumbers(expected)];
  const width = expected.shape.at(-1)!;
  const rows: Row[] = [];
  for (let row = 0; row * width < b.length; row++) if (counts(row)) rows.push(compareRow(a, b, row * width, width));
  const mean = (of: (row: Row) => number): number => rows.reduce((sum, row) => sum + of(row), 0) / rows.length;
  return {
    output,
    max: rows.reduce((most, row) => (row.max > most || Number.isNaN(row.max) ? row.max : most), 0),
    mean: mean((row) => row.sum) / width,
    size: mean((row) => row.size) / width,
    cosine: mean((row) => row.cosine),
    lowestCosine: rows.reduce((least, row) => Math.min(least, row.cosine), 1),
    ...(output.includes("logits") ? { sameTop: mean((row) => Number(row.sameTop)) } : {}),
  };
}

function compareRow(a: readonly number[], b: readonly number[], from: number, width: number): Row {
  let [max, sum, size, aa, bb, ab, topA, topB] = [0, 0, 0, 0, 0, 0, from, from];
  for (let i = from; i < from + width; i++) {
    const [x, y] = [a[i]!, b[i]!];
    const d = Math.abs(x - y);
    if (d > max || Number.isNaN(d)) max = d;
    sum += d;
    size += Math.abs(y);
    aa += x * x;
    bb += y * y;
    ab += x * y;
    if (x > a[topA]!) topA = i;
    if (y > b[topB]!) topB = i;
  }
  const cosine = aa * bb === 0 ? Number(aa === bb) : ab / Math.sqrt(aa * bb);
  return { max, sum, size, cosine, sameTop: topA === topB };
}

/** Which rows of an output are not padding; its axis of tokens has the text's after those of the picture. */
function rowsThatCount({ shape }: PortInfo, of: Tensor, mask: Tensor | undefined): (row: number) => boolean {
  if (!mask || !String(shape[1]).includes("sequence_length")) return () => true;
  const [T, N] = [mask.shape[1]!, of.shape[1]!];
  return (row) => {
    const token = (row % N) - (N - T);
    return token < 0 || Number(mask.data[Math.floor(row / N) * T + token]) === 1;
  };
}
