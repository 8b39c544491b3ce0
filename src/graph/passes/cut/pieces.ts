/**
 * Cuts the last program of a schedule, which makes most of the gradients, into pieces: what one has found can be summed over workers while the
 * next computes. It is cut where little must wait in the state, as between an encoder and the layers below it.
 */
import { size } from "../../../tensor/index.ts";
import { flopsOf } from "../../cost.ts";
import type { Value } from "../../value.ts";
import { behind, COSTLY, type Collective, isCollective, operand, type Schedule } from "./schedule.ts";

/** More of them leave less for the last, whose sums travel alone; each has its own reads and writes. */
const PIECES = 3;

/** How far from an equal share of the operations a cut may lie to be a narrow one, as a part of all. */
const SLACK = 0.12;

/** Elements that may wait at a cut, for each operation that is left: writing and reading them is little beside it. */
const MAY_WAIT = 1 / 4000;

/** The same schedule with the last program in up to three; unchanged where no narrow cut is found. */
export function inPieces(times: Schedule, mayWait: number = MAY_WAIT): Schedule {
  const last = times.count - 1;
  const sums = [...times.after].flatMap(([c, i]) => (i === last && c.op === "allReduce" ? [c] : []));
  const given = givenTo(times);
  const work = new Map(sums.map((c) => [c, operations(made([c], given))] as const));
  sums.sort((a, b) => work.get(a)! - work.get(b)!);
  const waits = (v: Value): boolean => times.level.get(v)! > 0 || COSTLY.has(v.op);
  const cuts = cutsOf(sums, { given, waits, mayWait });
  return cuts.length === 0 ? times : split(times, sums, cuts);
}

type Test = (v: Value) => boolean;

/** Which values the last program is given. */
function givenTo({ level, computed, count }: Schedule): Test {
  const before = new Set<Value>();
  for (const set of computed.slice(0, count - 1)) for (const v of set) before.add(v);
  return (v) => isCollective(v) || (before.has(v) && (level.get(v)! > 0 || COSTLY.has(v.op)));
}

/** What is computed for sums, besides what is given, and what `seen` has, which takes it. */
function made(sums: readonly Collective[], given: Test, seen = new Set<Value>()): Value[] {
  const found: Value[] = [];
  const stack = sums.map(operand);
  for (let v = stack.pop(); v; v = stack.pop()) {
    if (seen.has(v) || given(v)) continue;
    seen.add(v);
    found.push(v);
    stack.push(...v.inputs);
  }
  return found;
}

const operations = (values: readonly Value[]): number => values.reduce((n, v) => n + flopsOf(v), 0);

interface Rules {
  /** What the last program is given. */
  readonly given: Test;
  /** What a later piece reads of an earlier one, instead of computing it again. */
  readonly waits: Test;
  readonly mayWait: number;
}

/** How many of the sums lie before each cut. */
function cutsOf(sums: readonly Collective[], rules: Rules): number[] {
  const seen = new Set<Value>();
  const upTo: number[] = [0];
  for (const c of sums) upTo.push(upTo.at(-1)! + operations(made([c], rules.given, seen)));
  const all = upTo.at(-1)!;
  const cuts: number[] = [];
  for (let piece = 1; piece < PIECES; piece++) {
    const near = [...sums.keys()].filter(
      (k) => k > (cuts.at(-1) ?? 0) && Math.abs(upTo[k]! / all - piece / PIECES) <= SLACK,
    );
    const widths = near.map((k) => widthOf([sums.slice(0, k), sums.slice(k)], rules));
    const least = Math.min(...widths);
    const at = near[widths.lastIndexOf(least)];
    if (at !== undefined && least <= rules.mayWait * (all - upTo[at]!)) cuts.push(at);
  }
  return cuts;
}

/** Elements that the sums after a cut read of what those before it have computed. */
function widthOf([before, after]: [readonly Collective[], readonly Collective[]], { given, waits }: Rules): number {
  const first = new Set(made(before, given));
  const waiting = new Set<Value>();
  made(after, (v) => {
    const does = first.has(v) && waits(v);
    if (does) waiting.add(v);
    return does || given(v);
  });
  return [...waiting].reduce((n, v) => n + size(v.shape), 0);
}

function split(times: Schedule, sums: readonly Collective[], cuts: readonly number[]): Schedule {
  const last = times.count - 1;
  const piece = new Map(sums.map((c, k) => [c, last + cuts.filter((at) => at <= k).length] as const));
  const computed = [...cuts.keys(), cuts.length].map((i) =>
    behind(sums.filter((c) => piece.get(c) === last + i).map(operand)),
  );
  const resultIn = new Map(times.resultIn);
  for (const [v, i] of times.resultIn) {
    if (i < last) continue;
    const where = Math.max(
      0,
      computed.findIndex((set) => set.has(v)),
    );
    resultIn.set(v, last + where);
    for (const x of behind([v])) (computed[where] as Set<Value>).add(x);
  }
  return {
    ...times,
    count: times.count + cuts.length,
    after: new Map([...times.after].map(([c, i]) => [c, piece.get(c) ?? i] as const)),
    resultIn,
    computed: [...times.computed.slice(0, last), ...computed],
  };
}
