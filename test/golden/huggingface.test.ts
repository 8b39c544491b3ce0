/** What we write against what Hugging Face's classes ask for, as they said it themselves (test/reference/check_huggingface.py). */
import { type ConfigJson, huggingFaceJson } from "../../src/models/index.ts";
import { describe, expect, it } from "vitest";
import {
  type FlavaConfigInput,
  flavaConfig,
  flavaParameters,
  fromHuggingFaceConfig,
  huggingFaceNotes,
  toHuggingFaceConfig,
  variants,
} from "../../src/models/flava/index.ts";
import golden from "./huggingface/flava.json" with { type: "json" };

const { "three groups are four": threeGroups, ...cases } = golden.cases;
const fields: Readonly<Record<string, Readonly<Record<string, string>>>> = golden.fields;

/** A written config.json with its numbers as they are spelled. */
const spelled = (json: ConfigJson): ConfigJson =>
  JSON.parse(huggingFaceJson(json).replace(/: (-?\d[\d.e+-]*)(,?)$/gm, ': "number $1"$2')) as ConfigJson;

const HOLDS: Readonly<Record<string, (value: unknown) => boolean>> = {
  float: (value) => /^number -?(\d+\.\d+|\d+(\.\d+)?e[+-]?\d+)$/.test(String(value)),
  int: (value) => /^number -?\d+$/.test(String(value)),
  bool: (value) => typeof value === "boolean",
  str: (value) => typeof value === "string",
};

/** Fields of this part, and of those inside it, whose type is not the one that transformers asks for. */
function wrongTypes(part: ConfigJson): string[] {
  const types = fields[String(part.model_type)] ?? {};
  return Object.entries(part).flatMap(([key, value]) => {
    if (typeof value === "object" && value !== null && key.endsWith("_config")) return wrongTypes(value as ConfigJson);
    const allowed = (types[key] ?? "").split(" | ").flatMap((type) => (HOLDS[type] ? [HOLDS[type]] : []));
    return allowed.length === 0 || allowed.some((holds) => holds(value)) ? [] : [`${part.model_type}.${key}: ${value}`];
  });
}

/** Every number that may be whole is whole. */
const WHOLE: FlavaConfigInput = {
  image: { layerNormEps: 1, initializerRange: 0 },
  text: { layerNormEps: 1, initializerRange: 2 },
  multimodal: { layerNormEps: 1, initializerRange: 1 },
  logitScaleInit: -3,
};
const ones = { mim: 1, mlm: 1, itm: 1, globalContrastive: 1, mmmImage: 1, mmmText: 1 };

describe("config.json as transformers 5 reads it", () => {
  it.each<[string, FlavaConfigInput]>([...Object.entries(variants), ["one of whole numbers", WHOLE]])(
    "has the type of every field: %s",
    (_, config) => {
      expect(wrongTypes(spelled(toHuggingFaceConfig(flavaConfig(config))))).toEqual([]);
      const lossWeights = { mim: 0, mlm: 1, itm: 0.5, globalContrastive: 1e-7, mmmImage: 100, mmmText: 3 };
      const json = toHuggingFaceConfig(flavaConfig(config), { lossWeights });
      expect(wrongTypes(spelled(json))).toEqual([]);
      expect(JSON.parse(huggingFaceJson(json))).toEqual(JSON.parse(JSON.stringify(json)));
    },
  );

  it("spells as floats exactly what is a float there", () => {
    const json = spelled(toHuggingFaceConfig(flavaConfig(WHOLE)));
    expect(json).toMatchObject({ mim_weight: "number 1.0", initializer_factor: "number 1.0", hidden_size: "number 768" });
    expect(json.image_config).toMatchObject({ layer_norm_eps: "number 1.0", initializer_range: "number 0.0" });
    expect(json.logit_scale_init_value).toBe("number -3.0");
    expect(wrongTypes({ ...json, mim_weight: "number 1", hidden_size: "number 16.0" })).toEqual([
      "flava.hidden_size: number 16.0",
      "flava.mim_weight: number 1",
    ]);
  });

  it("holds the weights of the run's losses, and ones unless said", () => {
    const lossWeights = { ...ones, itm: 0.25, globalContrastive: 2 };
    expect(toHuggingFaceConfig(variants.tiny, { lossWeights })).toMatchObject({
      itm_weight: 0.25,
      global_contrastive_weight: 2,
      mmm_text_weight: 1,
    });
    expect(toHuggingFaceConfig(variants.tiny)).toMatchObject({ itm_weight: 1 });
  });
});

describe("the tensors of FlavaForPreTraining", () => {
  const named = (config: ConfigJson): Record<string, readonly number[]> => {
    const specs = flavaParameters(fromHuggingFaceConfig(config));
    return Object.fromEntries(specs.flatMap(({ name, aliases, shape }) => [name, ...aliases].map((one) => [one, shape])));
  };

  it.each(Object.entries(cases))("are ours, by name and shape: %s", (_, { config, tensors }) => {
    expect(named(config)).toEqual(tensors);
    expect(toHuggingFaceConfig(fromHuggingFaceConfig(config))).toMatchObject(config);
  });

  it("have one bias a head under two names", () => {
    const pairs = flavaParameters(variants.tiny).flatMap(({ name, aliases }) => aliases.map((alias) => [name, alias]));
    expect(Object.fromEntries(pairs)).toEqual(golden.tied);
  });

  it("are four groups of a codebook whatever the file says, so another number is left out there, and said", () => {
    const { config, tensors } = threeGroups;
    expect(Object.keys(tensors).filter((name) => name.includes("group_4")).length).toBeGreaterThan(0);
    const ours = fromHuggingFaceConfig(config);
    const written = toHuggingFaceConfig(ours);
    expect(written).toMatchObject({ init_codebook: false, flava_notes: [expect.stringMatching(/^The codebook has 3 groups/)] });
    expect(fromHuggingFaceConfig(written)).toEqual(ours);
    // What they then ask for is all there; the codebook's tensors are over.
    const { "no codebook": without } = cases;
    expect(named(written)).toMatchObject(without.tensors);
    const over = Object.keys(named(written)).filter((name) => !Object.hasOwn(without.tensors, name));
    expect(over.every((name) => name.startsWith("image_codebook."))).toBe(true);
  });
});

describe("huggingFaceNotes", () => {
  it("has nothing to say of a model that is theirs", () => {
    for (const config of [variants.base, variants.tiny]) {
      const tensors = flavaParameters(config).map(({ name }) => name);
      expect(huggingFaceNotes(config, { lossWeights: ones, tensors })).toEqual([]);
    }
  });

  it.each<[FlavaConfigInput, RegExp]>([
    [{ codebook: { groups: 2 } }, /^The codebook has 2 groups/],
    [{ image: { hiddenSize: 24 } }, /^The encoders have widths 24, 768 and 768: .* does not open/],
    [{ headLayerNormEps: 1e-5 }, /eps of 0\.00001/],
    [{ textPadMask: "none" }, /^Padding of texts was not hidden/],
    [{ textPadMask: "ids" }, /^Padding of texts was hidden by its id/],
    [{ multimodalPadMask: false }, /attend padding/],
    [{ multimodal: { clsToken: false } }, /no CLS/],
    [{ logitScaleRange: [0, 5] }, /^In training, logit_scale was kept in \[0, 5\]/],
  ])("says %j", (config, note) => {
    expect(huggingFaceNotes(flavaConfig(config), { lossWeights: ones })).toEqual([expect.stringMatching(note)]);
  });

  it("says what mismatched pairs do without matching, and which parts were not trained", () => {
    const tensors = flavaParameters(variants.tiny).flatMap(({ name }) => (name.startsWith("itm_head.") ? [] : [name]));
    expect(huggingFaceNotes(variants.tiny, { lossWeights: { ...ones, itm: 0 }, tensors })).toEqual([
      expect.stringMatching(/^With itm_weight 0/),
      "Not trained and not in the file: itm_head (4). Hugging Face draws these tensors at random.",
    ]);
  });
});

it.each([
  [{ text_config: 5 }, /^config.json: text_config:.*expected object, received number/s],
  [{ image_config_dict: [1] }, /^config.json: image_config_dict:.*expected object, received array/s],
  [{ multimodal_config: { hidden_size: "64" } }, /^config.json: multimodal_config:.*received string.*hidden_size/s],
])("a config.json with another kind of value is refused by its name: %j", (config, message) => {
  expect(() => fromHuggingFaceConfig({ model_type: "flava", ...config })).toThrow(message);
});
