import { describe, expect, it } from "vitest";
import "../../test/support/matchers.ts";
import { firstBatches, stageCase, updates } from "../../test/support/stage-case.ts";
import { grad, graph, interpret } from "../graph/index.ts";
import { pretrainTexts, textBatch } from "../models/flava/index.ts";
import { initialTensor, Params } from "../nn/index.ts";
import { textObjective } from "../objectives/index.ts";
import { openDevice } from "../runtime/index.ts";
import { type Feeds, type Tensor, toNumbers } from "../tensor/index.ts";

const STEPS = 3;
const LR = [0.005, 0.01, 0.01 * 0.5 * (1 + Math.cos(Math.PI / 8))]; // warm-up to step 2 of 10, then a cosine
const [BETA1, BETA2, EPS, DECAY, CLIP] = [0.8, 0.97, 1e-6, 0.1, 0.5];

describe("a step", () => {
  it("is forward, backward, clipping and AdamW in turn, in plain numbers", async () => {
    const one = await stageCase("text-mlm", {
      steps: 10,
      optimizer: { lr: 0.01, betas: [BETA1, BETA2], eps: EPS, weightDecay: DECAY, noDecay: ["\\.bias$"] },
      schedule: { kind: "cosine", warmupSteps: 2 },
      clipNorm: CLIP,
    });
    const { model } = one.recipe;
    const batches = await firstBatches(one, STEPS);
    const found = await updates(one, await openDevice("interpret"), batches);

    const Kt = batches[0]!.feeds.mlm_targets!.shape[1]!;
    const p = new Params();
    const values = pretrainTexts(p, model, textBatch({ batch: 8, textLength: 12, maskedTokens: Kt, maskedPatches: 0 }));
    const { loss } = textObjective(values);
    const names = Object.keys(p.values()).filter((name) => `optimizer.exp_avg.${name}` in found.tensors);
    const gradients = grad(
      loss,
      names.map((name) => p.values()[name]!),
    );
    const traced = graph("naive", {
      loss,
      ...Object.fromEntries(names.map((name, i) => [`g:${name}`, gradients[i]!])),
    });
    const weights: Record<string, Tensor> = Object.fromEntries(
      p.specs().map((spec) => [spec.name, initialTensor(spec, one.recipe.seed)]),
    );
    const state = plainAdamW(names);
    for (const [i, { feeds }] of batches.entries()) {
      const results = interpret(traced, only({ ...feeds, ...weights }, Object.keys(traced.inputs)));
      expect([found.metrics[i]!.loss!]).toBeAllclose(toNumbers(results.loss!), { rtol: 1e-7 });
      const norm = state.update(weights, results, LR[i]!);
      expect([found.metrics[i]!.grad_norm!]).toBeAllclose([norm], { rtol: 1e-7 });
      expect(norm, "clipping is seen at work").toBeGreaterThan(CLIP);
      expect([found.metrics[i]!.lr!]).toBeAllclose([LR[i]!], { rtol: 1e-12 });
    }
    // Rates and thresholds are fed as float32: 6e-8 of each step of at most 0.01.
    for (const name of names) expect(found.tensors[name]!, name).toBeAllclose(weights[name]!, { atol: 3e-8 });
    const unread = p.specs().filter(({ name }) => !names.includes(name));
    expect(unread.map(({ name }) => name).join(" ")).toMatch(
      /^(flava\.text_(model\.pooler|to_mm_projection)\.\S+ ?){4}$/,
    );
    for (const spec of unread) expect(found.tensors[spec.name]).toEqual(initialTensor(spec, one.recipe.seed));
  });
});

const only = (feeds: Feeds, names: readonly string[]): Record<string, Tensor> =>
  Object.fromEntries(Object.entries(feeds).filter(([name]) => names.includes(name)));

/** Algorithm 2 of arXiv:1711.05101, element by element, on clipped gradients; biases do not decay. */
function plainAdamW(names: readonly string[]) {
  const [m, v] = [new Map<string, number[]>(), new Map<string, number[]>()];
  let t = 0;
  return {
    update(weights: Record<string, Tensor>, results: Readonly<Record<string, Tensor>>, lr: number): number {
      t++;
      const all = new Map(names.map((name) => [name, toNumbers(results[`g:${name}`]!)]));
      const norm = Math.sqrt([...all.values()].flat().reduce((sum, g) => sum + g * g, 0));
      const factor = Math.min(1, CLIP / (norm + 1e-6));
      for (const [name, gs] of all) {
        const decay = name.endsWith(".bias") ? 0 : DECAY;
        const [m1, v1] = [m.get(name) ?? gs.map(() => 0), v.get(name) ?? gs.map(() => 0)];
        const next = toNumbers(weights[name]!).map((w, i) => {
          const g = gs[i]! * factor;
          m1[i] = BETA1 * m1[i]! + (1 - BETA1) * g;
          v1[i] = BETA2 * v1[i]! + (1 - BETA2) * g * g;
          const [mHat, vHat] = [m1[i]! / (1 - BETA1 ** t), v1[i]! / (1 - BETA2 ** t)];
          return w - lr * (mHat / (Math.sqrt(vHat) + EPS) + decay * w);
        });
        m.set(name, m1);
        v.set(name, v1);
        weights[name] = { dtype: "float64", shape: weights[name]!.shape, data: Float64Array.from(next) };
      }
      return norm;
    },
  };
}
