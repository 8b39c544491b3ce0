import { describe, expect, it } from "vitest";
import { derivativeErrors, normals, only } from "../../../test/support/finite-difference.ts";
import "../../../test/support/matchers.ts";
import { FINITE_DIFFERENCE, FLOAT64 } from "../../../test/support/tolerances.ts";
import { graph, input, interpret, type Value } from "../../graph/index.ts";
import { Params } from "../../nn/index.ts";
import { dvaeLoss } from "../../objectives/index.ts";
import { fromNumbers, random, size, type Tensor, toNumbers } from "../../tensor/index.ts";
import {
  dvae,
  dvaeConfig,
  dvaeDecoder,
  dvaeDecoderOfIds,
  dvaeEncoder,
  gumbelSoftmax,
  mapPixels,
  reconstruction,
  unmapPixels,
  visualWords,
  wordSize,
} from "./index.ts";

const small = dvaeConfig({ groups: 2, blocksPerGroup: 1, hiddenSize: 4, vocabSize: 5 });
const shapes = (p: Params): Record<string, readonly number[]> =>
  Object.fromEntries(p.specs().map(({ name, shape }) => [name, shape]));
const parameters = (p: Params): Record<string, Tensor> =>
  Object.fromEntries(p.specs().map((s) => [s.name, normals(s.name, s.shape)]));

function run(outputs: Record<string, Value>, feeds: Record<string, Tensor>): Record<string, Tensor> {
  const g = graph("dvae", outputs);
  return interpret(g, only(g, feeds));
}

describe("dvaeEncoder", () => {
  it("has as many words a side as pixels / 2^(groups − 1)", () => {
    for (const groups of [1, 2, 3, 4]) {
      const config = dvaeConfig({ groups, hiddenSize: 4, blocksPerGroup: 1, vocabSize: 6 });
      expect(dvaeEncoder(new Params(), config, input("x", [1, 3, 16, 24])).shape).toEqual([
        1,
        6,
        16 / wordSize(config),
        24 / wordSize(config),
      ]);
    }
    expect(() => dvaeEncoder(new Params(), small, input("x", [1, 3, 5, 4]))).toThrow(/not whole words of 2/);
  });
  it("takes the first word on ties", () => {
    const logits = input("z", [1, 3, 1, 2]);
    const z = fromNumbers([1, 0, 2, 7, 2, 7], [1, 3, 1, 2]);
    expect(toNumbers(run({ words: visualWords(logits) }, { z }).words!)).toEqual([1, 1]);
  });
});

describe("dvaeDecoder", () => {
  it("of the published size has DALL-E's layers", () => {
    const p = new Params();
    const { mu, logScale } = dvaeDecoder(p, dvaeConfig(), input("words", [1, 8192, 2, 2]));
    expect([mu.shape, logScale.shape]).toEqual([
      [1, 3, 16, 16],
      [1, 3, 16, 16],
    ]);
    const found = shapes(p);
    expect(found["blocks.input.weight"]).toEqual([128, 8192, 1, 1]);
    expect(found["blocks.output.conv.weight"]).toEqual([6, 256, 1, 1]);
    for (const [group, from, to] of [
      [1, 128, 2048],
      [2, 2048, 1024],
      [3, 1024, 512],
      [4, 512, 256],
    ] as const) {
      const block = `blocks.group_${group}.group.block_1`;
      expect(found[`${block}.id_path.weight`]).toEqual([to, from, 1, 1]);
      const convs = [1, 2, 3, 4].map((i) => found[`${block}.res_path.path.conv_${i}.weight`]);
      expect(convs).toEqual([
        [to / 4, from, 1, 1],
        [to / 4, to / 4, 3, 3],
        [to / 4, to / 4, 3, 3],
        [to, to / 4, 3, 3],
      ]);
      expect(found[`blocks.group_${group}.group.block_2.id_path.weight`]).toBeUndefined();
    }
  });
  it("reads ids as it reads one-hot words", () => {
    const [p, ids] = [new Params(), [3, 0, 4, 1, 1, 2]];
    const soft = dvaeDecoder(p, small, input("words", [1, 5, 2, 3]));
    const hard = dvaeDecoderOfIds(p, small, input("ids", [1, 2, 3], "int32"));
    const words = Array.from({ length: 5 }, (_, v) => ids.map((id) => (id === v ? 1 : 0))).flat();
    const feeds = {
      ...parameters(p),
      words: fromNumbers(words, [1, 5, 2, 3]),
      ids: fromNumbers(ids, [1, 2, 3], "int32"),
    };
    const found = run({ a: soft.mu, b: hard.mu, c: soft.logScale, d: hard.logScale }, feeds);
    expect(found.b!).toBeAllclose(found.a!, FLOAT64);
    expect(found.d!).toBeAllclose(found.c!, FLOAT64);
  });
});

describe("gumbelSoftmax", () => {
  const [logits, noise, temperature] = [input("z", [1, 4, 1, 1]), input("g", [1, 4, 1, 1]), input("t", [])];
  const y = gumbelSoftmax(logits, noise, temperature);
  const z = [0.5, -1, 1.2, 0];
  const at = (g: readonly number[], t: number) =>
    toNumbers(
      run({ y }, { z: fromNumbers(z, [1, 4, 1, 1]), g: fromNumbers(g, [1, 4, 1, 1]), t: fromNumbers([t], []) }).y!,
    );
  it("approaches the largest of logits + noise as the temperature falls", () => {
    expect(at([0, 3, 0, 0], 0.01)).toBeAllclose([0, 1, 0, 0], { atol: 1e-12 });
    const warm = at([0, 3, 0, 0], 1);
    expect([warm.reduce((a, b) => a + b, 0)]).toBeAllclose([1], FLOAT64);
    expect(Math.max(...warm)).toBeLessThan(0.9);
  });
  it("samples words as often as softmax says, given Gumbel noise", () => {
    const draws = 3000;
    const rng = random(11, "gumbel");
    const gumbels = Array.from({ length: 4 * draws }, () => -Math.log(-Math.log((rng.bits() + 0.5) / 2 ** 32)));
    const many = gumbelSoftmax(input("z", [1, 4, 1, 1]), input("g", [draws, 4, 1, 1]), input("t", []));
    const feeds = {
      z: fromNumbers(z, [1, 4, 1, 1]),
      g: fromNumbers(gumbels, [draws, 4, 1, 1]),
      t: fromNumbers([0.5], []),
    };
    const words = toNumbers(run({ words: visualWords(many) }, feeds).words!);
    const weights = z.map(Math.exp);
    weights.forEach((w, k) => {
      const q = w / weights.reduce((a, b) => a + b, 0);
      const share = words.filter((word) => word === k).length / draws;
      expect(Math.abs(share - q), `word ${k}`).toBeLessThan(4 * Math.sqrt((q * (1 - q)) / draws));
    });
  });
});

describe("pixel maps", () => {
  it("are each other's inverse on [0, 1], and clamp outside", () => {
    const x = input("x", [5]);
    const values = { x: fromNumbers([0, 0.25, 0.5, 0.9, 1], [5], "float64") };
    const found = run({ there: mapPixels(x), back: unmapPixels(mapPixels(x)) }, values);
    expect(toNumbers(found.there!)).toBeAllclose([0.1, 0.3, 0.5, 0.82, 0.9], FLOAT64);
    expect(found.back!).toBeAllclose(values.x, FLOAT64);
    const far = { x: fromNumbers([-90, -2.3, 0, 2.3, 90], [5], "float64") };
    const pixels = toNumbers(run({ y: reconstruction(x) }, far).y!);
    expect([pixels[0], pixels[2], pixels[4]]).toBeAllclose([0, 0.5, 1], FLOAT64);
    expect(Math.min(...pixels)).toBe(0);
    expect(Math.max(...pixels)).toBe(1);
  });
});

describe("the whole dVAE", () => {
  it("has the gradients of finite differences through the relaxed sample, in encoder and decoder", () => {
    const p = new Params();
    const pixels = input("pixels", [2, 3, 4, 4]);
    const out = dvae(p, small, pixels, input("noise", [2, 5, 2, 2]), input("temperature", []));
    const { loss } = dvaeLoss({ ...out, pixels, beta: 6.6 });
    const rng = random(2, "dvae pixels");
    const smaller = Object.fromEntries(
      p.specs().map((s) => [
        s.name,
        fromNumbers(
          toNumbers(normals(s.name, s.shape)).map((x) => x * 0.3),
          s.shape,
          "float64",
        ),
      ]),
    );
    const feeds = {
      ...smaller,
      pixels: fromNumbers(
        Array.from({ length: size(pixels.shape) }, () => 0.1 + 0.8 * rng.uniform()),
        pixels.shape,
        "float64",
      ),
      noise: normals("noise", [2, 5, 2, 2]),
      temperature: fromNumbers([0.7], [], "float64"),
    };
    const values = p.values();
    const wrt = [
      "image_codebook.blocks.input.bias",
      "image_codebook.blocks.output.conv.weight",
      "image_decoder.blocks.input.weight",
    ];
    for (const name of wrt) {
      const [found] = derivativeErrors(loss, [values[name] as Value<"input">], feeds);
      expect(found!.error, name).toBeLessThan(FINITE_DIFFERENCE);
      expect(Math.abs(found!.analytic), name).toBeGreaterThan(1e-6);
    }
  });
});
