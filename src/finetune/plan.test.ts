/** Each head's step on the tiny model: losses and gradients by other means, rates, dropout. */
import { describe, expect, it } from "vitest";
import { derivativeErrors, normals } from "../../test/support/finite-difference.ts";
import { tinyWeights } from "../../test/support/tiny-model.ts";
import { FINITE_DIFFERENCE } from "../../test/support/tolerances.ts";
import { graph, input, interpret, type Value } from "../graph/index.ts";
import { type FlavaConfig, taskGraph, taskOutputs, variants } from "../models/flava/index.ts";
import { attention, dropout, initialize, linear, normal, Params, type Taps } from "../nn/index.ts";
import { openDevice, State } from "../runtime/index.ts";
import { type Feeds, fromNumbers, random, size, type Tensor, toNumbers } from "../tensor/index.ts";
import { createUpdater, declaredState, traceSteps } from "../train/index.ts";
import { trainingOptions, tuningPlan } from "./plan.ts";
import { headOf, lossOf, type Problem, type Target } from "./problem.ts";
import { type GivenSettings, type Settings, settingsFor } from "./settings.ts";
import { flavaTunable } from "./tunable.ts";

const config: FlavaConfig = variants.tiny;
const [B, T] = [3, 6];
const side = config.image.imageSize;

const classes = (n: number): Target => ({ kind: "classes", names: Array.from({ length: n }, (_, i) => `class ${i}`) });
const number: Target = { kind: "number", name: "stars", mean: 3, scale: 1.5 };
const answers: Target = { kind: "answers", names: ["yes", "no", "two", "red"] };
const problem = (inputs: Problem["inputs"], target: Target, textPairs = false): Problem => ({
  inputs,
  textPairs,
  target,
});

const settings = (inputs: Problem["inputs"], given: GivenSettings = {}): Settings =>
  settingsFor(
    { batchSize: B, steps: 10, warmupSteps: 0, schedule: "constant", dropout: 0, lr: 1e-4, textLength: T, ...given },
    { samples: 30, width: 32, inputs, textLength: T, imageSize: side },
  );

const ints = (shape: readonly number[], below: number, name: string): Tensor => {
  const rng = random(1, name);
  return { dtype: "int32", shape, data: Int32Array.from({ length: size(shape) }, () => rng.integer(below)) };
};

/** Something of everything that any head reads. */
const feeds: Feeds = {
  pixel_values: {
    ...normals("pixels", [B, 3, side, side]),
    dtype: "float32",
    data: Float32Array.from(normals("pixels", [B, 3, side, side]).data as Float64Array),
  } as Tensor,
  input_ids: ints([B, T], 20, "ids"),
  attention_mask: {
    dtype: "int32",
    shape: [B, T],
    data: Int32Array.from([1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1, 1, 0, 0]),
  },
  token_type_ids: ints([B, T], 2, "types"),
  labels: { dtype: "int32", shape: [B], data: Int32Array.from([0, 2, 1]) },
  targets: fromNumbers([0.5, -1.25, 2], [B]),
  scores: fromNumbers([1, 0, 0.3, 0, 0, 0.6, 0, 0, 0, 0, 0, 0], [B, 4]),
};

const HEADS: readonly (readonly [name: string, Problem, GivenSettings])[] = [
  ["classes of texts", problem("text", classes(3)), {}],
  ["classes of pairs of texts, smoothed", problem("text", classes(3), true), { labelSmoothing: 0.1 }],
  ["a number from texts", problem("text", number), {}],
  ["classes of pictures", problem("image", classes(3)), {}],
  ["a number from pictures", problem("image", number), {}],
  ["classes of pictures with texts", problem("pair", classes(3)), { headHidden: 48 }],
  ["answers about pictures", problem("pair", answers), { headHidden: 48 }],
];

const used = (all: Feeds, names: readonly string[]): Feeds =>
  Object.fromEntries(Object.entries(all).filter(([name]) => names.includes(name)));

/** Forward, in plain numbers: the loss from the logits of the model's own graph. */
function lossByHand({ target }: Problem, logits: readonly number[], smoothing: number): number {
  const C = logits.length / B;
  const row = (b: number): number[] => logits.slice(b * C, (b + 1) * C);
  const each = Array.from({ length: B }, (_, b) => {
    const x = row(b);
    if (target.kind === "number") return (x[0]! - Number(feeds.targets!.data[b])) ** 2;
    if (target.kind === "answers")
      return x.reduce((sum, value, c) => {
        const p = 1 / (1 + Math.exp(-value));
        const t = Number(feeds.scores!.data[b * C + c]);
        return sum - t * Math.log(p) - (1 - t) * Math.log(1 - p);
      }, 0);
    const total = Math.log(x.reduce((sum, value) => sum + Math.exp(value), 0));
    const wanted = x.map((_, c) => smoothing / C + (c === Number(feeds.labels!.data[b]) ? 1 - smoothing : 0));
    return x.reduce((sum, value, c) => sum - wanted[c]! * (value - total), 0);
  });
  return each.reduce((sum, x) => sum + x, 0) / B;
}

/** Drawn weights; tokens that begin as zeros are drawn too, where LayerNorm's slope has no bound. */
const parameters = (specs: Parameters<typeof initialize>[0]): Record<string, Tensor> => {
  const all = [...specs];
  const tokens = all.map((spec) => (/token$|embeddings$/.test(spec.name) ? { ...spec, init: normal(0.2) } : spec));
  const names = all.map(({ name }) => name);
  return { ...used(tinyWeights(config), names), ...initialize(tokens.filter(isDrawn), 3) };
};

const isDrawn = ({ name }: { readonly name: string }): boolean => /token$|embeddings$|^classifier/.test(name);

async function step(which: Problem, given: GivenSettings, device: "interpret" | "cpu") {
  const chosen = settings(which.inputs, given);
  const plan = tuningPlan(flavaTunable(config), which, chosen, 0);
  const options = trainingOptions(chosen);
  const graphs = await traceSteps("test", options, plan);
  const declared = declaredState(graphs, plan);
  using state = new State(await openDevice(device));
  state.writeAll(declared.initial);
  const specs = declared.specs.filter(({ name }) => declared.trained.has(name));
  state.writeAll(parameters(specs));
  const updater = await createUpdater({ options, plan, graphs, state, device: state.device });
  const first = await updater.update(1, { kind: "task", feeds, samples: [] });
  const second = await updater.update(2, { kind: "task", feeds, samples: [] });
  updater.dispose();
  return { first, second, specs, chosen };
}

describe("a step", () => {
  it.each(HEADS)(
    "on %s: its loss is the one by hand, and an engine agrees with the interpreter",
    async (_, which, given) => {
      const found = await step(which, given, "interpret");
      const head = headOf(which, found.chosen.headHidden);
      const { graph: g, params } = taskGraph(config, head, { batch: B, textLength: T });
      const weights = parameters(params);
      const { logits } = interpret(g, used({ ...feeds, ...weights }, Object.keys(g.inputs)));
      expect(logits!.shape).toEqual([B, head.outputs]);
      const byHand = lossByHand(which, toNumbers(logits!), found.chosen.labelSmoothing);
      expect(found.first.loss! / byHand).toBeCloseTo(1, 6);
      expect(found.second.loss!).toBeLessThan(found.first.loss!);
      const engine = await step(which, given, "cpu");
      for (const name of ["loss", "grad_norm"]) {
        expect(engine.first[name]! / found.first[name]!).toBeCloseTo(1, 4);
        expect(engine.second[name]! / found.second[name]!).toBeCloseTo(1, 3);
      }
    },
  );

  it("has the gradients that finite differences have, in the head and behind it", () => {
    const which = problem("pair", answers);
    const p = new Params();
    const { logits } = taskOutputs(p, config, headOf(which, 8), { batch: B, textLength: T });
    const { loss } = lossOf(which.target, logits, 0);
    const names = [
      "classifier.0.weight",
      "classifier.2.weight",
      "classifier.3.bias",
      "flava.multimodal_model.pooler.dense.weight",
      "flava.text_model.embeddings.LayerNorm.bias",
    ];
    const wrt = names.map((name) => p.value(name)) as Value<"input">[];
    const weights = parameters(p.specs());
    for (const { name, error } of derivativeErrors(loss, wrt, { ...feeds, ...weights }))
      expect(error, name).toBeLessThan(10 * FINITE_DIFFERENCE); // GELU and softmax of five-fold weights are steep
  });
});

describe("layer-wise decay", () => {
  it("gives the rates of the formula", () => {
    const of = flavaTunable(config).rates({ inputs: "pair" }, { layerDecay: 0.5, headLr: 10 });
    const [n, m] = [config.multimodal.layers, config.text.layers];
    expect(of("classifier.3.weight")).toBe(10);
    expect(of("flava.multimodal_model.layernorm.weight")).toBe(1);
    expect(of("flava.multimodal_model.pooler.dense.bias")).toBe(1);
    for (let i = 0; i < n; i++)
      expect(of(`flava.multimodal_model.encoder.layer.${i}.output.dense.weight`)).toBe(0.5 ** (n - i));
    for (const below of ["flava.multimodal_model.cls_token", "flava.text_to_mm_projection.weight"])
      expect(of(below)).toBe(0.5 ** (n + 1));
    for (let i = 0; i < m; i++)
      expect(of(`flava.text_model.encoder.layer.${i}.output.dense.bias`)).toBe(0.5 ** (n + 1 + m - i));
    expect(of("flava.image_model.embeddings.cls_token")).toBe(0.5 ** (n + config.image.layers + 2));
    const alone = flavaTunable(config).rates({ inputs: "text" }, { layerDecay: 0.9, headLr: 1 });
    expect(alone("flava.text_model.embeddings.word_embeddings.weight")).toBe(0.9 ** (m + 1));
    expect(alone("flava.text_model.layernorm.bias")).toBe(1);
  });

  it("moves an embedding as much less as it says", async () => {
    const moved = async (layerDecay: number): Promise<number> => {
      const chosen = settings("text", { layerDecay, weightDecay: 0, clipNorm: null });
      const plan = tuningPlan(flavaTunable(config), problem("text", classes(3)), chosen, 0);
      const options = trainingOptions(chosen);
      const graphs = await traceSteps("test", options, plan);
      const declared = declaredState(graphs, plan);
      using state = new State(await openDevice("interpret"));
      const weights = parameters(declared.specs.filter(({ name }) => declared.trained.has(name)));
      state.writeAll({ ...declared.initial, ...weights });
      const updater = await createUpdater({ options, plan, graphs, state, device: state.device });
      await updater.update(1, { kind: "task", feeds, samples: [] });
      const name = "flava.text_model.embeddings.LayerNorm.bias";
      const now = toNumbers(await state.read(name));
      return Math.abs(now[0]! - Number(weights[name]!.data[0]));
    };
    const ratio = (await moved(0.5)) / (await moved(1));
    expect(ratio).toBeCloseTo(0.5 ** (config.text.layers + 1), 4);
  });
});

describe("dropout", () => {
  it("keeps the share that it says, and makes up for what is dropped", () => {
    const { drop, masks } = dropout({ hidden: 0.25, attention: 0 });
    const x = fromNumbers(new Array(4000).fill(2), [4, 1000]);
    const p = new Params().at("here");
    const given = p.get("x", [4, 1000], { kind: "zeros" });
    const g = graph("dropped", { y: drop(p, given) });
    expect([...masks]).toEqual([["dropout.here", { shape: [4, 1000], dropped: 64 }]]);
    const plan = tuningPlan(flavaTunable(config), problem("text", classes(3)), settings("text", { dropout: 0.25 }), 7);
    plan.objectives.task!.losses(new Params(), B, { parts: 1, index: undefined, perWorker: 1 });
    const noise = plan.noise!(5);
    expect(plan.noise!(5)).toEqual(noise);
    expect(plan.noise!(6)).not.toEqual(noise);
    const all = Object.values(noise).flatMap(({ data }) => [...(data as Uint8Array)]);
    expect(all.reduce((sum, x) => sum + x, 0) / all.length).toBeCloseTo(0.75, 1);
    const mask: Tensor = {
      dtype: "bool",
      shape: [4, 1000],
      data: Uint8Array.from({ length: 4000 }, (_, i) => Number(i % 4 > 0)),
    };
    const y = toNumbers(interpret(g, { "here.x": x, "dropout.here": mask }).y!);
    expect(y.reduce((sum, value) => sum + value, 0) / y.length).toBeCloseTo(2, 6);
    expect(y.slice(0, 2)).toEqual([0, 8 / 3]);
  });

  it("drops probabilities of attention where it is asked for, each layer's by a mask of its own", () => {
    const plan = tuningPlan(
      flavaTunable(config),
      problem("text", classes(3)),
      settings("text", { attentionDropout: 0.5 }),
      7,
    );
    plan.objectives.task!.losses(new Params(), B, { parts: 1, index: undefined, perWorker: 1 });
    const noise = Object.entries(plan.noise!(1));
    const { layers, heads } = config.text;
    expect(noise.map(([name, { shape }]) => [name, shape])).toEqual(
      Array.from({ length: layers }, (_, i) => [
        `dropout.flava.text_model.encoder.layer.${i}.attention.attention`,
        [B, heads, T, T],
      ]),
    );
    const all = noise.flatMap(([, { data }]) => [...(data as Uint8Array)]);
    expect(all.reduce((sum, x) => sum + x, 0) / all.length).toBeCloseTo(0.5, 1);
  });

  it("drops attention's probabilities after the softmax: what is kept weighs more, the rest nothing", () => {
    const { drop, masks } = dropout({ hidden: 0, attention: 0.5 });
    const p = new Params();
    const x = input("x", [1, 3, 4]);
    const taps: Taps = new Map();
    const y = attention(p.at("a"), x, { heads: 1, out: taps, drop });
    const outputs = { y, probabilities: taps.get("a.probabilities")!, v: linear(p.at("a.value"), x, 4) };
    const mask: Tensor = { dtype: "bool", shape: [1, 1, 3, 3], data: Uint8Array.of(1, 0, 1, 0, 0, 0, 1, 1, 1) };
    expect([...masks.keys()]).toEqual(["dropout.a"]);
    const weights = Object.fromEntries(p.specs().map(({ name, shape }) => [name, normals(name, shape)]));
    const found = interpret(graph("attention", outputs), { ...weights, x: normals("x", [1, 3, 4]), "dropout.a": mask });
    const [said, chances, v] = [found.y!, found.probabilities!, found.v!].map(toNumbers) as [
      number[],
      number[],
      number[],
    ];
    for (let n = 0; n < 3; n++)
      for (let k = 0; k < 4; k++) {
        const byHand = [0, 1, 2].reduce(
          (sum, m) => sum + 2 * Number(mask.data[3 * n + m]) * chances[3 * n + m]! * v[4 * m + k]!,
          0,
        );
        expect(said[4 * n + k]!).toBeCloseTo(byHand, 10);
      }
  });
});
