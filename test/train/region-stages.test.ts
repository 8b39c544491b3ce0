/** The stages on the regions of a detector: what their batches hold, and what is said of wrong data and files. */
import { describe, expect, it } from "vitest";
import { allocateRows, type BatchBuild, type BatchItem, createBuilder, type Regions } from "../../src/data/index.ts";
import { families, familyOfWeights } from "../../src/models/family.ts";
import { vinvlConfig, vinvlFamily, vinvlParameters, vinvlVariants } from "../../src/models/vinvl/index.ts";
import { voltaConfig, voltaFamily, voltaParameters, voltaVariants } from "../../src/models/volta/index.ts";
import { parseRecipe } from "../../src/pretrain/recipe/index.ts";
import { size } from "../../src/tensor/index.ts";
import { bertTokenizer, SPECIAL_TOKENS } from "../../src/text/index.ts";
import { filledAll } from "../golden/compared.ts";
import { RECIPE } from "../support/stage-case.ts";

describe("a batch of regions", () => {
  const tokenizer = bertTokenizer([...SPECIAL_TOKENS, "a", "cat", "dog"]);
  const regions: Regions = {
    count: 2,
    width: 3,
    features: Float32Array.of(1, 2, 3, 5, 6, 7),
    boxes: Float32Array.of(0, 0, 0.5, 1, 0.5, 0, 1, 1),
    classes: Float32Array.of(1, 0, 0, 1),
    tags: ["dog"],
  };
  const build = (of: object = {}, tags = false): BatchBuild => ({
    kind: "regions",
    tags,
    text: { length: 8, mask: null },
    regions: { most: 3, features: 3, box: 5, mean: true, masked: null, classes: 2, grid: null, ...of },
  });
  const item: BatchItem = {
    key: "7",
    text: "a cat",
    regions,
    tags: regions.tags,
    draw: { seed: 1, stream: "s", epoch: 0, ordinal: 0 },
  };
  const encode = (of: BatchBuild, what: BatchItem) => {
    const { fields, encode: fill } = createBuilder(of, tokenizer);
    const rows = allocateRows(fields, 1);
    fill(what, undefined, rows, 0);
    return Object.fromEntries(Object.entries(rows).map(([name, data]) => [name, Array.from(data, Number)]));
  };
  it("has the mean of the regions first, and pads", () => {
    const found = encode(build(), item);
    expect(found.region_features).toEqual([3, 4, 5, 1, 2, 3, 5, 6, 7, 0, 0, 0]);
    expect(found.region_boxes).toEqual([0, 0, 1, 1, 1, 0, 0, 0.5, 1, 0.5, 0.5, 0, 1, 1, 0.5, 0, 0, 0, 0, 0]);
    expect([found.region_mask, found.region_classes]).toEqual([
      [1, 1, 1, 0],
      [1, 0, 0, 1, 0, 0],
    ]);
  });
  it("hides chosen regions, at least one, and leaves covered ones out of the mean's count", () => {
    const found = encode(build({ masked: 0.01 }), item);
    const chosen = found.region_weights!.indexOf(1);
    expect(found.region_weights!.filter((w) => w === 1)).toHaveLength(1);
    const rows = [found.region_features!.slice(3, 6), found.region_features!.slice(6, 9)];
    const hidden = rows[chosen]!.every((x) => x === 0);
    const sum = [0, 1, 2].map((i) => rows[0]![i]! + rows[1]![i]!);
    expect(hidden || rows[chosen]!.every((x) => x > 0)).toBe(true);
    expect(found.region_features!.slice(0, 3)).toEqual(sum); // one region is not covered
  });
  it("puts tags behind the caption, and says which part is another picture's", () => {
    const vinvl = build({ box: 6, mean: false, classes: 0 }, true);
    const [cls, sep, a, cat, dog] = ["[CLS]", "[SEP]", "a", "cat", "dog"].map(
      (word) => tokenizer.encode(word).inputIds[word.startsWith("[") ? (word === "[CLS]" ? 0 : 1) : 1]!,
    );
    const own = encode(vinvl, item);
    expect(own.input_ids!.slice(0, 6)).toEqual([cls, a, cat, sep, dog, sep]);
    expect([own.token_type_ids, own.mismatch]).toEqual([[0, 0, 0, 0, 1, 1, 0, 0], [0]]);
    expect(encode(vinvl, { ...item, otherTags: ["cat"] }).mismatch).toEqual([1]);
    expect(encode(vinvl, { ...item, negative: "a dog" }).mismatch).toEqual([2]);
    expect(encode(vinvl, { ...item, negative: "a cat" }).mismatch).toEqual([0]); // the same words
  });
  it.each<[string, BatchBuild, BatchItem, RegExp]>([
    ["regions", build(), { ...item, regions: undefined }, /7: expected the regions of a detector, got none/],
    [
      "the model's width",
      build({ features: 4 }),
      item,
      /region features of 4 numbers \(model.regions.features\), got 3/,
    ],
    [
      "the model's classes",
      build({ classes: 5 }),
      item,
      /probabilities of 5 classes a region \(model.regions.classes\), got 2/,
    ],
    [
      "a tag list",
      build({ box: 6, mean: false, classes: 0 }, true),
      { ...item, tags: undefined },
      /7: expected a list of object tags, got none/,
    ],
    ["a caption", build(), { ...item, text: undefined }, /7: the caption is missing/],
  ])("without %s is refused", (_, of, what, message) => {
    expect(() => encode(of, what)).toThrow(message);
  });
});

describe("a recipe", () => {
  const parse = (stage: object, model: object) =>
    parseRecipe({ ...RECIPE, model: undefined, ...model, stages: { only: stage } });
  it("whose features are no grid's is refused before anything is read", () => {
    const vinvl = { family: "vinvl", model: { regions: { features: 10 } } };
    expect(() => parse({ kind: "vinvl", regions: { grid: 2 } }, vinvl)).toThrow(
      /model.regions.features is 10: expected 12, 27/,
    );
    expect(() => parse({ kind: "vinvl", regions: { grid: 8 } }, { family: "vinvl" })).toThrow(
      /8 × 8 cells are more than 50/,
    );
  });
});

describe("files", () => {
  const stored = (specs: ReturnType<typeof vinvlParameters>, extra: object = {}) => {
    const tensors = new Map(
      Object.entries({ ...filledAll(specs), ...extra }).map(([name, t]) => [
        name,
        { dtype: "float32" as const, shape: t.shape },
      ]),
    );
    return { name: "pytorch_model.bin", tensors, read: () => Promise.reject(new Error("not read")) };
  };
  it.each(Object.entries(vinvlVariants))(
    "of VinVL's %s: config.json comes back, and says itself by its names",
    (_, config) => {
      expect(
        vinvlFamily.fromConfig(JSON.parse(vinvlFamily.configFile(config, { lossWeights: {}, tensors: [] }))),
      ).toEqual(config);
    },
  );
  it("of Oscar are known by their names, and give their sizes", () => {
    const config = vinvlConfig({ ...vinvlVariants.small!, text: { ...vinvlVariants.small!.text, vocabSize: 50 } });
    const { family, named } = familyOfWeights(stored(vinvlParameters(config)), undefined);
    expect([family, named.what]).toEqual([families.vinvl, "Oscar"]);
    expect(vinvlFamily.infer("x", named.tensors).config).toEqual(config);
  });
  it("of VOLTA come back with their config.json, and are not guessed without", () => {
    for (const config of Object.values(voltaVariants))
      expect(
        voltaFamily.fromConfig(JSON.parse(voltaFamily.configFile(config, { lossWeights: {}, tensors: [] }))),
      ).toEqual(config);
    const tiny = voltaConfig({ hiddenSize: 8, heads: 2, text: { vocabSize: 9 }, regions: { features: 4, classes: 3 } });
    const { family, named } = familyOfWeights(stored(voltaParameters(tiny)), undefined);
    expect(family).toBe(families.volta);
    expect(() => voltaFamily.infer("x", named.tensors)).toThrow(/expected a config.json, got none/);
  });
  it("of VinVL base have BERT's parameters and those of regions and heads", () => {
    const count = vinvlParameters(vinvlVariants.base!).reduce((n, { shape }) => n + size(shape), 0);
    const bert = 109_482_240; // with its pooler
    const regions = 768 * (2054 + 1) + 2 * 768;
    const heads = 768 * (768 + 1) + 2 * 768 + 30_522 + 3 * (768 + 1);
    expect(count).toBe(bert + regions + heads);
  });
});
