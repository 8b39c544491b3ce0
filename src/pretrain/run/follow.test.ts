import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import "../../../test/support/matchers.ts";
import { metricsOf, TINY_RUN, tinyRun } from "../../../test/support/tiny-run.ts";
import { workersInProcess } from "../../cluster/index.ts";
import type { Recipe } from "../recipe/index.ts";
import { followRun } from "./follow.ts";
import { silentReporter } from "./reporter.ts";
import { pretrain } from "./run.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "flava-workers-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const STEPS = 4;
const stages = {
  text: { ...TINY_RUN.stages.text, steps: STEPS, batchSize: 6, best: null, every: { log: 1, eval: 0, save: 0 } },
};
const recipeIn = (name: string, changes: object = {}): Recipe =>
  tinyRun(join(folder, name), { stages, evaluation: {}, ...changes });

/** Runs the recipe on so many workers; each may stop it after a step. */
async function onWorkers(
  recipes: readonly Recipe[],
  { resume, stopAt }: { readonly resume?: string; readonly stopAt?: readonly [rank: number, step: number] } = {},
) {
  return Promise.all(
    workersInProcess(recipes.length).map(async (cluster) => {
      const recipe = recipes[cluster.rank]!;
      const request = { recipe, resume, stage: undefined, command: "a test" };
      const stop = new AbortController();
      const meet = cluster.allReduce;
      let met = 0;
      const watched = {
        ...cluster,
        allReduce: (all: Parameters<typeof meet>[0]) => {
          if (all instanceof Int32Array && stopAt?.[0] === cluster.rank && ++met === stopAt[1]) stop.abort();
          if (stop.signal.aborted && all instanceof Int32Array) all[0] = 1;
          return meet(all);
        },
      };
      const options = { cluster: watched, signal: stop.signal, reporter: silentReporter };
      try {
        return cluster.rank === 0 ? (await pretrain(request, options)).status : await followRun(request, options);
      } catch (error) {
        cluster.abort();
        throw error;
      }
    }),
  );
}

const stateOf = async (runDir: string) =>
  JSON.parse(await readFile(join(runDir, "text", `checkpoint-${STEPS}`, "state.json"), "utf8"));

describe("a run on several workers", () => {
  it("is that of one, also when it stops on one worker's signal and goes on with another number of them", async () => {
    const [alone] = await onWorkers([recipeIn("alone")]);
    const shared = recipeIn("shared");
    const elsewhere = (name: string) => ({ ...shared, runDir: join(folder, name) });
    const stopped = await onWorkers([shared, elsewhere("nothing-1")], { stopAt: [1, 2] });
    const resumed = await onWorkers([shared, elsewhere("nothing-1"), elsewhere("nothing-2")], { resume: "latest" });
    expect([alone, ...stopped, ...resumed].filter(Boolean)).toEqual(["done", "stopped", "done"]);

    const [one, several] = [await metricsOf(join(folder, "alone")), await metricsOf(shared.runDir)];
    const training = (lines: typeof one) => lines.filter(({ mlm }) => mlm !== undefined);
    expect(training(several).map(({ step, samples }) => [step, samples])).toEqual(
      training(one).map(({ step, samples }) => [step, samples]),
    );
    for (const [i, line] of training(one).entries())
      for (const name of ["loss", "mlm/count", "grad_norm"])
        expect([Number(training(several)[i]![name])], `line ${i}: ${name}`).toBeAllclose([Number(line[name])], {
          rtol: 1e-4,
        });
    const [a, b] = [await stateOf(join(folder, "alone")), await stateOf(shared.runDir)];
    expect(b.cursors.loader, "what has been read").toEqual(a.cursors.loader);
    expect(b.counters).toEqual(a.counters);
    expect(b.recipeHash).toBe(a.recipeHash);
  });

  it("shares out what is measured, while it trains and at the end, and finds what one worker finds", async () => {
    const { validation, test, ...evaluation } = TINY_RUN.evaluation;
    const text = { ...stages.text, every: { log: 4, eval: 2, save: 0 }, best: TINY_RUN.stages.text.best };
    const joint = {
      ...TINY_RUN.stages.joint,
      ...{ steps: 2, gradientAccumulationSteps: 1, init: {}, every: { log: 2, eval: 2, save: 0 } },
      sampling: { pairs: 1, images: 0, texts: 0 },
      lossWeights: { mmmImage: 0 },
    };
    const changes = { stages: { text, joint }, evaluation: { ...evaluation, validation, test } };
    const [one, two] = [recipeIn("measured-alone", changes), recipeIn("measured-shared", changes)];
    await onWorkers([one]);
    expect(await onWorkers([two, { ...two, runDir: join(folder, "nothing") }])).toEqual(["done", undefined]);

    const measured = async ({ runDir }: Recipe) =>
      (await metricsOf(runDir)).map((line) =>
        Object.fromEntries(Object.entries(line).filter(([name]) => name === "step" || name.startsWith("eval/"))),
      );
    const [a, b] = [await measured(one), await measured(two)];
    expect(b.map((line) => Object.keys(line))).toEqual(a.map((line) => Object.keys(line)));
    for (const [i, line] of a.entries())
      for (const [name, value] of Object.entries(line))
        expect([Number(b[i]![name])], `line ${i}: ${name}`).toBeAllclose([Number(value)], { rtol: 1e-3, atol: 1e-3 });
    const infoOf = async ({ runDir }: Recipe) => JSON.parse(await readFile(join(runDir, "run.json"), "utf8"));
    const [alone, shared] = [await infoOf(one), await infoOf(two)];
    expect(Object.keys(shared.results)).toEqual(Object.keys(alone.results));
    expect(Object.keys(shared.results).length).toBeGreaterThan(4);
    expect([shared.chance, shared.stages.text.chance]).toEqual([alone.chance, alone.stages.text.chance]);
  });

  it("refuses workers with different recipes, and says what differs and where", async () => {
    const runs = onWorkers([recipeIn("first"), recipeIn("second", { seed: 7 })]);
    await expect(runs).rejects.toThrow(
      /2 workers: expected the same on all, got\n {2}hash of the recipe: worker 0 has \w+, worker 1 has \w+\n.*start all/,
    );
  });

  it("refuses a batch that does not divide among them", async () => {
    const recipe = recipeIn("four");
    await expect(onWorkers([recipe, recipe, recipe, recipe])).rejects.toThrow(
      /text\.text: a batch of 6 does not divide among 4 workers.*\n.*take a batch of 8/,
    );
  });
});
