import { describe, expect, test } from "vitest";
import { DataError } from "../../errors.ts";
import { formatProfile, summarizeProfile } from "./profile.ts";

const run = (ts: number, dur: number) => ({ cat: "Session", name: "model_run", ts, dur, args: {} });
const node = (name: string, op: string, ts: number, dur: number) => ({
  cat: "Node",
  name: `${name}_kernel_time`,
  ts,
  dur,
  args: { op_name: op },
});

// Two runs as ONNX Runtime writes them: a run's event follows those of its nodes.
const trace = JSON.stringify([
  { cat: "Session", name: "session_initialization", ts: 0, dur: 9000, args: {} },
  node("a", "MatMul", 1010, 500),
  node("b", "Add", 1600, 100),
  run(1000, 1000),
  node("a", "MatMul", 3010, 300),
  node("c", "MatMul", 3400, 50),
  node("b", "Add", 3500, 50),
  run(3000, 500),
]);

describe("summarizeProfile", () => {
  test("sums time per operator type and per node, longest first", () => {
    const profile = summarizeProfile(trace);
    expect(profile).toMatchObject({ runs: 2, runMs: 1.5, nodeMs: 1 });
    expect(profile.byOp.map((r) => [r.name, r.calls, r.totalMs, r.share])).toEqual([
      ["MatMul", 3, 0.85, 0.85],
      ["Add", 2, 0.15, 0.15],
    ]);
    expect(profile.byNode.map((r) => [r.name, r.op, r.calls])).toEqual([
      ["a", "MatMul", 2],
      ["b", "Add", 2],
      ["c", "MatMul", 1],
    ]);
  });

  test("leaves out the first runs", () => {
    const profile = summarizeProfile(trace, { skipRuns: 1 });
    expect(profile).toMatchObject({ runs: 1, runMs: 0.5, nodeMs: 0.4 });
    expect(profile.byNode.find((r) => r.name === "a")?.totalMs).toBe(0.3);
    expect(summarizeProfile(trace, { skipRuns: 9 })).toMatchObject({ runs: 0, runMs: 0, nodeMs: 0, byOp: [] });
  });

  test("refuses what is no profile", () => {
    expect(() => summarizeProfile("[{")).toThrow(DataError);
    expect(() => summarizeProfile('{"a": 1}')).toThrow(DataError);
  });
});

describe("formatProfile", () => {
  test("gives time per run, types first, then the longest nodes", () => {
    const lines = formatProfile(summarizeProfile(trace), 1).split("\n");
    expect(lines[0]).toBe("2 runs, 0.750 ms each, of which 0.500 ms in nodes");
    expect(lines[1]?.trim()).toBe("0.425 ms  85.0 %       3 x  MatMul");
    expect(lines.at(-1)?.trim()).toBe("0.400 ms  80.0 %       2 x  a (MatMul)");
    expect(lines).toHaveLength(5);
  });
});
