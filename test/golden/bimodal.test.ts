/** The four kinds of bimodal layers on the reference's numbers, and what they have to do with each other. */
import { beforeAll, describe, expect, it } from "vitest";
import { add, grad, input, mul, slice, sum, type Value } from "../../src/graph/index.ts";
import {
  type BimodalSublayer,
  bimodalGates,
  bimodalStack,
  type Gates,
  Params,
  paddingMask,
  type Taps,
} from "../../src/nn/index.ts";
import { type Device, openDevice } from "../../src/runtime/index.ts";
import { size, type Tensor } from "../../src/tensor/index.ts";
import { expectLike, expectNorms, expectOnEngine, filledAll, ints } from "./compared.ts";
import reference from "./compared/bimodal_types.json" with { type: "json" };
import { golden } from "./numbers.ts";
import { evaluate } from "./run.ts";

const expected = reference as Readonly<Record<string, unknown>>;

const attention = (gates: Gates, shared: boolean): BimodalSublayer[] => [
  { kind: "attention", gates, shared, heads: 2 },
  { kind: "feed-forward", shared, text: 32, vision: 32 },
];
const OPEN = bimodalGates["single-stream"];
const TYPES: Readonly<Record<string, readonly BimodalSublayer[]>> = {
  "single-stream": attention(OPEN, true),
  "dual-stream intra-modal": attention(bimodalGates["intra-modal"], false),
  "dual-stream inter-modal": attention(bimodalGates["inter-modal"], false),
  "gated, all gates open, not shared": attention(OPEN, false),
  "gated, text to both, vision to vision": attention({ ...OPEN, visionText: false }, false),
  "inter-modal of other widths": [
    { kind: "attention", gates: bimodalGates["inter-modal"], shared: false, heads: 4, width: 8 },
    { kind: "feed-forward", shared: false, text: 32, vision: 20 },
  ],
};

function traced(sublayers: readonly BimodalSublayer[], width = 16) {
  const p = new Params();
  const [text, vision] = [input("text_states", [2, 4, 16]), input("vision_states", [2, 3, width])];
  const masks = {
    text: paddingMask(input("text_keep", [2, 4], "int32"), text, -10_000),
    vision: paddingMask(input("vision_keep", [2, 3], "int32"), vision, -10_000),
  };
  const taps: Taps = new Map();
  const after = bimodalStack(p, { text, vision }, sublayers.slice(0, 1), { masks });
  const y = bimodalStack(p, { text, vision }, sublayers, { masks, out: taps });
  const cotangents = [input("text_cotangent", [2, 4, 16]), input("vision_cotangent", [2, 3, width])] as const;
  const loss = add(sum(mul(y.text, cotangents[0])), sum(mul(y.vision, cotangents[1])));
  const wrt: Record<string, Value> = { ...p.values(), text_states: text, vision_states: vision };
  const names = Object.keys(wrt);
  const gradients = Object.fromEntries(grad(loss, Object.values(wrt)).map((g, i) => [names[i]!, g]));
  const scores = (modality: string) => taps.get(`encoder.layer.0.${modality}_scores`);
  const shown: Record<string, Value> = {
    ...Object.fromEntries(
      ["text", "vision"].flatMap((one) => (scores(one) ? [[`${one} scores of sample 0`, slice(scores(one)!, 0, 0, 1)]] : [])),
    ),
    "text after attention": after.text,
    "vision after attention": after.vision,
    "text out": y.text,
    "vision out": y.vision,
    loss,
  };
  const states: Record<string, Tensor> = {};
  for (const [name, shape] of [
    ["text_states", [2, 4, 16]],
    ["vision_states", [2, 3, width]],
    ["text_cotangent", [2, 4, 16]],
    ["vision_cotangent", [2, 3, width]],
  ] as const)
    states[name] = golden(name, shape, -1, 1);
  const keep = { text_keep: ints([[1, 1, 1, 1], [1, 1, 1, 0]]), vision_keep: ints([[1, 1, 1], [1, 1, 0]]) };
  return { p, shown, gradients, y, feeds: { ...states, ...keep, ...filledAll(p.specs()) } as Record<string, Tensor> };
}

const cases = Object.entries(TYPES).map(([name, sublayers]) => {
  const made = traced(sublayers, name === "inter-modal of other widths" ? 12 : 16);
  return { name, ...made };
});

describe.each(cases)("$name", ({ name, p, shown, gradients, feeds }) => {
  it("has the reference's parameters", () => {
    expect(p.specs().reduce((n, { shape }) => n + size(shape), 0)).toBe(expected[`${name}: parameters`]);
  });
  it("gives the reference's scores, states and loss", () => {
    for (const [what, t] of Object.entries(evaluate(shown, feeds))) expectLike(t, expected[`${name}: ${what}`], what);
  });
  it("has the reference's gradients", () => {
    expectNorms(evaluate(gradients, feeds), expected[`grads ${name}`]);
  });
});

/**
 * The attention of one modality by plain loops, over all keys of both: the weight of a key is exp(score) times its gate, a number. Nothing
 * is left out where a gate is 0; the layer of `src/` never computes such a block.
 */
function gatedByHand(feeds: Readonly<Record<string, Tensor>>, asker: "text" | "vision", gates: Gates): number[] {
  const [heads, width] = [2, 16];
  const other = { text: "vision", vision: "text" } as const;
  const order = ["text", "vision"] as const;
  const data = (name: string): ArrayLike<number> => feeds[name]!.data as ArrayLike<number>;
  const rows = (modality: "text" | "vision") => feeds[`${modality}_states`]!.shape[1]!;
  const prefix = (modality: string): string => (modality === "vision" ? "v_" : "");
  const at = (modality: "text" | "vision", b: number, n: number): number[] =>
    Array.from({ length: width }, (_, d) => data(`${modality}_states`)[(b * rows(modality) + n) * width + d]!);
  const linear = (name: string, x: readonly number[]): number[] =>
    Array.from({ length: width }, (_, o) =>
      x.reduce((sum, value, d) => sum + value * data(`${name}.weight`)[o * width + d]!, data(`${name}.bias`)[o]!),
    );
  const projected = (modality: "text" | "vision", what: string, b: number, n: number): number[] =>
    linear(`encoder.layer.0.attention_self.${prefix(modality)}${what}`, at(modality, b, n));
  const gate = (source: "text" | "vision"): number =>
    Number(gates[`${asker}${source === "text" ? "Text" : "Vision"}` as keyof Gates]);
  if (gate(asker) + gate(other[asker]) === 0) throw new Error("a modality that reads none");
  const out: number[] = [];
  for (let b = 0; b < 2; b++)
    for (let n = 0; n < rows(asker); n++) {
      const q = projected(asker, "query", b, n);
      const context = new Array<number>(width).fill(0);
      for (let h = 0; h < heads; h++) {
        const part = (x: readonly number[]): number[] => x.slice((h * width) / heads, ((h + 1) * width) / heads);
        const keys = order.flatMap((source) =>
          Array.from({ length: rows(source) }, (_, m) => ({ source, m, keep: data(`${source}_keep`)[b * rows(source) + m]! })),
        );
        const weights = keys.map(({ source, m, keep }) => {
          const k = part(projected(source, "key", b, m));
          const score = part(q).reduce((sum, value, d) => sum + value * k[d]!, 0) / Math.sqrt(width / heads);
          return gate(source) * keep * Math.exp(score);
        });
        const total = weights.reduce((sum, w) => sum + w, 0);
        for (const [i, { source, m }] of keys.entries())
          for (const [d, v] of part(projected(source, "value", b, m)).entries())
            context[(h * width) / heads + d]! += (weights[i]! / total) * v;
      }
      const scope = `encoder.layer.0.attention_output.${prefix(asker)}`;
      const x = at(asker, b, n);
      const h = linear(`${scope}dense`, context).map((value, d) => value + x[d]!);
      const mean = h.reduce((sum, value) => sum + value, 0) / width;
      const spread = Math.sqrt(h.reduce((sum, value) => sum + (value - mean) ** 2, 0) / width + 1e-12);
      out.push(...h.map((value, d) => ((value - mean) / spread) * data(`${scope}LayerNorm.weight`)[d]! + data(`${scope}LayerNorm.bias`)[d]!));
    }
  return out;
}

describe("the kinds beside each other", () => {
  const find = (name: string) => cases.find((one) => one.name === name)!;
  const single = find("single-stream");
  /** All have the single stream's weights, for both modalities. */
  const same = (one: (typeof cases)[number]) => ({
    ...one.feeds,
    ...Object.fromEntries(
      one.p.specs().map(({ name }) => [name, single.feeds[name.replace(/\bv_/, "")]!]),
    ),
  });
  const scoresOf = (one: (typeof cases)[number]) => {
    const found = evaluate(one.shown, same(one));
    return { text: found["text scores of sample 0"]!, vision: found["vision scores of sample 0"]! };
  };
  /** Columns from..to of (1, H, N, M). */
  const columns = (t: Tensor, from: number, to: number): number[] => {
    const M = t.shape[3]!;
    return Array.from(t.data, Number).filter((_, i) => i % M >= from && i % M < to);
  };

  it("dual-stream scores are blocks of the single stream's score matrix, to the bit", () => {
    const whole = scoresOf(single);
    expect([whole.text.shape, whole.vision.shape]).toEqual([
      [1, 2, 4, 7],
      [1, 2, 3, 7],
    ]);
    const intra = scoresOf(find("dual-stream intra-modal"));
    expect(Array.from(intra.text.data)).toEqual(columns(whole.text, 0, 4));
    expect(Array.from(intra.vision.data)).toEqual(columns(whole.vision, 4, 7));
    const inter = scoresOf(find("dual-stream inter-modal"));
    expect(Array.from(inter.text.data)).toEqual(columns(whole.text, 4, 7));
    expect(Array.from(inter.vision.data)).toEqual(columns(whole.vision, 0, 4));
  });

  it("the gated layer with all gates open is the single stream, where it has its weights twice", () => {
    const gated = find("gated, all gates open, not shared");
    const [a, b] = [evaluate(gated.shown, same(gated)), evaluate(single.shown, single.feeds)];
    for (const what of ["text out", "vision out"]) expect(a[what]!.data, what).toEqual(b[what]!.data);
  });

  it.each(Object.keys(bimodalGates) as (keyof typeof bimodalGates)[])(
    "gates that are numbers, all 0 or 1, make it a %s layer",
    (kind) => {
      const { shown, feeds } = traced(attention(bimodalGates[kind], false));
      const found = evaluate(shown, feeds);
      for (const modality of ["text", "vision"] as const) {
        const naive = gatedByHand(feeds, modality, bimodalGates[kind]);
        expect(Array.from(found[`${modality} after attention`]!.data)).toBeAllclose(naive, { rtol: 1e-9, atol: 1e-12 });
      }
    },
  );

  it("a modality that reads none passes as it is", () => {
    const gates = { textText: true, textVision: true, visionText: false, visionVision: false };
    const { y, feeds } = traced([{ kind: "attention", gates, shared: false, heads: 2 }]);
    expect(evaluate({ vision: y.vision }, feeds).vision!.data).toEqual(feeds.vision_states!.data);
  });
});

describe("on device cpu", () => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice("cpu", { threads: 1 });
  });
  it.each(cases)("$name gives the same numbers in float32, with every gradient", ({ shown, gradients, feeds }) =>
    expectOnEngine(device, { ...shown, ...gradients }, feeds),
  );
});
