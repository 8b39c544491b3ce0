import { describe, expect, it } from "vitest";
import "../../../test/support/matchers.ts";
import { firstBatches, MAY_WAIT, SHARE_FROM, stageCase, startStage } from "../../../test/support/stage-case.ts";
import { type Cluster, type Memory, workersInProcess } from "../../cluster/index.ts";
import { openDevice } from "../../runtime/index.ts";
import { traceSteps } from "../../train/index.ts";
import { cutBatch } from "../../train/parts.ts";
import { bytesSent, messagesSent } from "../run/measure.ts";
import { calibrate, predict, shareOf, timeSteps, type Work } from "./index.ts";

/** A worker that notes how many bytes it has to send in each collective, as the best algorithms do. */
function counted(cluster: Cluster): { readonly cluster: Cluster; readonly sent: number[] } {
  const sent: number[] = [];
  const noting =
    <T extends readonly [Memory, ...unknown[]], R>(times: number, call: (...args: T) => R) =>
    (...args: T): R => {
      sent.push((times * args[0].length * bytesOf(args[0]) * (cluster.size - 1)) / cluster.size);
      return call(...args);
    };
  const { allGather, allReduce, reduceScatter, beginAllReduce, beginReduceScatter } = cluster;
  return {
    sent,
    cluster: {
      ...cluster,
      allGather: noting(1, allGather),
      allReduce: noting(2, allReduce),
      reduceScatter: noting(1, reduceScatter),
      beginAllReduce: noting(2, beginAllReduce),
      beginReduceScatter: noting(1, beginReduceScatter),
    },
  };
}

const bytesOf = (memory: Memory): number => (ArrayBuffer.isView(memory) ? memory.BYTES_PER_ELEMENT : 4);

const CONTRAST = { sampling: { pairs: 0, contrast: 1, images: 0, texts: 0 } };

describe("shareOf", () => {
  it.each([
    ["joint", CONTRAST, 2, 2, undefined],
    ["dvae", { evenness: 0.3 }, 4, 1, SHARE_FROM],
  ] as const)(
    "counts what workers send: %s %j, %i workers × %i micro-batches",
    async (kind, changes, size, k, from) => {
      const one = await stageCase(kind, { ...changes, gradientAccumulationSteps: k });
      const device = await openDevice("cpu", { threads: 1 });
      const batch = (await firstBatches(one, 1))[0]!;
      const rows = cutBatch(batch.feeds, size, one.plan.objectives[batch.kind]!.sampleAxis ?? 0);
      const workers = workersInProcess(size).map(counted);
      await Promise.all(
        workers.map(async ({ cluster }, rank) => {
          using started = await startStage(one, device, cluster, from ?? Number.POSITIVE_INFINITY);
          await started.updater.update(1, { ...batch, feeds: rows[rank]! });
        }),
      );
      const traced = await traceSteps("only", one.stage, one.plan, {
        workers: size,
        shareFrom: from,
        mayWait: MAY_WAIT,
      });
      const graphs = traced[batch.kind]!;
      const expected = { sent: bytesSent(graphs, size), messages: messagesSent(graphs) };
      if (from === undefined) expect(await shareOf(one.recipe, "only", size)).toMatchObject(expected);
      for (const { sent } of workers) {
        expect(sent).toHaveLength(expected.messages);
        const logged = sent.pop()!;
        expect(logged).toBeLessThan(800);
        expect(sent.reduce((a, b) => a + b, 0)).toBeCloseTo(expected.sent, 6);
      }
    },
  );

  it("refuses a batch that does not divide", async () => {
    const { recipe } = await stageCase("joint", CONTRAST);
    await expect(shareOf(recipe, "only", 3)).rejects.toThrow(/a batch of 8 does not divide among 3 workers/);
  });
});

describe("predict", () => {
  const work = (workers: number, flops: number, sent = 0, messages = 0, updated = 1): Work => ({
    ...{ workers, flops, sent, messages, updated },
  });
  const network = { bandwidth: 1e9, latency: 1e-5, perMachine: 1 };

  it("adds arithmetic, bytes and latency, and names what costs most", () => {
    const alone = work(1, 8e9);
    const works = [alone, work(4, 2.2e9, 5e8, 10), work(8, 1e9, 0, 1000)];
    const [one, four, eight] = predict(alone, works, { machine: { fixed: 0, speed: 1e9 }, network });
    expect(one).toMatchObject({ step: 8, efficiency: 1, bottleneck: "nothing" });
    expect([four!.shared, four!.repeated, four!.transfer, four!.waiting]).toBeAllclose([2, 0.2, 0.5, 4e-4], {
      rtol: 1e-9,
    });
    expect([four!.step, four!.efficiency]).toBeAllclose([2.7004, 8 / (4 * 2.7004)], { rtol: 1e-9 });
    expect([four!.bottleneck, eight!.bottleneck]).toEqual(["transfer", "waiting"]);
  });

  it("repeats on every worker what does not depend on the batch, but for the update that they share", () => {
    const [four] = predict(work(1, 8e9), [work(4, 2e9)], { machine: { fixed: 1, speed: 1e9 }, network });
    expect([four!.shared, four!.repeated, four!.step]).toBeAllclose([9 / 4, 0.75, 3], { rtol: 1e-9 });
    expect(four!.bottleneck).toBe("repeated");
    const [sharing] = predict(work(1, 8e9), [work(4, 2e9, 0, 0, 0.4)], { machine: { fixed: 1, speed: 1e9 }, network });
    expect([sharing!.repeated, sharing!.step]).toBeAllclose([0.15, 2.4], { rtol: 1e-9 });
  });

  it("compares with one worker that has its machine alone", () => {
    const [alone, two] = predict(work(1, 8e9), [work(1, 8e9), work(2, 4e9)], {
      machine: { fixed: 0, speed: 8e8 },
      lone: { fixed: 0, speed: 1e9 },
      network,
    });
    expect([alone!.step, alone!.efficiency, two!.step, two!.efficiency]).toBeAllclose([8, 1, 5, 0.8], { rtol: 1e-9 });
  });

  it("lets the workers of a machine share its connection", () => {
    const alone = work(1, 8e9);
    const at = (perMachine: number) =>
      predict(alone, [work(4, 2e9, 5e8, 1)], {
        machine: { fixed: 0, speed: 1e9 },
        network: { ...network, perMachine },
      })[0]!.transfer;
    expect([at(1), at(2), at(8)]).toEqual([0.5, 1, 2]);
  });
});

describe("timeSteps", () => {
  it("times steps on made-up values, alone and on workers, of the kinds of batches that are asked for", async () => {
    const { recipe } = await stageCase("joint", { sampling: { pairs: 1, contrast: 1, images: 1, texts: 1 } });
    const alone = await timeSteps({ recipe, stage: "only", kinds: ["image", "text"], rounds: 1 });
    expect(Object.keys(alone).sort()).toEqual(["image", "text"]);
    const both = await Promise.all(
      workersInProcess(2).map((cluster) => timeSteps({ recipe, stage: "only", kinds: ["text"], rounds: 2, cluster })),
    );
    expect(both.map(({ text }) => text!.length)).toEqual([2, 2]);
  });

  it.each(["joint", "image-dino", "clip"] as const)("knows the feeds of %s", async (kind) => {
    const { recipe } = await stageCase(kind);
    const { fixed, speed, timed } = await calibrate(recipe, "only", { samples: 4, rounds: 1 });
    expect(speed).toBeGreaterThan(0);
    expect(fixed).toBeGreaterThanOrEqual(0);
    expect(timed.map(({ samples }) => samples)).toEqual([1, 4]);
  });
});
