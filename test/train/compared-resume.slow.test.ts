/** The compared systems go on from what their state holds, to the bit: running statistics among it. Slow: every stage is compiled twice. */
import { beforeAll, describe, expect, it } from "vitest";
import type { Stage } from "../../src/pretrain/recipe/index.ts";
import { type Device, openDevice } from "../../src/runtime/index.ts";
import { firstBatches, LAYER_KINDS, stageCase, startStage, withLayers } from "../support/stage-case.ts";

const CASES: readonly (readonly [kind: Stage["kind"], changes: object, others: object])[] = [
  ["clip", {}, {}],
  ["vilt", {}, {}],
  ["albef", { queueSize: 16 }, {}],
  ["vinvl", {}, {}],
  ["volta", {}, {}],
  ...LAYER_KINDS.map((kind) => ["joint", {}, withLayers(kind)] as const),
  ["simvlm", {}, {}],
  ["align", {}, {}],
  ["unit", { tasks: { shapes: {}, matching: { labels: "matching" } } }, {}],
];

describe("a state that is carried over", () => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice("cpu", { threads: 1 });
  });
  it.each(CASES)("of %s continues as if nothing had been", async (kind, changes, others) => {
    const one = await stageCase(kind, { ...changes, ...others });
    const batches = await firstBatches(one, 4);
    using whole = await startStage(one, device);
    const metrics: unknown[] = [];
    let half: Awaited<ReturnType<typeof whole.tensors>> = {};
    for (const [i, batch] of batches.entries()) {
      if (i === 2) half = structuredClone(await whole.tensors());
      metrics.push(await whole.updater.update(i + 1, batch));
    }
    const expected = await whole.tensors();
    using resumed = await startStage(one, device);
    resumed.state.writeAll(half);
    const after = [await resumed.updater.update(3, batches[2]!), await resumed.updater.update(4, batches[3]!)];
    expect(after).toEqual(metrics.slice(2));
    expect(await resumed.tensors()).toEqual(expected);
  });
});
