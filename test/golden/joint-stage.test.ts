/** The loss that is tested is the loss that trains: the joint stage's losses and gradients on the golden batch are the reference's. */
import { describe, expect, it } from "vitest";
import { parseRecipe, type Stage } from "../../src/pretrain/recipe/index.ts";
import type { JointStage } from "../../src/pretrain/stages/joint.ts";
import { planOf, tables } from "../../src/pretrain/tables.ts";
import { fromNumbers, toNumbers, type Tensor } from "../../src/tensor/index.ts";
import { traceObjective } from "../../src/train/step.ts";
import "../support/matchers.ts";
import { evaluate, norm } from "./run.ts";
import { type PairExpectation, pairCase, pairExpectations, sizesOf, tinyBatch, tinyConfig, tinyParameters, tinySizes } from "./tiny-case.ts";
import { gradientExpectations } from "./tiny-tensors.ts";

/** What ten printed decimals allow. */
const PRINTED = { rtol: 1e-9, atol: 1e-10 };

const [A, B] = pairExpectations as [PairExpectation, PairExpectation];

/** Rows of a batch's masked tokens that the stage's own maximum asks for: more of them are padding. */
function widened(field: Tensor, width: number, filler: number): Tensor {
  const [rows, had] = field.shape as [number, number];
  const values = toNumbers(field);
  const row = (i: number): number[] => [...values.slice(i * had, (i + 1) * had), ...Array(width - had).fill(filler)];
  return fromNumbers(Array.from({ length: rows }, (_, i) => row(i)).flat(), [rows, width], "int32");
}

function jointStage(changes: object = {}) {
  const recipe = parseRecipe({
    name: "golden",
    variant: "tiny",
    model: tinyConfig,
    data: { pairs: "synthetic:8" },
    stages: {
      joint: {
        kind: "joint",
        batchSize: tinySizes.batch,
        sampling: { pairs: 1, images: 0, texts: 0 },
        textLength: { pairs: tinySizes.textLength, texts: tinySizes.textLength },
        imageMasking: { patches: tinySizes.maskedPatches, minBlock: 2 },
        ...changes,
      },
    },
  });
  const stage: Stage = recipe.stages.joint!;
  return { stage: stage as JointStage, pairs: planOf(tables, recipe, stage).objectives.pair! };
}

const SLOTS = 4; // of whole words in six tokens

const feedsOf = (e: PairExpectation, specs: Parameters<typeof tinyParameters>[0]) => {
  const batch = tinyBatch(e.itmLabels);
  const mlm_positions = widened(batch.mlm_positions!, SLOTS, 0);
  const mlm_targets = widened(batch.mlm_targets!, SLOTS, -100);
  return { ...batch, mlm_positions, mlm_targets, ...tinyParameters(specs) };
};

describe("a step of the joint stage", () => {
  for (const [e, column] of [
    [A, 1],
    [B, 2],
  ] as const)
    it(`has the reference's losses and gradients with ${e.name}`, () => {
      const { p, found, loss, gradients } = traceObjective(jointStage().pairs, false);
      const feeds = feedsOf(e, p.specs());
      const values = evaluate({ loss, ...found.losses }, feeds);
      expect(Object.keys(found.losses).sort()).toEqual(Object.keys(e.losses).sort());
      for (const [name, value] of Object.entries({ loss: e.total, ...e.losses }))
        expect(values[name]!.data, name).toBeAllclose([value], PRINTED);
      const by = evaluate(gradients, feeds);
      for (const expectation of gradientExpectations)
        expect([norm(by[expectation[0]]!)], expectation[0]).toBeAllclose([expectation[column]], PRINTED);
    });

  it("weighs its losses as pairObjective does, each once", () => {
    const lossWeights = { globalContrastive: 0.25, mmmImage: 2, mmmText: 0, itm: 0.5 };
    const { p, loss } = traceObjective(jointStage({ lossWeights }).pairs, false);
    const c = pairCase(tinyConfig, sizesOf(A), lossWeights);
    const expected = evaluate({ loss: c.objective.loss }, { ...tinyBatch(A.itmLabels), ...tinyParameters(c.params.specs()) });
    expect(evaluate({ loss }, feedsOf(A, p.specs())).loss!.data).toBeAllclose(expected.loss!.data, PRINTED);
  });
});
