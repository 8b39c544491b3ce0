/**
 * Sums the JSON profile that ONNX Runtime writes (Chrome trace events; `SessionOptions.profile`, `endProfiling`) into
 * time per operator type and per node.
 */
import { DataError } from "../../errors.ts";

export interface ProfileRow {
  /** Operator type, or node name. */
  readonly name: string;
  /** Operator type of a node. */
  readonly op: string;
  readonly calls: number;
  readonly totalMs: number;
  /** Part of the time of all nodes, 0 to 1. */
  readonly share: number;
}

export interface Profile {
  readonly runs: number;
  /** Time of the runs, with what lies between their nodes. */
  readonly runMs: number;
  /** Time inside nodes. */
  readonly nodeMs: number;
  /** Longest first. */
  readonly byOp: readonly ProfileRow[];
  readonly byNode: readonly ProfileRow[];
  /** How many calls of nodes each execution provider answered. */
  readonly byProvider: Readonly<Record<string, number>>;
}

/** A trace event; times in microseconds. */
interface Event {
  readonly cat: string;
  readonly name: string;
  readonly ts: number;
  readonly dur: number;
  readonly args?: { readonly op_name?: string; readonly provider?: string };
}

const KERNEL = "_kernel_time";

function parseEvents(json: string): Event[] {
  let events: unknown;
  try {
    events = JSON.parse(json);
  } catch (cause) {
    throw new DataError("profile: expected ONNX Runtime's JSON trace", "call endProfiling before reading the file", {
      cause,
    });
  }
  if (!Array.isArray(events)) throw new DataError(`profile: expected a list of events, got ${typeof events}`);
  return events.filter((e) => typeof e?.name === "string" && Number.isFinite(e.ts) && Number.isFinite(e.dur));
}

function sumBy(nodes: readonly Event[], key: (event: Event) => string, nodeMs: number): ProfileRow[] {
  const rows = new Map<string, { op: string; calls: number; micros: number }>();
  for (const event of nodes) {
    const row = rows.get(key(event)) ?? { op: opOf(event), calls: 0, micros: 0 };
    row.calls++;
    row.micros += event.dur;
    rows.set(key(event), row);
  }
  return [...rows]
    .map(([name, { op, calls, micros }]) => {
      const totalMs = micros / 1000;
      return { name, op, calls, totalMs, share: nodeMs > 0 ? totalMs / nodeMs : 0 };
    })
    .sort((a, b) => b.totalMs - a.totalMs || (a.name < b.name ? -1 : 1));
}

function countBy(nodes: readonly Event[], key: (event: Event) => string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const event of nodes) counts[key(event)] = (counts[key(event)] ?? 0) + 1;
  return counts;
}

const opOf = (event: Event): string => event.args?.op_name ?? "?";

/** Reads a profile. `skipRuns` leaves out that many first runs (warm-up). Throws DataError for another kind of file. */
export function summarizeProfile(json: string, options: { skipRuns?: number } = {}): Profile {
  const events = parseEvents(json);
  const allRuns = events.filter((e) => e.cat === "Session" && e.name === "model_run").sort((a, b) => a.ts - b.ts);
  const runs = allRuns.slice(options.skipRuns ?? 0);
  const from = runs[0]?.ts ?? Number.POSITIVE_INFINITY;
  const nodes = events.filter((e) => e.cat === "Node" && e.name.endsWith(KERNEL) && e.ts >= from);
  const milliseconds = (list: readonly Event[]): number => list.reduce((sum, e) => sum + e.dur, 0) / 1000;
  const nodeMs = milliseconds(nodes);
  return {
    runs: runs.length,
    runMs: milliseconds(runs),
    nodeMs,
    byOp: sumBy(nodes, opOf, nodeMs),
    byNode: sumBy(nodes, (e) => e.name.slice(0, -KERNEL.length), nodeMs),
    byProvider: countBy(nodes, ({ args }) => args?.provider ?? "?"),
  };
}

/** A table in plain text: the operator types, then the `top` longest nodes (default 15); times per run. */
export function formatProfile(profile: Profile, top = 15): string {
  const { runs, runMs, nodeMs, byOp, byNode } = profile;
  const perRun = (ms: number): string => (ms / Math.max(runs, 1)).toFixed(3);
  const line = (row: ProfileRow, name: string): string =>
    `${perRun(row.totalMs).padStart(10)} ms ${(100 * row.share).toFixed(1).padStart(5)} % ${String(row.calls).padStart(7)} x  ${name}`;
  return [
    `${runs} runs, ${perRun(runMs)} ms each, of which ${perRun(nodeMs)} ms in nodes`,
    ...byOp.map((row) => line(row, row.name)),
    "",
    ...byNode.slice(0, top).map((row) => line(row, `${row.name} (${row.op})`)),
  ].join("\n");
}
