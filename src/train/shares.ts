/**
 * The update shared out among workers: each sums and updates one part of every large parameter, then all gather the parameters
 * (stage 1 of ZeRO, Rajbhandari et al., arXiv:1910.02054 §5.1). As many bytes are sent as for sums on all workers.
 */
import { type Cluster, inOrder, type Memory, type Numbers, type UnderWay } from "../cluster/cluster.ts";
import { graph, input, isOp, mul, type Program, sum, type Value } from "../graph/index.ts";
import { sumName } from "../graph/passes/index.ts";
import { momentNames } from "../optim/index.ts";
import type { State } from "../runtime/index.ts";
import { type Feeds, size, type Tensor, zerosLike } from "../tensor/index.ts";
import { andThen, memoryOf, travelsAlone } from "./sums.ts";

/** A tensor of the state of which this worker holds a part, in the order of ranks: behind the state's name `own`. */
export interface Shared {
  readonly name: string;
  readonly own: string;
  /** Elements of a part. */
  readonly length: number;
}

/** What of a step's update is shared out. */
export interface Shares {
  /** Sums of gradients: a worker needs its part alone. */
  readonly sums: readonly Shared[];
  /** Parameters and their averages, which all workers gather after each update. */
  readonly gathered: readonly Shared[];
  /** Moments, which are gathered where the whole state is asked for. */
  readonly moments: readonly Shared[];
  /** Gives the squares of the gradients' parts, which are summed over workers before the update; undefined: nothing is shared out. */
  readonly norms: Program | undefined;
}

/** What is shared out, and how the update refers to it. */
export interface SharedUpdate extends Shares {
  /** The parameters and gradients that the update is traced with: parts in the place of what is shared out. */
  readonly parameters: Readonly<Record<string, Value>>;
  readonly gradients: Readonly<Record<string, Value>>;
  /** Squares of whole gradients, by parameter. */
  readonly squares: Readonly<Record<string, Value>>;
  /** The name in the state of what is updated in the place of a tensor. */
  held(name: string): string;
  /** First values of the parts, and of whole moments. */
  readonly initial: Readonly<Record<string, Tensor>>;
}

export interface ShareOptions {
  readonly name: string;
  readonly workers: number;
  /** Bytes of the smallest tensor that is shared out; what travels alone unless said. */
  readonly from?: number | undefined;
  /** The name of a parameter's average. */
  average(parameter: string): string | undefined;
}

const ownName = (name: string): string => sumName(`own.${name}`);
const squaresName = (parameter: string): string => `squares.${parameter}`;

/** Shares out the update of parameters with these sums of gradients. What does not divide among the workers, every worker updates. */
export function shareOut(
  parameters: Readonly<Record<string, Value>>,
  sums: Readonly<Record<string, Value>>,
  { name: step, workers, from, average }: ShareOptions,
): SharedUpdate {
  const isLarge = (bytes: number): boolean => (from === undefined ? travelsAlone(bytes) : bytes >= from);
  const names = Object.keys(sums).filter((name) => {
    const elements = size(sums[name]!.shape);
    // What is clamped where it is used is no input, and small.
    return workers > 1 && isLarge(4 * elements) && elements % workers === 0 && isOp(parameters[name]!, "input");
  });
  const lengthOf = (name: string): number => size(sums[name]!.shape) / workers;
  const shared = (name: string, of: string): Shared => ({ name: of, own: ownName(of), length: lengthOf(name) });
  const parts = (of: (name: string) => string): Record<string, Value> =>
    Object.fromEntries(names.map((name) => [name, input(of(name), [lengthOf(name)])]));
  const gradients = parts((name) => ownName(sumName(name)));
  const found: Shares = {
    sums: names.map((name) => shared(name, sumName(name))),
    gathered: names.flatMap((name) =>
      [name, average(name)].flatMap((of) => (of === undefined ? [] : [shared(name, of)])),
    ),
    moments: names.flatMap((name) => momentNames(name).map((of) => shared(name, of))),
    norms: names.length > 0 ? normsOf(step, gradients) : undefined,
  };
  const all = [...found.sums, ...found.gathered, ...found.moments];
  const own = new Map(all.map((one) => [one.name, one.own]));
  const zeros = all.map(({ own: key, length }) => [key, zerosLike("float32", [length])] as const);
  const moments = names.flatMap((name) =>
    momentNames(name).map((key) => [key, zerosLike("float32", sums[name]!.shape)] as const),
  );
  return {
    ...found,
    parameters: { ...parameters, ...parts(ownName) },
    gradients: { ...sums, ...gradients },
    squares: Object.fromEntries(names.map((name) => [name, input(squaresName(name), [])])),
    held: (name) => own.get(name) ?? name,
    initial: Object.fromEntries([...zeros, ...moments]),
  };
}

function normsOf(step: string, gradients: Readonly<Record<string, Value>>): Program {
  const squares = Object.entries(gradients).map(([name, g]) => [squaresName(name), sum(mul(g, g))] as const);
  const { outputs } = graph(`${step}.norms`, Object.fromEntries(squares));
  return { name: `${step}.norms`, outputs, updates: {} };
}

/** Sums over workers of scalars that each of them has found. */
export async function sumScalars(cluster: Cluster, scalars: Readonly<Record<string, Tensor>>): Promise<Feeds> {
  const entries = Object.entries(scalars);
  const all = Float64Array.from(entries, ([, t]) => Number(t.data[0]));
  await cluster.allReduce(all);
  const of = (t: Tensor, value: number): Tensor => ({ ...t, data: like(t.data, 1).fill(value) }) as Tensor;
  return Object.fromEntries(entries.map(([name, t], i) => [name, of(t, all[i]!)]));
}

/** The interpreter's floats have 64 bits, whatever their dtype. */
const like = (data: Tensor["data"], length: number): Float32Array =>
  new (data.constructor as typeof Float32Array)(length);

/** Makes this worker's parts those of the whole tensors. */
export async function takeParts({ rank }: Cluster, state: State, shared: readonly Shared[]): Promise<void> {
  for (const { name, own, length } of shared) {
    const { data, dtype } = await state.read(name);
    state.write(own, { dtype, shape: [length], data: data.slice(rank * length, (rank + 1) * length) } as Tensor);
  }
}

/** Makes whole tensors of the parts of all workers. */
export async function gatherParts(cluster: Cluster, state: State, shared: readonly Shared[]): Promise<void> {
  for (const { name, own } of shared) {
    const [part, whole] = [state.buffer(own), state.buffer(name)];
    const [from, to] = [memoryOf(cluster, part), memoryOf(cluster, whole)];
    if (from && to) await cluster.allGather(to, from);
    else {
      const { dtype, data } = await part.read();
      const all = like(data, data.length * cluster.size);
      await cluster.allGather(all, data as Numbers);
      whole.write({ dtype, shape: whole.shape, data: all } as Tensor);
    }
  }
}

/** Sums whole tensors over workers; each gets its part. */
export async function scatterSums(cluster: Cluster, state: State, shared: readonly Shared[]): Promise<void> {
  for (const one of shared) {
    const { from, to, back } = await ends(cluster, state, one);
    await cluster.reduceScatter(from, to);
    back();
  }
}

/** Begins the same: until they have arrived, neither the tensors nor the parts may be read or written. */
export async function beginScatters(cluster: Cluster, state: State, shared: readonly Shared[]): Promise<UnderWay> {
  const begun: UnderWay[] = [];
  for (const one of shared) {
    const { from, to, back } = await ends(cluster, state, one);
    begun.push(andThen(cluster.beginReduceScatter(from, to), back));
  }
  return inOrder(begun);
}

/** What a sum is of and goes to: where they lie, or copies, of which the part goes back. */
async function ends(
  cluster: Cluster,
  state: State,
  { name, own, length }: Shared,
): Promise<{ readonly from: Memory; readonly to: Memory; readonly back: () => void }> {
  const [part, whole] = [state.buffer(own), state.buffer(name)];
  const [to, from] = [memoryOf(cluster, part), memoryOf(cluster, whole)];
  if (from && to) return { from, to, back: () => undefined };
  const { dtype, data } = await whole.read();
  const mine = like(data, length);
  return { from: data as Numbers, to: mine, back: () => part.write({ dtype, shape: [length], data: mine } as Tensor) };
}
