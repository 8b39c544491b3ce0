/** A model and a kind of stage that nobody has heard of, defined here: they train, and are evaluated, as the package's own are. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { batches, createRunner } from "../../src/api/index.ts";
import { createKnn, type EvaluationContext, type Evaluator, type PairSet } from "../../src/evaluators/index.ts";
import { input, mean, mul, reshape, sub, type Value } from "../../src/graph/index.ts";
import { ownNames } from "../../src/models/layout.ts";
import { type Model, type ModelFamily, modelGraph } from "../../src/models/model.ts";
import { l2Normalize, linear, Params } from "../../src/nn/index.ts";
import { describePlan, formatPlan, parseRecipe, type Recipe } from "../../src/pretrain/recipe/index.ts";
import { adamW, common, initFrom, schedule } from "../../src/pretrain/recipe/parts-schema.ts";
import { measureStage } from "../../src/pretrain/run/measure.ts";
import { pretrain } from "../../src/pretrain/run/run.ts";
import type { StageBase, StageKind } from "../../src/pretrain/stages/stage.ts";
import { tables as own, type Tables } from "../../src/pretrain/tables.ts";
import { toNumbers } from "../../src/tensor/index.ts";
import { imageFeeds } from "../support/feeds.ts";

// A model: the mean of every cell of a grid over the picture, through one linear map and back.

interface CellConfig {
  readonly side: number;
  readonly cells: number;
  readonly width: number;
}

const SIZE = { side: 8, cells: 2, width: 2 };

const cellFamily: ModelFamily<CellConfig> = {
  schema: z.strictObject({ side: z.int(), cells: z.int(), width: z.int() }),
  variants: { nano: SIZE },
  parts: { cells: { needed: "cells.encoder.", also: ["cells.decoder."] } },
  layouts: { own: ownNames },
  hasWordRows: () => false,
  mayLack: () => false,
  of: cellModel,
  withVocabulary: (config) => config,
  tiny: (config) => ({ ...config, ...SIZE }),
  describe: ({ side, cells, width }) => [["cells", `${cells} × ${cells} of ${side} px in ${width} numbers`]],
  configFile: (config) => JSON.stringify({ model_type: "cells", ...config }),
};

/** (B, 3, S, S) → (B, 3·cells²): the mean of each cell. */
const cellsOf = (pixels: Value, { side, cells }: CellConfig): Value => {
  const [B, edge] = [pixels.shape[0]!, side / cells];
  const cut = reshape(pixels, [B, 3, cells, edge, cells, edge]);
  return reshape(mean(cut, [3, 5]), [B, 3 * cells * cells]);
};

function autoencode(p: Params, config: CellConfig, pixels: Value) {
  const seen = cellsOf(pixels, config);
  const code = linear(p.at("cells.encoder"), seen, config.width);
  return { seen, code, said: linear(p.at("cells.decoder"), code, seen.shape[1]!) };
}

function cellModel(config: CellConfig): Model {
  const traced = (batch: number, scope = "") => {
    const p = new Params();
    return {
      p,
      ...autoencode(scope ? p.at(scope) : p, config, input("pixel_values", [batch, 3, config.side, config.side])),
    };
  };
  return {
    family: "cells",
    parameters: () => traced(1).p.specs(),
    pictures: {
      channels: 3,
      size: config.side,
      codebookSize: config.side,
      grid: config.cells,
      patchSize: config.side / config.cells,
      words: 1,
    },
    image: ({ batch }) => {
      const { p, seen, said } = traced(batch);
      return modelGraph("cells.image", p, { seen, said });
    },
    features: (batch, scope) => {
      const { p, code } = traced(batch, scope);
      return modelGraph("cells.features", p, { features: l2Normalize(code) });
    },
  };
}

// A kind of stage: the cells said again, by least squares, and how far off that is on held-out pictures.

interface CellStage extends StageBase {
  readonly kind: "cells";
}

const cellKind: StageKind<CellStage> = {
  schema: z.strictObject({
    kind: z.literal("cells"),
    ...common({ steps: 60, batchSize: 8 }),
    optimizer: adamW({ lr: 0.05, betas: [0.9, 0.99], eps: 1e-8, weightDecay: 0 }),
    schedule: schedule({ kind: "constant", warmupSteps: 0 }),
    init: z.strictObject({ cells: initFrom("random") }).prefault({}),
  }) as unknown as z.ZodType<CellStage>,
  gives: ["cells"],
  reads: ({ steps, batchSize }) => ({ images: steps * batchSize }),
  check({ data }, _stage, report) {
    if (data.images.length === 0) report([], "cells are those of data.images, which is empty");
  },
  plan({ model }, { batchSize }) {
    const config = model as unknown as CellConfig;
    const { side } = config;
    return {
      objectives: {
        image: {
          batchSize,
          losses(p, batch) {
            const { seen, said } = autoencode(p, config, input("pixel_values", [batch, 3, side, side]));
            const off = sub(said, seen);
            return { losses: { cells: mean(mul(off, off)) }, metrics: {}, chance: { cells: 1 } };
          },
        },
      },
      datasets: [
        {
          kind: "image",
          data: "images",
          build: { kind: "image", image: { size: side, codebookSize: side, augment: null, mask: null } },
        },
      ],
    };
  },
  measures: { cells: "validation", knn: "labelled" },
  evaluators: (context, { validation, labelled }) => [
    createOffBy(context, Object.values(validation)[0]!),
    labelled && createKnn(context, labelled),
  ],
};

function createOffBy(context: EvaluationContext, pairs: PairSet): Evaluator {
  const { batchSize, device, state, model } = context;
  const runner = createRunner(device, model.image!({ batch: batchSize }), batchSize, { state });
  return {
    name: "cells",
    async *run(_step, signal) {
      let [sum, count] = [0, 0];
      for (const [, part] of batches(await pairs(), batchSize)) {
        const { seen, said } = await runner.run(await imageFeeds(context, part), signal);
        const expected = toNumbers(seen!);
        for (const [i, x] of toNumbers(said!).entries()) sum += Math.abs(x - expected[i]!);
        count += expected.length;
      }
      yield ["off_by", sum / count];
    },
    dispose: () => runner.dispose(),
  };
}

const tables: Tables = {
  families: { ...own.families, cells: cellFamily as ModelFamily<unknown> },
  kinds: { ...own.kinds, cells: cellKind as StageKind<StageBase> },
};

const SOURCE = { type: "synthetic", count: 24, size: 8 } as const;

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "flava-toy-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const recipe = (changes: object = {}): Recipe =>
  parseRecipe(
    {
      name: "toy",
      runDir: join(folder, "run"),
      threads: 1,
      family: "cells",
      variant: "nano",
      vocabulary: { kind: "reduced" },
      data: { images: [{ source: SOURCE }], texts: [{ source: SOURCE }], workers: 0 },
      evaluation: { validation: { held: { ...SOURCE, seed: 5 } } },
      stages: {
        first: {
          kind: "cells",
          every: { eval: 30, log: 10, save: 30 },
          best: { metric: "eval/cells/off_by", mode: "min" },
        },
        second: { kind: "cells", steps: 20, init: { cells: "first" } },
      },
      ...changes,
    },
    "toy",
    tables,
  );

describe("a model and a kind of stage defined outside of src", () => {
  it("are planned: checked, described and measured", async () => {
    expect(() => recipe({ data: { texts: "synthetic:4" } })).toThrow(/cells are those of data\.images, which is empty/);
    expect(() => recipe({ stages: { first: { kind: "cells", init: { cells: "nowhere" } } } })).toThrow(/got "nowhere"/);
    const plan = await describePlan(recipe(), {
      measure: (given, stage) => measureStage(given, stage, tables),
      tables,
    });
    expect(formatPlan(plan)).toMatch(
      /cells +2 × 2 of 8 px in 2 numbers\n(.*\n)*stage first +cells: 60 steps of 8; in all 480 images\n/,
    );
    expect(plan.stages[0]!.parameters).toEqual({ cells: 62 });
  });

  it("train and are evaluated, and leave the files of any run", async () => {
    const info = await pretrain({ recipe: recipe(), command: "a test" }, { tables });
    expect(info.status).toBe("done");
    const lines = (await readFile(join(folder, "run", "metrics.jsonl"), "utf8"))
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    const of = (stage: string, metric: string): number[] =>
      lines.flatMap((line) => (line.stage === stage && metric in line ? [line[metric]] : []));
    const [early, late] = of("first", "eval/cells/off_by");
    expect(late).toBeLessThan(early!);
    const losses = of("first", "cells");
    expect(losses.at(-1)).toBeLessThan(losses[0]! / 2);
    expect(of("second", "cells")[0]).toBeLessThan(losses[0]! / 2); // it began where the first ended
    expect(JSON.parse(await readFile(join(folder, "run", "config.json"), "utf8"))).toEqual({
      model_type: "cells",
      ...SIZE,
    });
    expect(await readFile(join(folder, "run", "report.html"), "utf8")).toContain("eval/cells/off_by");
  });
});
