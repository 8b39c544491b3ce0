/** The tiny LXMERT and VisualBERT of Hugging Face on the reference's numbers, read under Hugging Face's names. */
import { beforeAll, describe, expect, it } from "vitest";
import { add, constant, input, mean, mul, reshape, type Value } from "../../src/graph/index.ts";
import { compareWeights, families, familyOfWeights } from "../../src/models/index.ts";
import {
  fromVoltaConfigJson,
  lxmertAnswers,
  lxmertRegions,
  lxmertStream,
  singleStream,
  type VoltaConfig,
  volta,
  voltaConfig,
  voltaInputs,
  voltaLayouts,
  voltaMatching,
  voltaParameters,
  voltaPooled,
  voltaVariants,
  voltaWords,
} from "../../src/models/volta/index.ts";
import { Params } from "../../src/nn/index.ts";
import { crossEntropy, labelledRows, maskedCrossEntropy, maskedRegionFeatures } from "../../src/objectives/index.ts";
import { type Device, openDevice } from "../../src/runtime/index.ts";
import { fromNumbers, type Shape, size, type Tensor } from "../../src/tensor/index.ts";
import { IDS_MASKED, MASK } from "./compared-texts.ts";
import { expectLike, expectNorms, expectOnEngine, filled, gradientsOf, ints } from "./compared.ts";
import lxmert from "./compared/lxmert.json" with { type: "json" };
import visualBert from "./compared/visual-bert.json" with { type: "json" };
import { golden } from "./numbers.ts";
import { evaluate } from "./run.ts";

type Reference = Readonly<Record<string, unknown>> & { readonly parameters: Readonly<Record<string, number[]>> };

const [B, T, R, F] = [3, 6, 5, 12];
const text = { vocabSize: 40, maxPositions: 12 };
const sizes = { hiddenSize: 16, heads: 2, intermediateSize: 32, text };
const LABELS = ints([
  [-100, -100, 8, -100, -100, -100],
  [-100, 10, -100, -100, -100, -100],
  [-100, -100, -100, 14, 15, -100],
]);
const whole = (numbers: readonly number[]): Value => constant(fromNumbers(numbers, [numbers.length], "int32"));
const rows = (x: Value): Value => reshape(x, [-1, x.shape.at(-1)!]);

/** A reference's tensors under our names, and the file as it is under theirs. */
function named({ parameters }: Reference) {
  const tensors = new Map(
    Object.entries(parameters).map(([name, shape]) => [name, { dtype: "float32" as const, shape }]),
  );
  const file = { name: "pytorch_model.bin", tensors, read: () => Promise.reject(new Error("not read")) };
  const found = familyOfWeights(file, undefined);
  const ours = new Map([...found.named.stored].map(([our, theirs]) => [theirs, our]));
  const weights = Object.fromEntries(
    Object.entries(parameters).map(([theirs, shape]) => [ours.get(theirs)!, filled(theirs, shape as Shape)]),
  );
  return { ...found, ours, weights };
}

/** The reference's norms of gradients under our names. */
const underOurs = (norms: Readonly<Record<string, number>>, ours: ReadonlyMap<string, string>): object =>
  Object.fromEntries(Object.entries(norms).map(([name, norm]) => [ours.get(name) ?? name, norm]));

interface Case {
  readonly p: Params;
  readonly shown: Readonly<Record<string, Value>>;
  readonly total: Value;
  readonly feeds: Readonly<Record<string, Tensor>>;
}

function encoded(config: VoltaConfig) {
  const p = new Params();
  const inputs = voltaInputs(config, { batch: B, textLength: T, regions: R });
  const { embeddings, states } = volta(p, config, inputs);
  const words = voltaWords(p, config, rows(states.text));
  const mlm = maskedCrossEntropy(labelledRows(words, constant(LABELS))).loss;
  const matching = voltaMatching(p, config, states);
  const matched = mean(crossEntropy(matching, whole([1, 0, 1])));
  return { p, embeddings, states, words: reshape(words, [B, T, 40]), mlm, matching, matched };
}

const common = {
  input_ids: IDS_MASKED,
  attention_mask: MASK,
  region_features: golden("visual_feats", [B, R, F], 0, 2),
};

function lxmertCase(): Case {
  const config = voltaConfig({
    ...{ ...sizes, embeddings: "lxmert", pretrainingHeads: "lxmert", answers: 7, control: lxmertStream(2, 1, 2) },
    regions: { features: F, classes: 9, attributes: 5, box: 4, mean: false },
  });
  const { p, embeddings, states, words, mlm, matching, matched } = encoded(config);
  const answers = lxmertAnswers(p, config, voltaPooled(p, config, states));
  const qa = maskedCrossEntropy(labelledRows(answers, constant(ints([[2], [-100], [6]])))).loss;
  const said = lxmertRegions(p, config, states.vision);
  const confidence = input("confidence", [B * R]);
  const mask = [1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1];
  const overAll = (each: Value): Value => mul(mean(each), 6.67); // Hugging Face's normaliser
  const of = (logits: Value, targets: readonly number[]): Value =>
    overAll(mul(crossEntropy(rows(logits), whole(targets)), confidence));
  const obj = of(said.objects, [3, 1, 4, 1, 5, 0, 2, 6, 5, 3, 5, 8, 2, 7, 1]);
  const attr = of(said.attributes, [1, 4, 2, 0, 3, 2, 2, 1, 4, 0, 3, 1, 0, 2, 4]);
  const masked = {
    predicted: rows(said.features),
    targets: input("visual_targets", [B * R, F]),
    weights: constant(fromNumbers(mask, [B * R], "float64"), "float32"),
  };
  const share = mask.filter((m) => m === 1).length / mask.length;
  const feat = mul(maskedRegionFeatures(masked, "smooth-l1"), 6.67 * share);
  const total = [matched, qa, obj, attr, feat].reduce(add, mlm);
  const parts = { mlm, matched, qa, obj, attr, feat };
  const shown = {
    ...{ "text embeddings": embeddings.text, "visual embeddings": embeddings.vision },
    ...{ "language_hidden_states[-1]": states.text, "vision_hidden_states[-1]": states.vision },
    ...{ prediction_logits: words, cross_relationship_score: matching, question_answering_score: answers },
    ...Object.fromEntries(Object.entries(parts).map(([name, loss]) => [`part ${name}`, loss])),
    "total loss": total,
  };
  const sure = golden("confidence", [B, R], 0, 1).data as Float64Array;
  const feeds = {
    ...common,
    region_boxes: golden("visual_pos", [B, R, 4], 0, 1),
    region_mask: ints(Array(B).fill(Array(R).fill(1))),
    visual_targets: { ...golden("visual_targets", [B, R, F], 0, 2), shape: [B * R, F] },
    confidence: fromNumbers(mask.map((m, i) => m * sure[i]!), [B * R], "float64"),
    ...named(lxmert as unknown as Reference).weights,
  };
  return { p, shown, total, feeds };
}

function visualBertCase(): Case {
  const config = voltaConfig({
    ...{ ...sizes, embeddings: "visualbert", pretrainingHeads: "visualbert", control: singleStream(2) },
    regions: { features: F, mean: false },
  });
  const { p, states, words, mlm, matching, matched } = encoded(config);
  const total = add(mlm, matched);
  const shown = { text: states.text, vision: states.vision, words, seq_relationship_logits: matching };
  const feeds = {
    ...common,
    region_boxes: golden("none", [B, R, 5], 0, 1), // it reads no boxes
    region_mask: ints([
      [1, 1, 1, 1, 1],
      [1, 1, 1, 0, 0],
      [1, 1, 1, 1, 0],
    ]),
    ...named(visualBert as unknown as Reference).weights,
  };
  return { p, shown: { ...shown, "part mlm": mlm, "part match": matched, "total loss": total }, total, feeds };
}

const cases = [
  { name: "LXMERT", reference: lxmert as unknown as Reference, count: 21_291, ...lxmertCase() },
  { name: "VisualBERT", reference: visualBert as unknown as Reference, count: 6426, ...visualBertCase() },
];

describe.each(cases)("the tiny $name", ({ reference, count, p, shown, total, feeds }) => {
  const { family, weights, ours } = named(reference);
  it("has the reference's parameters, under Hugging Face's names", () => {
    expect(family).toBe(families.volta);
    expect(Object.fromEntries(p.specs().map(({ name, shape }) => [name, shape]))).toEqual(
      Object.fromEntries(Object.entries(weights).map(([name, t]) => [name, t.shape])),
    );
    expect(p.specs().reduce((n, { shape }) => n + size(shape), 0)).toBe(count);
  });
  it("gives the reference's states and losses", () => {
    const found = evaluate(shown, feeds);
    for (const [name, t] of Object.entries(found)) if (reference[name] !== undefined) expectLike(t, reference[name], name);
    expect(Object.keys(found).filter((name) => reference[name] !== undefined).length).toBeGreaterThan(3);
  });
  it("has the reference's gradients", () => {
    const norms = underOurs(reference["grads total"] as Record<string, number>, ours);
    expectNorms(evaluate(gradientsOf(total, p), feeds), norms);
  });
});

describe("VisualBERT's states", () => {
  it("are the reference's, text and regions one behind the other", () => {
    const { shown, feeds } = visualBertCase();
    const { text: words, vision } = evaluate(shown, feeds);
    const data = Array.from({ length: B }, (_, b) => [
      ...words!.data.slice(b * T * 16, (b + 1) * T * 16),
      ...vision!.data.slice(b * R * 16, (b + 1) * R * 16),
    ]).flat();
    expectLike(fromNumbers(data, [B, T + R, 16], "float64"), visualBert["hidden_states[2]"], "states");
  });
});

describe("Hugging Face's files", () => {
  it("of LXMERT have 228,051,752 parameters, and its config.json says so", () => {
    const published = voltaVariants["lxmert-base-uncased"]!;
    expect(voltaParameters(published).reduce((n, { shape }) => n + size(shape), 0)).toBe(228_051_752);
    const config = { model_type: "lxmert", l_layers: 9, r_layers: 5, x_layers: 5, visual_feat_dim: 2048, num_qa_labels: 9500 };
    expect(fromVoltaConfigJson(config)).toEqual(published);
  });
  it("of VisualBERT say their layers and the width of their regions", () => {
    const config = { model_type: "visual_bert", num_hidden_layers: 12, visual_embedding_dim: 2048 };
    expect(fromVoltaConfigJson(config)).toEqual(voltaVariants["visualbert-vqa-coco-pre"]);
    expect(() => fromVoltaConfigJson({ ...config, bypass_transformer: true })).toThrow(/bypass_transformer/);
  });
  it("leave nothing out but the copies of the words' matrix, and VisualBERT's names come back", () => {
    for (const reference of [lxmert, visualBert] as unknown as Reference[]) {
      const { named: file, family } = named(reference);
      expect([file.unknown, [...file.ignored.keys()]]).toEqual([[], []]);
      expect(family.layouts).toHaveProperty(file.layout);
      if (reference === (visualBert as unknown)) {
        const back = [...file.tensors.keys()].map((name) => voltaLayouts.visual_bert.target(name)?.name);
        expect(back.sort()).toEqual(Object.keys(reference.parameters).sort());
        expect(compareWeights([], file).misshapen).toEqual([]);
      }
    }
  });
});

describe("files of the models without heads", () => {
  it.each([
    ["LxmertModel", "lxmert.", lxmert],
    ["VisualBertModel", "visual_bert.", visualBert],
  ])("of %s have the same places", (what, prefix, reference) => {
    const whole = named(reference as unknown as Reference);
    const bare = Object.entries(reference.parameters).filter(([name]) => name.startsWith(prefix));
    const own = named({ parameters: Object.fromEntries(bare.map(([name, shape]) => [name.slice(prefix.length), shape])) } as never);
    expect([own.named.what, own.named.unknown]).toEqual([what, []]);
    for (const [ours, theirs] of own.named.stored) expect(whole.named.stored.get(ours)).toBe(`${prefix}${theirs}`);
  });
  it("leave VisualBERT's heads for other tasks out", () => {
    const { parameters } = visualBert as unknown as Reference;
    const { named: file } = named({ parameters: { ...parameters, "cls.weight": [9, 16], "cls.bias": [9] } } as never);
    expect([...file.ignored]).toEqual([["heads of tasks", ["cls.weight", "cls.bias"]]]);
  });
});

describe("on device cpu", () => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice("cpu", { threads: 1 });
  });
  it.each(cases)("the $name gives the same numbers in float32, with the gradient of every parameter", ({ p, shown, total, feeds }) =>
    expectOnEngine(device, { ...shown, ...gradientsOf(total, p) }, feeds),
  );
});
