import { describe, expect, it } from "vitest";
import { NonFiniteError } from "../errors.ts";
import { type Loop, train } from "./loop.ts";
import type { Metrics } from "./plan.ts";

interface Story {
  readonly loop: Loop;
  /** What was called, in order. */
  readonly calls: string[];
}

/** A loop that writes down what it is asked for. Step t has loss 1/t. */
function story(changes: Partial<Loop> = {}, at: (call: string) => void = () => undefined): Story {
  const calls: string[] = [];
  const told = (call: string): void => {
    calls.push(call);
    at(call);
  };
  async function* evaluate(step: number, signal?: AbortSignal): AsyncGenerator<[string, number]> {
    told(`evaluate ${step}`);
    yield ["held/first", step];
    signal?.throwIfAborted();
    yield ["held/second", 10 * step];
  }
  const loop: Loop = {
    stage: "joint",
    done: 0,
    steps: 4,
    every: { log: 2, eval: 0, save: 0 },
    async next(step) {
      told(`next ${step}`);
      return { kind: "text", feeds: {}, samples: [`a${step}`, `b${step}`] };
    },
    async update(step, { samples }) {
      told(`update ${step} with ${samples.join(" ")}`);
      return { loss: 1 / step };
    },
    evaluate,
    log: (step, metrics, due) => told(`log ${step} ${Number(metrics.loss)}${due ? " due" : ""}`),
    async evaluated(step, found) {
      told(`evaluated ${step} ${JSON.stringify(found)}`);
      return false;
    },
    save: async (step, isDue) => told(`save ${step}${isDue ? " evaluation due" : ""}`),
    ...changes,
  };
  return { loop, calls };
}

const without = (calls: readonly string[], ...words: readonly string[]): string[] =>
  calls.filter((call) => !words.some((word) => call.startsWith(word)));

describe("train", () => {
  it("asks for the next batch before it updates by this one, and evaluates the last step whatever the intervals", async () => {
    const { loop, calls } = story();
    expect(await train(loop)).toMatchObject({ ending: "done", step: 4 });
    expect(calls).toEqual([
      "next 1",
      "next 2",
      "update 1 with a1 b1",
      "log 1 1",
      "next 3",
      "update 2 with a2 b2",
      "log 2 0.5 due",
      "next 4",
      "update 3 with a3 b3",
      `log 3 ${1 / 3}`,
      "update 4 with a4 b4",
      "log 4 0.25 due",
      "evaluate 4",
      'evaluated 4 {"held/first":4,"held/second":40}',
      "save 4",
    ]);
  });

  it("evaluates and saves at its intervals, and a best step at once", async () => {
    const every = { log: 0, eval: 2, save: 3 };
    const { loop, calls } = story({ steps: 7, every, evaluated: async (step: number) => step === 4 });
    await train(loop);
    expect(without(calls, "next", "update", "log")).toEqual([
      "evaluate 2",
      "save 3",
      "evaluate 4",
      "save 4",
      "evaluate 6",
      "save 6",
      "evaluate 7",
      "save 7",
    ]);
  });

  it("goes on after the step that is done, and does nothing where all are", async () => {
    const { loop, calls } = story({ done: 3 });
    await train(loop);
    expect(calls.slice(0, 2)).toEqual(["next 4", "update 4 with a4 b4"]);
    const ended = story({ done: 4 });
    expect(await train(ended.loop)).toMatchObject({ ending: "done", step: 4 });
    expect(ended.calls).toEqual([]);
  });

  it("adds up where the time went", async () => {
    const { times } = await train(story().loop);
    const { total, ...parts } = times;
    expect(Object.keys(parts).sort()).toEqual(["data", "engine", "evaluation", "saving"]);
    expect(Object.values(parts).every((t) => t >= 0)).toBe(true);
    expect(Object.values(parts).reduce((a, b) => a + b)).toBeLessThanOrEqual(total);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])(
    "ends at a loss of %d, naming step, kind and samples, and saves nothing",
    async (bad) => {
      const samples = Array.from({ length: 9 }, (_, i) => `s${i}`);
      const { loop, calls } = story({
        every: { log: 1, eval: 0, save: 1 },
        next: async () => ({ kind: "pair", feeds: {}, samples }),
        update: async (step): Promise<Metrics> => (step === 2 ? { loss: 1, itm: bad } : { loss: 1 }),
      });
      const failed = train(loop);
      await expect(failed).rejects.toThrow(NonFiniteError);
      await expect(failed).rejects.toThrow(
        `joint: step 2 (pair batch): itm became ${bad}; samples s0, s1, s2, s3, s4, s5, s6, s7, …`,
      );
      expect(without(calls, "next")).toEqual(["log 1 1 due", "save 1"]);
    },
  );

  it("finishes the step at hand and saves it when the signal fires, evaluating nothing", async () => {
    const stop = new AbortController();
    const { loop, calls } = story({ every: { log: 1, eval: 0, save: 0 } }, (call) => {
      if (call.startsWith("update 2")) stop.abort();
    });
    expect(await train(loop, stop.signal)).toMatchObject({ ending: "stopped", step: 2 });
    expect(calls.slice(-2)).toEqual(["log 2 0.5 due", "save 2"]);
    const before = story();
    expect(await train(before.loop, AbortSignal.abort())).toMatchObject({ ending: "stopped", step: 0 });
    expect(without(before.calls, "next")).toEqual([]);
  });

  it("saves a step whose evaluation the signal cut off, says so, and makes up for it first", async () => {
    const stop = new AbortController();
    const { loop, calls } = story({ every: { log: 0, eval: 2, save: 0 } }, (call) => {
      if (call === "evaluate 2") stop.abort();
    });
    await train(loop, stop.signal);
    expect(without(calls, "next", "update", "log")).toEqual(["evaluate 2", "save 2 evaluation due"]);
    const resumed = story({ done: 2, evaluationDue: true });
    await train(resumed.loop);
    expect(without(resumed.calls, "next", "log").slice(0, 4)).toEqual([
      "evaluate 2",
      'evaluated 2 {"held/first":2,"held/second":20}',
      "save 2",
      "update 3 with a3 b3",
    ]);
    const last = story({ done: 4, evaluationDue: true });
    expect((await train(last.loop)).ending).toBe("done");
    expect(last.calls.at(-1)).toBe("save 4");
  });

  it("fails with an evaluation that fails, with a batch that cannot be made, and with a save that fails", async () => {
    // biome-ignore lint/correctness/useYield: it fails before it yields.
    async function* evaluate(): AsyncGenerator<never> {
      throw new Error("no such picture");
    }
    await expect(train(story({ evaluate }).loop)).rejects.toThrow("no such picture");
    const next = async (step: number) => {
      if (step === 3) throw new Error("unreadable");
      return { kind: "text", feeds: {}, samples: [] };
    };
    const { loop, calls } = story({ next });
    await expect(train(loop)).rejects.toThrow("unreadable");
    expect(calls.filter((call) => call.startsWith("log"))).toEqual(["log 1 1", "log 2 0.5 due"]);
    const save = () => Promise.reject(new Error("the disk is full"));
    await expect(train(story({ save }).loop)).rejects.toThrow("the disk is full");
  });
});
