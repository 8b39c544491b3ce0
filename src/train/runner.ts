/** Runs the programs of one step: all of it at once, or part by part with collectives between them. */
import { type Cluster, inOrder, type Numbers, type UnderWay } from "../cluster/cluster.ts";
import type { Program } from "../graph/index.ts";
import type { Phase } from "../graph/passes/index.ts";
import { KEEP } from "../graph/passes/index.ts";
import type { Buffer, Executable, State } from "../runtime/index.ts";
import { type Feeds, fromNumbers, scalar, type Tensor } from "../tensor/index.ts";
import { cutBatch, joinBatch } from "./parts.ts";
import type { BeforeStep, Metrics } from "./plan.ts";
import { beginScatters, gatherParts, type Shared, scatterSums, sumScalars } from "./shares.ts";
import { type CutStep, PART, type StepGraph } from "./step.ts";
import { beginSums, sumOverWorkers } from "./sums.ts";

/** Runs one step on this worker's samples, with scalars that all of its programs may read. */
export type Runner = (feeds: Feeds, scalars: Metrics) => Promise<Metrics>;

type Compile = (program: Program) => Promise<Executable>;

/** Runs with what the executable reads of the feeds and scalars. */
async function run(executable: Executable, feeds: Feeds, scalars: Metrics): Promise<Record<string, Tensor>> {
  const given: Record<string, Tensor> = {};
  for (const name of executable.feeds) {
    const value = feeds[name] ?? (name in scalars ? scalar(scalars[name]!) : undefined);
    if (value) given[name] = value;
  }
  return executable.run(given);
}

const numbers = (results: Readonly<Record<string, Tensor>>): Record<string, number> =>
  Object.fromEntries(Object.entries(results).map(([name, t]) => [name, Number(t.data[0])]));

/** The runner of a step that is one program. */
export async function wholeRunner({ program }: StepGraph, compile: Compile): Promise<Runner> {
  const executable = await compile(program);
  return async (feeds, scalars) => numbers(await run(executable, feeds, scalars));
}

/** The pass before a step, on each micro-batch in turn: what it adds to the feeds, for all of this worker's samples. */
export function beforeRunner(
  executable: Executable,
  { feeds: made }: BeforeStep,
  { pieces, axis }: { readonly pieces: number; readonly axis: number },
): (feeds: Feeds, scalars: Metrics) => Promise<Feeds> {
  return async (feeds, scalars) => {
    const found: Feeds[] = [];
    for (const piece of cutBatch(feeds, pieces, axis)) found.push(made(await run(executable, piece, scalars), piece));
    return joinBatch(found);
  };
}

/** What the parts of a step run with. */
export interface PartsOptions {
  readonly cluster: Cluster;
  readonly state: State;
  /** The axis of the samples in every feed. */
  readonly axis: number;
}

/** The runner of a step in parts: every program for each part of this worker in turn, then its collectives. */
export async function partsRunner(
  { cut, part: { parts, perWorker }, found, shares }: CutStep,
  compile: Compile,
  { cluster, state, axis }: PartsOptions,
): Promise<Runner> {
  const phases: [Phase, Executable][] = [];
  for (const phase of cut.phases) phases.push([phase, await compile(phase.program)]);
  const norms = shares.norms && (await compile(shares.norms));
  const last = await compile(cut.last);
  const shared = new Map(shares.sums.map((one) => [one.name, one]));
  const travels = besideOthers(phases);
  return async (feeds, scalars) => {
    // What each part of this worker is fed: its samples, and what earlier programs have given it.
    const own = cutBatch(feeds, perWorker, axis).map((piece, i): Record<string, Tensor> => {
      return { ...piece, [PART]: fromNumbers([cluster.rank * perWorker + i], [], "int32") };
    });
    const sums: Record<string, number> = {};
    const underWay: UnderWay[] = [];
    for (const [phase, executable] of phases) {
      for (const [i, piece] of own.entries()) {
        const results = await run(executable, piece, { ...scalars, [KEEP]: i === 0 ? 0 : 1 });
        for (const name of phase.results) sums[name] = (sums[name] ?? 0) + Number(results[name]!.data[0]);
        for (const name of phase.kept) piece[name] = results[name]!;
        for (const { own: name } of phase.gathers) piece[name] = results[name]!;
      }
      await gatherRows(phase, own, cluster);
      if (travels.has(phase)) underWay.push(...(await beginExchange(phase, { cluster, state, shared })));
      else await exchange(phase, own, { cluster, state, shared });
    }
    await inOrder(underWay).arrive();
    const squares = norms ? await sumScalars(cluster, await run(norms, {}, scalars)) : {};
    const results = numbers(await run(last, { ...own[0]!, ...squares }, scalars));
    await gatherParts(cluster, state, shares.gathered);
    const means = await meansOf(sums, parts, cluster);
    const loss = Object.keys(found.losses).reduce((sum, name) => sum + means[name]!, 0);
    return { ...means, loss, ...results };
  };
}

/** Phases whose sums no later one reads: they travel while later ones run. Beside the last nothing is computed. */
function besideOthers(phases: readonly (readonly [Phase, Executable])[]): ReadonlySet<Phase> {
  const read = new Set<string>();
  const found = new Set<Phase>();
  for (const [i, [phase, { graph }]] of [...phases.entries()].reverse()) {
    const isFree = phase.scatters.length === 0 && !phase.reduces.some((name) => read.has(name));
    if (isFree && i < phases.length - 1) found.add(phase);
    for (const name of Object.keys(graph.inputs)) read.add(name);
  }
  return found;
}

interface ExchangeOptions extends Omit<PartsOptions, "axis"> {
  /** Sums of which a worker needs a part alone. */
  readonly shared: ReadonlyMap<string, Shared>;
}

/** What the parts of a phase have to gather goes to the feeds of this worker's parts. */
async function gatherRows(phase: Phase, own: Record<string, Tensor>[], cluster: Cluster): Promise<void> {
  for (const { own: name, all } of phase.gathers) {
    const rows = await gathered(
      own.map((piece) => piece[name]!),
      cluster,
    );
    for (const piece of own) piece[all] = rows;
  }
}

/** The sums of a phase; rows of them go to the feeds of this worker's parts. */
async function exchange(
  phase: Phase,
  own: Record<string, Tensor>[],
  { cluster, state, shared }: ExchangeOptions,
): Promise<void> {
  const [whole, parts] = sumsOf(phase, state, shared);
  await sumOverWorkers(cluster, whole);
  await scatterSums(cluster, state, parts);
  for (const { sum, rows } of phase.scatters) {
    const mine = await scattered(await state.read(sum), own.length, cluster);
    for (const [i, piece] of own.entries()) piece[rows] = mine[i]!;
  }
}

/** Begins the sums of a phase. */
async function beginExchange(phase: Phase, { cluster, state, shared }: ExchangeOptions): Promise<UnderWay[]> {
  const [whole, parts] = sumsOf(phase, state, shared);
  return [await beginSums(cluster, whole), await beginScatters(cluster, state, parts)];
}

/** Sums that every worker needs whole, and those of which it needs a part. */
const sumsOf = ({ reduces }: Phase, state: State, shared: ReadonlyMap<string, Shared>): [Buffer[], Shared[]] => [
  reduces.filter((name) => !shared.has(name)).map((name) => state.buffer(name)),
  reduces.flatMap((name) => shared.get(name) ?? []),
];

type Make = new (length: number) => Float32Array;

/** The rows of all parts of all workers, each (b, …). */
async function gathered(tensors: readonly Tensor[], cluster: Cluster): Promise<Tensor> {
  const { rank, size } = cluster;
  const [{ data, shape, dtype }] = tensors as [Tensor];
  const all = new (data.constructor as Make)(size * tensors.length * data.length);
  for (const [i, t] of tensors.entries()) all.set(t.data as Float32Array, (rank * tensors.length + i) * data.length);
  if (size > 1) await cluster.allGather(all);
  return { dtype, shape: [size * tensors.length * shape[0]!, ...shape.slice(1)], data: all } as Tensor;
}

/** The sum over workers of (parts·b, …), as the rows of each part of this one. */
async function scattered({ data, shape, dtype }: Tensor, count: number, cluster: Cluster): Promise<Tensor[]> {
  let mine = data as Float32Array;
  if (cluster.size > 1) {
    mine = new (data.constructor as Make)(data.length / cluster.size);
    await cluster.reduceScatter(data as Numbers, mine);
  }
  const each = mine.length / count;
  const rows = [shape[0]! / (cluster.size * count), ...shape.slice(1)];
  return Array.from(
    { length: count },
    (_, i) => ({ dtype, shape: rows, data: mine.subarray(i * each, (i + 1) * each) }) as Tensor,
  );
}

/** Means over all parts, from the sums of this worker's. */
async function meansOf(sums: Metrics, parts: number, cluster: Cluster): Promise<Record<string, number>> {
  const names = Object.keys(sums);
  const all = Float64Array.from(names, (name) => sums[name]!);
  if (cluster.size > 1) await cluster.allReduce(all);
  return Object.fromEntries(names.map((name, i) => [name, all[i]! / parts]));
}
