/** ALBEF's stage: its average and queues from step to step, and in parts. */
import { describe, expect, it } from "vitest";
import { firstBatches, stageCase, startStage, updates } from "../../../test/support/stage-case.ts";
import { graph, input, interpret } from "../../graph/index.ts";
import { albefMomentumName, albefParameters } from "../../models/albef/index.ts";
import { enqueue, hardNegatives } from "../../objectives/index.ts";
import { openDevice } from "../../runtime/index.ts";
import { fromNumbers, type Tensor, toNumbers } from "../../tensor/index.ts";
import { gumbel } from "./gumbel.ts";

const largest = (a: Tensor, b: (i: number) => number): number =>
  Math.max(...toNumbers(a).map((x, i) => Math.abs(x - b(i))));

describe("ALBEF's stage", () => {
  it("refuses a queue that batches do not fill, before any work", async () => {
    await expect(stageCase("albef", { queueSize: 20 })).rejects.toThrow(
      /20 is no multiple of batchSize 8.*take 24\n.*stages\.only\.queueSize/s,
    );
    await expect(stageCase("albef", { ema: 0.99 })).rejects.toThrow(/average of its own/);
    await expect(stageCase("albef", { batchSize: 1, queueSize: 4 })).rejects.toThrow(/expected 2 or more/);
  });

  it("moves its average behind the model, and puts a batch into the queues at a time, the oldest out first", async () => {
    const one = await stageCase("albef", { momentum: 0.9 });
    const batches = await firstBatches(one, 3);
    using started = await startStage(one, await openDevice("cpu", { threads: 1 }));
    const states = [await started.tensors()];
    for (const [i, batch] of batches.entries()) {
      await started.updater.update(i + 1, batch);
      states.push(await started.tensors());
    }
    for (const { name } of albefParameters(one.recipe.model as never)) {
      const average = albefMomentumName(name);
      if (average === undefined) continue;
      const [before, after, next] = [states[0]![average]!, states[1]![average]!, states[1]![name]!];
      expect(toNumbers(before), name).toEqual(toNumbers(states[0]![name]!));
      const expected = (i: number): number => 0.9 * Number(before.data[i]) + 0.1 * Number(next.data[i]);
      expect(largest(after, expected), name).toBeLessThan(1e-6);
    }
    const [queues, Q] = [states.map((state) => toNumbers(state.image_queue!)), 16];
    const changed = (step: number): number[] =>
      Array.from({ length: Q }, (_, c) => c).filter((c) =>
        queues[step]!.some((x, i) => i % Q === c && x !== queues[step - 1]![i]),
      );
    const [first, second] = [Array.from({ length: 8 }, (_, i) => i), Array.from({ length: 8 }, (_, i) => i + 8)];
    expect([changed(1), changed(2), changed(3)]).toEqual([first, second, first]);
    for (let c = 0; c < Q; c++) {
      const column = queues[3]!.filter((_, i) => i % Q === c);
      expect(Math.hypot(...column)).toBeCloseTo(1, 5);
    }
  });

  it("puts the whole batch into the queues where it is trained in parts", async () => {
    const device = await openDevice("cpu", { threads: 1 });
    const batches = await firstBatches(await stageCase("albef"), 1);
    const [whole, halves] = [
      await updates(await stageCase("albef"), device, batches),
      await updates(await stageCase("albef", { gradientAccumulationSteps: 2 }), device, batches),
    ];
    for (const name of ["image_queue", "text_queue"])
      expect(
        largest(halves.tensors[name]!, (i) => Number(whole.tensors[name]!.data[i])),
        name,
      ).toBeLessThan(1e-5);
    expect(halves.metrics[0]!.mlm).toBeCloseTo(whole.metrics[0]!.mlm!, 4);
    expect(halves.metrics[0]!.loss).toBeGreaterThan(0);
  });
});

describe("a queue", () => {
  it("goes on at its beginning where a batch passes its end", () => {
    const queue = enqueue(input("queue", [1, 5]), input("rows", [2, 1]), input("start", [], "int32"));
    const at = (start: number): number[] =>
      toNumbers(
        interpret(graph("queue", { queue }), {
          queue: fromNumbers([1, 2, 3, 4, 5], [1, 5]),
          rows: fromNumbers([8, 9], [2, 1]),
          start: fromNumbers([start], [], "int32"),
        }).queue!,
      );
    expect([at(0), at(2), at(4)]).toEqual([
      [8, 9, 3, 4, 5],
      [1, 2, 8, 9, 5],
      [9, 2, 3, 4, 8],
    ]);
  });
});

describe("hard negatives", () => {
  it("are drawn by the softmax of the scores, never among samples of the same words", () => {
    const B = 3;
    const scores = fromNumbers([9, 1, 0, 2, 9, 1, 5, 5, 9], [B, B]);
    const same = fromNumbers([1, 0, 0, 0, 1, 0, 1, 1, 1], [B, B], "int32");
    const found = hardNegatives(input("scores", [B, B]), input("same", [B, B], "int32"), input("noise", [B, B]));
    const { chosen, weights } = found;
    const run = (noise: Tensor) => interpret(graph("negatives", { chosen, weights }), { scores, same, noise });
    const rows = run(fromNumbers(new Array(9).fill(0), [B, B]));
    expect(toNumbers(rows.chosen!).slice(0, 2)).toEqual([1, 0]);
    expect(toNumbers(rows.weights!)).toEqual([1, 1, 0]); // the third has nobody else
    let second = 0;
    for (let i = 0; i < 2000; i++) {
      if (toNumbers(run(gumbel(5, i, [B, B])).chosen!)[0] === 2) second++;
    }
    expect(second / 2000).toBeCloseTo(1 / (1 + Math.E), 1);
  });
});
