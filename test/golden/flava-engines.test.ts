/**
 * The tiny FLAVA on the engines, in float32: every golden loss and intermediate to 1e-4, and the gradient of every parameter
 * tensor against the float64 interpreter.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { mul, sub, type Value } from "../../src/graph/index.ts";
import { gradients } from "../../src/optim/index.ts";
import { compile, type Device, openDevice, State } from "../../src/runtime/index.ts";
import { type Tensor, toNumbers } from "../../src/tensor/index.ts";
import "../support/matchers.ts";
import { restricted, restrictedExpectations } from "./restricted.ts";
import { evaluate, evaluateOn, norm, singles, total } from "./run.ts";
import {
  imageCase,
  imageLoss,
  type PairExpectation,
  pairCase,
  pairExpectations,
  sizesOf,
  textCase,
  textLoss,
  tinyBatch,
  tinyConfig,
  tinyParameters,
} from "./tiny-case.ts";
import {
  contrastiveLogits,
  gradientExpectations,
  itmLogits,
  tensorExpectations,
  wordExpectations,
} from "./tiny-tensors.ts";

/** What float32 keeps of numbers near 1; the absolute part is for the few that are near 0. */
const ENGINE = { rtol: 1e-4, atol: 1e-5 };
const RELATIVE = { rtol: 1e-4, atol: 0 };

/** ‖a − b‖ / ‖b‖. */
function relativeError(actual: Tensor, expected: Tensor): number {
  const [a, b] = [toNumbers(actual), toNumbers(expected)];
  const scale = Math.hypot(...b);
  return Math.hypot(...a.map((x, i) => x - b[i]!)) / (scale === 0 ? 1 : scale);
}

for (const name of ["cpu", "cpu-js"] as const)
  describe(`on device ${name}`, () => {
    let device: Device;
    beforeAll(async () => {
      device = await openDevice(name, { threads: 2 });
    });

    const run = (outputs: Readonly<Record<string, Value>>, feeds: Readonly<Record<string, Tensor>>) =>
      evaluateOn(device, outputs, feeds);
    /** As training steps are compiled. */
    const runStep = (outputs: Readonly<Record<string, Value>>, feeds: Readonly<Record<string, Tensor>>) =>
      evaluateOn(device, outputs, feeds, { purpose: "training" });
    const pairFeeds = (e: PairExpectation, c: ReturnType<typeof pairCase>) => ({
      ...tinyBatch(e.itmLabels),
      ...tinyParameters(c.params.specs()),
    });

    it("every intermediate tensor has the reference's sum and first values", async () => {
      const e = pairExpectations[0]!;
      const c = pairCase(tinyConfig, sizesOf(e));
      const wanted = Object.fromEntries(tensorExpectations.map((t) => [t.name, t.value(c)]));
      const { words, itm } = c.values;
      const similarities = c.objective.contrastive.logits_per_image;
      const found = await run({ ...wanted, words, itm: itm.logits, similarities }, pairFeeds(e, c));
      for (const { name: tensor, shape, sum, first } of tensorExpectations) {
        expect(found[tensor]!.shape, tensor).toEqual(shape);
        expect([total(found[tensor]!)], tensor).toBeAllclose([sum], RELATIVE);
        expect(toNumbers(found[tensor]!).slice(0, 4), tensor).toBeAllclose(first, ENGINE);
      }
      expect(toNumbers(found.words!)).toEqual(wordExpectations);
      expect(toNumbers(found.itm!)).toBeAllclose(itmLogits, ENGINE);
      expect(toNumbers(found.similarities!)).toBeAllclose(contrastiveLogits, ENGINE);
    });

    for (const e of pairExpectations)
      it(`the losses on pairs with ${e.name} are the reference's`, async () => {
        const c = pairCase(tinyConfig, sizesOf(e));
        const found = await run({ loss: c.objective.loss, ...c.objective.losses }, pairFeeds(e, c));
        for (const [loss, value] of Object.entries({ loss: e.total, ...e.losses }))
          expect(toNumbers(found[loss]!), loss).toBeAllclose([value], RELATIVE);
      });

    it("the losses on images and on texts are the reference's", async () => {
      const [image, text] = [imageCase(), textCase()];
      const i = await run({ loss: image.objective.loss }, { ...tinyBatch(), ...tinyParameters(image.params.specs()) });
      const t = await run({ loss: text.objective.loss }, { ...tinyBatch(), ...tinyParameters(text.params.specs()) });
      expect([toNumbers(i.loss!)[0]!, toNumbers(t.loss!)[0]!]).toBeAllclose([imageLoss, textLoss], RELATIVE);
    });

    for (const [index, column] of [
      [0, 1],
      [1, 2],
      [3, 3],
    ] as const) {
      const e = pairExpectations[index]!;
      it(`every parameter's gradient with ${e.name} equals the float64 interpreter's`, async () => {
        const c = pairCase(tinyConfig, sizesOf(e));
        const values = gradients(c.objective.loss, c.params.values());
        const feeds = pairFeeds(e, c);
        const [found, exact] = [await runStep(values, feeds), evaluate(values, feeds)];
        for (const [parameter, gradient] of Object.entries(exact)) {
          // attention ignores the key's bias: its gradient is 0 but for rounding
          if (parameter.endsWith("key.bias")) expect(norm(found[parameter]!), parameter).toBeLessThan(1e-5);
          else expect(relativeError(found[parameter]!, gradient), parameter).toBeLessThan(1e-4);
        }
        expect(Object.keys(found)).toEqual(Object.keys(exact));
        expect(Object.keys(exact).length).toBeGreaterThan(90);
        for (const row of gradientExpectations) {
          const expected = row[column];
          if (expected !== null) expect([norm(found[row[0]]!)], row[0]).toBeAllclose([expected], RELATIVE);
        }
      });
    }

    it("the rows that count have the sums of the reference's restricted logits", async () => {
      for (const e of restrictedExpectations) {
        const { rows, specs } = e.make();
        const found = await run({ ...rows }, { ...tinyBatch(e.itmLabels), ...tinyParameters(specs) });
        const actual = restricted(found.logits!, found.weights!);
        expect(actual.rows, e.name).toBe(e.rows);
        expect([actual.sum], e.name).toBeAllclose([e.sum], RELATIVE);
      }
    });

    it("gives the same bits twice, and with activations computed again", async () => {
      const e = pairExpectations[0]!;
      const c = pairCase(tinyConfig, sizesOf(e));
      const { masked, unmasked } = c.values;
      const encoders = [masked.image, masked.text, masked.multimodal, unmasked.image, unmasked.text];
      const checkpoints = encoders.flatMap(({ hidden_states }) => hidden_states);
      const outputs = (kept: readonly Value[]) => ({
        loss: c.objective.loss,
        ...gradients(c.objective.loss, c.params.values(), { checkpoints: kept }),
      });
      const feeds = pairFeeds(e, c);
      const [first, second, lean] = [
        await runStep(outputs([]), feeds),
        await runStep(outputs([]), feeds),
        await runStep(outputs(checkpoints), feeds),
      ];
      for (const [output, t] of Object.entries(first)) {
        expect(second[output]!.data, output).toEqual(t.data);
        if (!output.endsWith("key.bias")) expect(relativeError(lean[output]!, t), output).toBeLessThan(1e-6);
      }
    });

    it("four steps of descent, with the parameters in the engine, follow the reference", async () => {
      const e = pairExpectations[0]!;
      const c = pairCase(tinyConfig, sizesOf(e));
      const params = c.params.values();
      const updates = Object.fromEntries(
        Object.entries(gradients(c.objective.loss, params)).map(([p, g]) => [p, sub(params[p]!, mul(g, 0.01))]),
      );
      using state = new State(device);
      state.writeAll(singles(tinyParameters(c.params.specs())));
      using step = await compile({ name: "descend", outputs: { loss: c.objective.loss }, updates }, device, { state });
      const batch = singles(tinyBatch(e.itmLabels));
      const feeds = Object.fromEntries(step.feeds.map((feed) => [feed, batch[feed]!]));
      const losses: number[] = [];
      for (let i = 0; i < 4; i++) losses.push(toNumbers((await step.run(feeds)).loss!)[0]!);
      expect(losses).toBeAllclose([9.1679654551, 7.9624508114, 7.3502857554, 6.8768000131], RELATIVE);
      expect(toNumbers(await state.read("flava.logit_scale"))).toBeAllclose([2.6587821615], RELATIVE);
    });
  });
