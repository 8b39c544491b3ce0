/**
 * Cuts the step of one part of a batch at its collectives: programs that run for every part in turn, with the collectives between them,
 * and a last one that runs once. What a program needs of an earlier one is kept where it depends on a collective, and computed again where it
 * does not, since that is what memory is too small for: with a contrastive loss this is gradient caching (Gao et al., arXiv:2101.06983).
 * Where a worker has a single part its products stay in the state until they are read again, as in a step that is not cut.
 */
import { type Shape, size } from "../../../tensor/index.ts";
import { type Graph, graph, isOp, topological, withInputs } from "../../graph.ts";
import { add, input, mul } from "../../ops.ts";
import type { Program } from "../../program.ts";
import { Value } from "../../value.ts";
import { cse } from "../cse.ts";
import { inPieces } from "./pieces.ts";
import { COSTLY, type Collective, earliest, isCollective, operand, type Schedule, schedule } from "./schedule.ts";

/** The step of one part among many, with collectives between the parts. */
export interface PartedStep {
  readonly name: string;
  /** Results of each part. */
  readonly ofPart: Readonly<Record<string, Value>>;
  /** Results, and the next state, of all parts together: they depend on a part through collectives alone. */
  readonly outputs: Readonly<Record<string, Value>>;
  readonly updates: Readonly<Record<string, Value>>;
  /** Sums over parts (`allReduce`) that have a name of their own in the state: those of one name never live at the same time. */
  readonly sums: Readonly<Record<string, Value>>;
  /** Whether a worker has several parts: the sum of its own is then made in the state, one part after another. */
  readonly several: boolean;
  /** Elements that may wait for each operation that is left, where the making of gradients is cut in pieces; little unless said. */
  readonly mayWait?: number | undefined;
}

/** A program that runs for each part, and the collectives after it. All names are those of its outputs, feeds and state. */
export interface Phase {
  readonly program: Program;
  /** Outputs that are results of the part. */
  readonly results: readonly string[];
  /** Outputs that later programs of the same part are fed. */
  readonly kept: readonly string[];
  /** Outputs of all parts, behind each other, are a feed of later programs; a part's own is fed to them too. */
  readonly gathers: readonly { readonly own: string; readonly all: string }[];
  /** State that is to be summed over workers. */
  readonly reduces: readonly string[];
  /** The same, of which later programs are fed the rows of their part. */
  readonly scatters: readonly { readonly sum: string; readonly rows: string }[];
}

export interface Cut {
  readonly phases: readonly Phase[];
  /** Runs once on every worker, with equal results. */
  readonly last: Program;
  /** Shapes of the sums in the state, and of what else waits there during a step. */
  readonly sums: Readonly<Record<string, Shape>>;
}

/** A feed of programs that add to sums: 0 for a worker's first part, 1 for the others. What was in the sums before counts as little or as much. */
export const KEEP = "accumulated_before";

/** Where sums over parts live in the state. */
export const sumName = (name: string): string => `accumulated.${name}`;

/** Cuts a step that has collectives. */
export function cut(step: PartedStep): Cut {
  const merged = mergedStep(step);
  const times = merged.several ? schedule(merged) : inPieces(schedule(merged), merged.mayWait);
  const names = namesOf(merged, times);
  const each = (): Map<Value, string>[] => Array.from({ length: times.count }, () => new Map());
  const [gives, stores] = [each(), each()];
  const build = builder(times, names, gives, merged.several ? undefined : stores);
  const last = lastProgram(
    merged,
    build([...Object.values(merged.outputs), ...Object.values(merged.updates)], times.count),
  );
  const sums: Record<string, Shape> = {};
  // From the last to the first: what a program must keep is what later ones have asked for.
  const phases = [...gives.keys()]
    .reverse()
    .map((j) => phase(j, { step: merged, times, names, kept: gives[j]!, stored: stores[j]!, build, sums }));
  // A program whose collectives an earlier one could serve has nothing left to do.
  const busy = phases.filter(({ program }) => Object.keys({ ...program.outputs, ...program.updates }).length > 0);
  return { phases: busy.reverse(), last, sums };
}

interface Merged extends PartedStep {
  readonly nodes: readonly Value[];
}

/** The step with equal values made one, so that no sum is made twice but under two names: whoever reads the state finds it under each. */
function mergedStep(step: PartedStep): Merged {
  const { name, ofPart, outputs, updates, sums } = step;
  const fields = { ofPart, outputs, updates, sums };
  const all = Object.entries(fields).flatMap(([field, values]) =>
    Object.entries(values).map(([key, v]) => [`${field}:${key}`, v] as const),
  );
  const g: Graph = cse(graph(name, Object.fromEntries(all)));
  const back = (field: keyof typeof fields): Record<string, Value> =>
    Object.fromEntries(Object.keys(fields[field]).map((key) => [key, g.outputs[`${field}:${key}`]!]));
  const twins: Value[] = [];
  const named = new Set<Value>();
  const own = (v: Value): Value => {
    const twin = named.has(v) ? new Value(v.op, v.inputs, v.attrs, v.scope) : v;
    if (twin !== v) twins.push(twin);
    named.add(v);
    return twin;
  };
  return {
    ...step,
    ofPart: back("ofPart"),
    outputs: back("outputs"),
    updates: back("updates"),
    sums: mapValues(back("sums"), own),
    nodes: [...g.nodes, ...twins],
  };
}

/** What collectives are called as state and feeds. */
interface Names {
  /** The state that a reduction sums in. */
  sum(c: Collective): string;
  /** The feed of what a part has given to be gathered, of what was gathered, of its rows of a sum. */
  own(c: Collective): string;
  all(c: Collective): string;
  rows(c: Collective): string;
  /** The state that a part's own value number `i` waits in. */
  stored(i: number): string;
}

function namesOf({ name, sums }: Merged, { after }: Schedule): Names {
  const named = new Map(Object.entries(sums).map(([key, v]) => [v, sumName(key)]));
  const ids = new Map([...after.keys()].map((c, i) => [c, i] as const));
  return {
    sum: (c) => named.get(c) ?? sumName(`${name}.${ids.get(c)}`),
    own: (c) => `own.${ids.get(c)}`,
    all: (c) => `gathered.${ids.get(c)}`,
    rows: (c) => `rows.${ids.get(c)}`,
    stored: (i) => sumName(`${name}.stored.${i}`),
  };
}

/** Builds values for one program: gives what stands for each of them there. */
type Build = (roots: readonly Value[], program: number) => (v: Value) => Value;

/** Elements from which on a value is rather left in the engine's memory than given to the host and fed again. */
const LARGE = 2 ** 16;

/** `gives` takes what programs give to later ones, `stores` what they leave in the state for them. */
function builder(
  { level, after, computed, count: phases }: Schedule,
  names: Names,
  gives: readonly Map<Value, string>[],
  stores: readonly Map<Value, string>[] | undefined,
): Build {
  const gathered = new Map([...after.keys()].filter((c) => c.op === "allGather").map((c) => [operand(c), c]));
  let count = 0;
  const keep = (v: Value, i: number): string => {
    const name = gives[i]!.get(v) ?? `kept.${count++}`;
    gives[i]!.set(v, name);
    return name;
  };
  const store = (v: Value, i: number): string => {
    const name = stores![i]!.get(v) ?? names.stored(stores!.reduce((n, stored) => n + stored.size, 0));
    stores![i]!.set(v, name);
    return name;
  };
  const fed = (v: Value, name: string): Value => input(name, v.shape, v.dtype);
  const result = (c: Collective): Value =>
    fed(c, c.op === "allGather" ? names.all(c) : c.op === "allReduce" ? names.sum(c) : names.rows(c));
  /** What is fed to program `j` in the place of a value; undefined: it is computed there. */
  const standIn = (v: Value, j: number): Value | undefined => {
    if (isCollective(v)) return result(v);
    const gather = gathered.get(v);
    if (gather && after.get(gather)! < j) return fed(v, names.own(gather));
    const early = earliest(v, level, computed);
    const canStore = stores !== undefined && j < phases && v.dtype === "float32";
    if (early !== undefined) {
      if (early >= j) return undefined;
      return fed(v, canStore && size(v.shape) >= LARGE ? store(v, early) : keep(v, early));
    }
    if (!canStore || !COSTLY.has(v.op)) return undefined;
    const first = computed.findIndex((set) => set.has(v));
    return first >= 0 && first < j ? fed(v, store(v, first)) : undefined;
  };
  return (roots, j) => {
    const stands = new Map<Value, Value | undefined>();
    const stand = (v: Value): Value | undefined => {
      if (!stands.has(v)) stands.set(v, standIn(v, j));
      return stands.get(v);
    };
    const made = new Map<Value, Value>();
    const of = (v: Value): Value => made.get(v)!;
    for (const v of upTo(roots, stand)) made.set(v, stand(v) ?? withInputs(v, v.inputs.map(of)));
    return of;
  };
}

/** Values behind the roots, operands first, but not behind those that something stands for. */
function upTo(roots: readonly Value[], stand: (v: Value) => Value | undefined): Value[] {
  const order: Value[] = [];
  const seen = new Set<Value>();
  for (const root of roots) {
    const stack = seen.has(root) ? [] : [{ v: root, next: 0 }];
    seen.add(root);
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      const child = stand(top.v) ? undefined : top.v.inputs[top.next++];
      if (child === undefined) order.push(stack.pop()!.v);
      else if (!seen.has(child)) {
        seen.add(child);
        stack.push({ v: child, next: 0 });
      }
    }
  }
  return order;
}

interface PhaseParts {
  readonly step: Merged;
  readonly times: Schedule;
  readonly names: Names;
  readonly kept: ReadonlyMap<Value, string>;
  /** What it leaves in the state for later ones. */
  readonly stored: ReadonlyMap<Value, string>;
  readonly build: Build;
  /** Takes the shapes of the sums. */
  readonly sums: Record<string, Shape>;
}

/** Program `j` of those that run for each part. */
function phase(j: number, { step, times, names, kept, stored, build, sums }: PhaseParts): Phase {
  const collectives = [...times.after].flatMap(([c, i]) => (i === j ? [c] : []));
  const results = Object.entries(step.ofPart).filter(([, v]) => times.resultIn.get(v) === j);
  const value = build([...collectives.map(operand), ...results.map(([, v]) => v), ...kept.keys(), ...stored.keys()], j);
  const [gathers, reduced] = [true, false].map((is) => collectives.filter((c) => (c.op === "allGather") === is)) as [
    Collective[],
    Collective[],
  ];
  const updates: Record<string, Value> = {};
  for (const [v, name] of stored) {
    sums[name] = v.shape;
    updates[name] = value(v);
  }
  for (const c of reduced) {
    const [sum, g] = [names.sum(c), value(operand(c))];
    sums[sum] = g.shape;
    updates[sum] = step.several ? add(mul(input(sum, g.shape, g.dtype), input(KEEP, [])), g) : g;
  }
  const outputs = Object.fromEntries([
    ...results.map(([key, v]) => [key, value(v)] as const),
    ...[...kept].map(([v, key]) => [key, value(v)] as const),
    ...gathers.map((c) => [names.own(c), value(operand(c))] as const),
  ]);
  return {
    program: { name: `${step.name}.${j + 1}`, outputs, updates },
    results: results.map(([key]) => key),
    kept: [...kept.values()],
    gathers: gathers.map((c) => ({ own: names.own(c), all: names.all(c) })),
    reduces: reduced.filter((c) => c.op === "allReduce").map(names.sum),
    scatters: reduced.filter((c) => c.op === "reduceScatter").map((c) => ({ sum: names.sum(c), rows: names.rows(c) })),
  };
}

/** The program that runs once: it must not need what only a part has. */
function lastProgram({ name, outputs, updates }: Merged, value: (v: Value) => Value): Program {
  const last = { name: `${name}.apply`, outputs: mapValues(outputs, value), updates: mapValues(updates, value) };
  for (const v of topological([...Object.values(last.outputs), ...Object.values(last.updates)]))
    if (isOp(v, "input") && /^(kept|own|rows)\.\d+$/.test(v.attrs.name))
      throw new Error(`internal: ${name} depends on a part of the batch without a collective`);
  return last;
}

const mapValues = <T, U>(record: Readonly<Record<string, T>>, f: (value: T) => U): Record<string, U> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, f(value)]));
