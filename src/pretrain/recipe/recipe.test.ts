import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ConfigError } from "../../errors.ts";
import { flavaConfig } from "../../models/flava/config.ts";
import type { ImageDinoStage } from "../stages/image-dino.ts";
import type { JointStage } from "../stages/joint.ts";
import type { TextMlmStage } from "../stages/text-mlm.ts";
import { checkPlaces, describePlan, formatPlan, missingPlaces, parseRecipe, resolveRecipe } from "./index.ts";
import { recipeJsonSchema } from "./json-schema.ts";

const RECIPES = [
  "starter",
  "starter-long",
  "starter-dino",
  "starter-concepts",
  "flava-base",
  "flava-base-synthetic",
  ...["clip", "simvlm", "vilt", "align", "vinvl", "volta", "unit", "albef"].flatMap((name) => [
    `compared/${name}-base`,
    `compared/${name}-starter`,
  ]),
  ...["flava", "single-stream", "intra-modal", "inter-modal", "gated"].map((name) => `compared/layers/${name}`),
  ...["vit", "resnet"].map((name) => `compared/bias/${name}`),
  ...["mim", "mlm", "flava-c", "flava-mm", "flava-no-init", "flava", "clip"].map((name) => `ablation/${name}`),
].map((name) => `recipes/${name}.yaml`);

const minimal = (changes: Record<string, unknown> = {}): Record<string, unknown> => ({
  name: "test",
  data: { pairs: "synthetic:64", images: ["synthetic:64"], texts: ["synthetic:64"] },
  stages: { joint: { kind: "joint" } },
  ...changes,
});

function problem(changes: Record<string, unknown>): string {
  try {
    parseRecipe(minimal(changes));
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message;
  }
  throw new Error("expected a ConfigError");
}

describe("the recipes of the repository", () => {
  it.each(RECIPES)("%s resolves, shrinks, and names its command", async (path) => {
    const { recipe } = await resolveRecipe(path);
    expect(parseRecipe(JSON.parse(JSON.stringify(recipe)))).toEqual(recipe);
    const { recipe: tiny } = await resolveRecipe(path, { tiny: true });
    expect(Object.keys(tiny.stages)).toEqual(Object.keys(recipe.stages));
    for (const stage of Object.values(tiny.stages)) expect(stage.steps).toBeLessThanOrEqual(6);
    expect(await missingPlaces(tiny)).toEqual([]);
    const text = await readFile(path, "utf8");
    expect(text).toContain(`flava pretrain ${path}`);
    expect(text).toMatch(/^# yaml-language-server: \$schema=(\.\.\/){0,2}recipe\.schema\.json\n/);
  });

  it("flava-base is the paper's model and joint stage", async () => {
    const { recipe } = await resolveRecipe("recipes/flava-base.yaml");
    expect(recipe.model).toEqual(flavaConfig());
    const joint = recipe.stages.joint as JointStage;
    expect(joint.batchSize).toBe(8192);
    expect(joint.sampling).toEqual({ pairs: 0.7, contrast: 0, images: 0.15, texts: 0.15 });
    expect(joint.optimizer).toMatchObject({ lr: 1e-3, betas: [0.9, 0.999], weightDecay: 0.1 });
    expect(joint.schedule).toMatchObject({ kind: "cosine", warmupSteps: 10_000 });
    expect(Math.round(joint.steps * joint.sampling.pairs)).toBe(150_000);
    expect(recipe.stages.text).toMatchObject({ steps: 125_000, batchSize: 2048, optimizer: { lr: 5e-4 } });
    expect((recipe.stages.image as ImageDinoStage).head.outputSize).toBe(65_536);
  });

  it("the defaults of the joint and text stages are those of flava-base", async () => {
    const { recipe } = await resolveRecipe("recipes/flava-base.yaml");
    const bare = parseRecipe(minimal({ stages: { text: { kind: "text-mlm" }, joint: { kind: "joint" } } }));
    const whole = { gradientAccumulationSteps: 1 }; // how a batch is cut changes no update
    const { init: _, best: __, every: ___, ...joint } = recipe.stages.joint as JointStage;
    expect(bare.stages.joint).toMatchObject({ ...joint, ...whole });
    const { best: ____, ...text } = recipe.stages.text as TextMlmStage;
    expect(bare.stages.text).toMatchObject({ ...text, ...whole });
  });

  it("the ablation differs from the starter in losses, data and initial weights only", async () => {
    const { recipe: starter } = await resolveRecipe("recipes/starter.yaml");
    for (const path of RECIPES.filter((p) => p.includes("ablation"))) {
      const { recipe } = await resolveRecipe(path);
      const gather = path.endsWith("clip.yaml") ? "local" : "global";
      expect(recipe.model, path).toEqual({ ...starter.model, contrastiveGather: gather });
      const { sampling, lossWeights, init, best, pack, contrastiveParts, ...same } = recipe.stages.joint as JointStage;
      expect(starter.stages.joint, path).toMatchObject(same);
    }
  });

  it("recipe.schema.json is the schema of this code", async () => {
    const path = "recipes/recipe.schema.json";
    if (process.env.UPDATE_SCHEMA) await writeFile(path, `${JSON.stringify(recipeJsonSchema(), null, 2)}\n`);
    const file: unknown = JSON.parse(await readFile(path, "utf8"));
    expect(file, "UPDATE_SCHEMA=1 npx vitest run src/pretrain/recipe writes it anew").toEqual(recipeJsonSchema());
  });
});

describe("parseRecipe", () => {
  it("with products in bfloat16 is refused for a device that multiplies float32, and names those that do not", async () => {
    const set = (device: string): string[] => [`device=${device}`, "dtype=bf16"];
    await expect(resolveRecipe("recipes/starter.yaml", { set: set("cpu") })).rejects.toThrow(
      /expected fp32 on the device cpu.*got bf16.*openvino.*xla:cpu/s,
    );
    const { recipe } = await resolveRecipe("recipes/starter.yaml", { set: set("xla:cpu") });
    expect(recipe.dtype).toBe("bf16");
  });

  it("fills in every default and keeps the order of the stages", () => {
    const recipe = parseRecipe(
      minimal({ stages: { z: { kind: "text-mlm" }, a: { kind: "joint", init: { text: "z" } } } }),
    );
    expect(Object.keys(recipe.stages)).toEqual(["z", "a"]);
    expect(recipe).toMatchObject({ runDir: "runs/test", seed: 0, device: "cpu", model: flavaConfig() });
    expect(recipe.data.pairs).toEqual([{ source: "synthetic:64", weight: 1 }]);
    expect(recipe.evaluation).toEqual({
      validation: {},
      test: {},
      texts: [],
      labelled: null,
      boxes: {},
      maxPairs: 5000,
      batchSize: 64,
    });
  });

  it("puts the recipe's sizes on top of the variant's", () => {
    const { model } = parseRecipe(
      minimal({
        variant: "small",
        model: { text: { layers: 1 } },
        stages: { t: { kind: "text-mlm", textLength: 64 } },
      }),
    );
    expect([model.text.layers, model.text.hiddenSize, model.image.imageSize]).toEqual([1, 192, 64]);
  });

  const stage = (fields: Record<string, unknown>, kind = "joint") => ({ stages: { s: { kind, ...fields } } });
  it.each<[string, Record<string, unknown>, RegExp]>([
    ["an unknown key, with the nearest name", { sed: 1 }, /unknown key "sed": did you mean "seed"\?/],
    [
      "an unknown key deep inside",
      stage({ optimizer: { lrr: 1 } }),
      /unknown key "lrr": did you mean "lr"\?\n\s+→ at stages\.s\.optimizer/,
    ],
    ["an unknown key of a stage of another kind", stage({ sampling: {} }, "dvae"), /unknown key "sampling"/],
    [
      "an unknown kind of stage",
      stage({}, "joined"),
      /expected one of dvae, text-mlm, .*joint, .*, got "joined".*\n\s+→ at stages\.s\.kind/,
    ],
    ["a wrong type", stage({ steps: "many" }), /expected a number, got "many"\n\s+→ at stages\.s\.steps/],
    ["a fraction of a step", stage({ steps: 1.5 }), /expected a whole number, got 1.5/],
    ["an unknown device", { device: "cpuu" }, /expected one of .*got "cpuu" \(did you mean "cpu"\?\)/],
    ["an unknown variant", { variant: "smal" }, /did you mean "small"/],
    [
      "an unknown source type",
      { data: { pairs: [{ source: { type: "zip", path: "x" } }] } },
      /expected one of tar, .*got "zip"/,
    ],
    [
      "a key that a source does not have",
      { data: { pairs: [{ source: { type: "tar", path: "x", image: "i" } }] } },
      /unknown key "image"/,
    ],
    [
      "an image that is not whole patches",
      { model: { image: { imageSize: 225 } } },
      /225 pixels are not whole patches of 16/,
    ],
    [
      "a width that does not divide among heads",
      { model: { text: { heads: 7 } } },
      /768 does not divide among 7 heads/,
    ],
    [
      "a codebook with other words than the heads",
      { model: { codebook: { vocabSize: 100 } } },
      /expected image\.vocabSize 8192, got 100/,
    ],
    [
      "a codebook image that is not whole words",
      stage({ imageSize: 100 }, "dvae"),
      /100 pixels are not whole words of 8/,
    ],
    [
      "local crops that are not whole patches",
      stage({ localCrops: { size: 90 } }, "image-dino"),
      /90 pixels are not whole patches of 16/,
    ],
    [
      "more masked patches than patches",
      stage({ imageMasking: { patches: 197 } }),
      /197 masked patches are more than the 14 × 14 = 196/,
    ],
    [
      "blocks larger than what is masked",
      stage({ imageMasking: { patches: 10 } }),
      /a block of 16 is more than the 10 to mask/,
    ],
    [
      "a text longer than the positions",
      stage({ textLength: { texts: 513 } }),
      /513 tokens are more than model\.text\.maxPositions 512\n\s+→ at stages\.s\.textLength\.texts/,
    ],
    ["a text without room for a word", stage({ textLength: { pairs: 2 } }), /2 tokens hold no word/],
    [
      "a missing source",
      { data: { pairs: "synthetic:64", images: "synthetic:64", texts: [] } },
      /this reads texts, but data\.texts is empty/,
    ],
    ["ratios that sum to 0", stage({ sampling: { pairs: 0, images: 0, texts: 0 } }), /the ratios sum to 0/],
    ["a negative ratio", stage({ sampling: { pairs: -1 } }), /Too small/],
    ["steps that train nothing", stage({ lossWeights: { mim: 0 } }), /every loss of images has weight 0/],
    ["loss weights in two places", { model: { lossWeights: { mim: 0 } } }, /unknown key "lossWeights"/],
    ["a contrastive batch of one", stage({ batchSize: 1 }), /the contrastive loss compares samples/],
    [
      "micro-batches that do not divide",
      stage({ gradientAccumulationSteps: 3 }),
      /8192 samples do not divide into 3 micro-batches/,
    ],
    [
      "weights from a stage that does not exist",
      stage({ init: { image: "dino" } }),
      /got "dino" \(there is no earlier stage\)/,
    ],
    [
      "weights from a stage of the wrong kind",
      { stages: { t: { kind: "text-mlm" }, s: { kind: "joint", init: { image: "t" } } } },
      /"t" is a text-mlm stage, which trains no image/,
    ],
    [
      "weights from a later stage",
      { stages: { s: { kind: "joint", init: { text: "t" } }, t: { kind: "text-mlm" } } },
      /got "t"/,
    ],
    ["visual words without a codebook", { model: { codebook: null } }, /model\.codebook is null/],
    ["no stage", { stages: {} }, /at least one stage/],
    ["a pattern that is no regular expression", stage({ optimizer: { noDecay: ["("] } }), /regular expression/],
    ["a probability above 1", stage({ textMasking: { probability: 1.5 } }), /Too big/],
    [
      "a best checkpoint by what is not measured",
      stage({ best: { metric: "eval/mlm/loss", mode: "min" } }),
      /"eval\/mlm\/loss" is measured on evaluation\.texts, which is empty\n\s+→ at stages\.s\.best\.metric/,
    ],
    [
      "a best checkpoint by a test set",
      { ...stage({ best: { metric: "eval/t/i2t_r1", mode: "max" } }), evaluation: { test: { t: "synthetic:4" } } },
      /"eval\/t\/i2t_r1" is of a test set/,
    ],
    [
      "a best checkpoint by a metric of training",
      stage({ best: { metric: "mim/accuracy", mode: "max" } }),
      /"mim\/accuracy" is not measured on held-out data: expected "eval\/…", for instance "eval\/mim\/accuracy"/,
    ],
    [
      "a best checkpoint by a set that there is not",
      stage({ best: { metric: "eval/coco/i2t_r1", mode: "max" } }),
      /"eval\/coco\/i2t_r1" is not measured by this stage: expected eval\/ and one of \w+/,
    ],
    [
      "a set with the name of another evaluation",
      { evaluation: { validation: { knn: "synthetic:4" } } },
      /"knn" is the name of another evaluation/,
    ],
    [
      "a set that is validation and test",
      { evaluation: { validation: { v: "synthetic:4" }, test: { v: "synthetic:8" } } },
      /"v" is a validation set already/,
    ],
    [
      "labelled images without a test",
      { evaluation: { labelled: { train: "synthetic:4" } } },
      /evaluation\.labelled\.test/,
    ],
    ["shares above 1 together", stage({ textMasking: { maskShare: 0.95 } }), /together are more than 1/],
  ])("refuses %s", (_, changes, message) => {
    expect(problem(changes)).toMatch(message);
  });

  it("lists all problems at once", () => {
    const message = problem({ sed: 1, stages: { s: { kind: "joint", stepps: 1, batchSize: "x" } } });
    expect(message.match(/✖/g)).toHaveLength(3);
  });
});

describe("resolveRecipe", () => {
  let folder = "";
  const file = async (name: string, text: string): Promise<string> => {
    await writeFile(join(folder, name), text);
    return join(folder, name);
  };
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "flava-recipe-"));
    await file("base.yaml", "data: { texts: 'synthetic:8' }\nstages: { t: { kind: text-mlm, steps: 20000 } }\n");
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));
  const base = (set: string[]) => resolveRecipe(join(folder, "base.yaml"), { set });

  it("names a recipe after its file", async () => {
    expect((await base([])).recipe.name).toBe("base");
  });

  it("reads each --set as the type at its place, and says what it changed", async () => {
    const { recipe, overrides } = await base([
      "name=1e3",
      "stages.t.steps=30000",
      "stages.t.optimizer.lr=3e-4",
      "stages.t.optimizer.betas=[0.8, 0.9]",
      "stages.t.best={metric: eval/mlm/loss, mode: min}",
      "evaluation.texts=synthetic:4",
      "evaluation.labelled={train: synthetic:8, test: synthetic:4}",
      "stages.t.clipNorm=null",
      "stages.t.masking.wholeWord=true",
      "data.texts=[synthetic:16, text:a.txt]",
      "evaluation.test.mine=synthetic:4",
    ]);
    expect(recipe.name).toBe("1e3");
    expect(recipe.stages.t).toMatchObject({ steps: 30000, optimizer: { lr: 3e-4, betas: [0.8, 0.9] }, clipNorm: null });
    expect(recipe.stages.t).toMatchObject({
      best: { metric: "eval/mlm/loss", mode: "min" },
      masking: { wholeWord: true },
    });
    expect(recipe.data.texts.map(({ source }) => source)).toEqual(["synthetic:16", "text:a.txt"]);
    expect(recipe.evaluation).toMatchObject({
      test: { mine: "synthetic:4" },
      texts: ["synthetic:4"],
      labelled: { train: "synthetic:8", test: "synthetic:4" },
    });
    expect(overrides[1]).toEqual({ path: "stages.t.steps", was: 20000, now: 30000 });
    expect(overrides[2]).toEqual({ path: "stages.t.optimizer.lr", was: undefined, now: 3e-4 });
  });

  it.each([
    ["stages.t.step=3", /expected a key of stages\.t, got "step"\n {2}help: did you mean "steps"\?/],
    ["stages.u.steps=3", /expected a key of stages, got "u"/],
    ["sead=3", /expected a key of the recipe, got "sead"\n {2}help: did you mean "seed"\?/],
    ["stages.t.steps.x=3", /expected a key of stages\.t\.steps, got "x"/],
    ["data.texts.0.source=x", /to hold keys, got "synthetic:8"\n {2}help: set it as a whole/],
    ["stages.t.steps=many", /expected a number, got "many"/],
    ["stages.t.optimizer.betas=[1", /expected a value/],
    ["stages.t.steps", /expected key=value/],
    ["__proto__.x=1", /expected a key of the recipe, got "__proto__"/],
  ])("refuses --set %s", async (assignment, message) => {
    await expect(base([assignment])).rejects.toThrow(message);
    await expect(base([assignment])).rejects.toThrow(ConfigError);
  });

  it("puts a recipe on top of the one it extends, and takes stages away", async () => {
    const path = await file(
      "child.yaml",
      "extends: base.yaml\nstages: { t: { batchSize: 4 }, u: { kind: text-mlm, init: { text: t } } }\n",
    );
    const { recipe } = await resolveRecipe(path);
    expect(recipe.name).toBe("child");
    expect(recipe.stages.t).toMatchObject({ steps: 20000, batchSize: 4 });
    expect(Object.keys(recipe.stages)).toEqual(["t", "u"]);
    const without = await resolveRecipe(path, { set: ["stages.t=null", "stages.u.init.text=random"] });
    expect(Object.keys(without.recipe.stages)).toEqual(["u"]);
  });

  it("takes test and validation sets away that are null", async () => {
    const path = await file(
      "sets.yaml",
      "extends: base.yaml\nevaluation: { test: { a: synthetic:8, b: synthetic:8 }, validation: { c: synthetic:8 } }\n",
    );
    const set = ["evaluation.test.a=null", "evaluation.validation.c=null"];
    const { evaluation } = (await resolveRecipe(path, { set })).recipe;
    expect([evaluation.test, evaluation.validation].map((sets) => Object.keys(sets))).toEqual([["b"], []]);
  });

  it("refuses files that are missing, circular, or no YAML", async () => {
    await expect(resolveRecipe(join(folder, "no.yaml"))).rejects.toThrow(
      /no\.yaml: expected a recipe file, got ENOENT/,
    );
    const circle = await file("circle.yaml", "extends: circle.yaml\n");
    await expect(resolveRecipe(circle)).rejects.toThrow(/circle/);
    await expect(resolveRecipe(await file("bad.yaml", "a: [1\n"))).rejects.toThrow(/expected YAML/);
    await expect(resolveRecipe(await file("twice.yaml", "seed: 1\nseed: 2\n"))).rejects.toThrow(/unique/);
    await expect(resolveRecipe(await file("list.yaml", "- 1\n"))).rejects.toThrow(/expected keys and values/);
  });

  it("refuses aliases of aliases, a key that would be lost, and a name that leaves the folder of runs", async () => {
    const bomb = ["a0: &a0 [x, x]", ...Array.from({ length: 12 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}]`)];
    const failures: [text: string, message: RegExp][] = [
      [bomb.join("\n"), /odd\.yaml: expected YAML, got .*alias/],
      ["stages: &s {joint: *s}", /a value that contains itself/],
      ["stages: {joint: {kind: joint}, __proto__: {kind: joint}}", /odd\.yaml: expected another key than "__proto__"/],
      ["evaluation: {test: {__proto__: synthetic:8}}", /expected another key than "__proto__"/],
      ["stages: {constructor: 3}", /→ at stages\.constructor/],
      ...["../x", "a/b", "..", '"a\\\\b"', '""'].map((name): [string, RegExp] => [
        `name: ${name}\nstages: {}`,
        /expected a name without "\/".* → at name/s,
      ]),
    ];
    for (const [text, message] of failures) {
      const error = await resolveRecipe(await file("odd.yaml", text)).catch((e) => e);
      expect(error, text).toBeInstanceOf(ConfigError);
      expect(error.message).toMatch(message);
    }
    const set = (assignment: string) => resolveRecipe("recipes/starter.yaml", { set: [assignment] });
    await expect(set("stages.__proto__={kind: joint}")).rejects.toThrow(ConfigError);
    await expect(set("stages.constructor.steps=3")).rejects.toThrow(ConfigError);
    expect(() => parseRecipe(JSON.parse('{"stages": {"__proto__": {"kind": "joint"}}}'))).toThrow(ConfigError);
    expect((await resolveRecipe("recipes/starter.yaml", { set: ["name=my run, v1.2"] })).recipe.name).toBe(
      "my run, v1.2",
    );
  });

  it("applies --set after --tiny", async () => {
    const { recipe } = await resolveRecipe("recipes/flava-base.yaml", { tiny: true, set: ["stages.joint.steps=3"] });
    expect(recipe.stages.joint!.steps).toBe(3);
    expect(recipe.stages.joint).toMatchObject({ init: { codebook: "random" }, imageMasking: { patches: 6 } });
  });

  it("runs the paper's model on a desk with the assignments in the recipe's head", async () => {
    const head = (await readFile("recipes/flava-base.yaml", "utf8")).split("\n").filter((line) => line.startsWith("#"));
    const set = [...head.join("\n").matchAll(/--set (\S+)/g)].map((match) => match[1]!);
    expect(set.length).toBeGreaterThan(8);
    const { recipe } = await resolveRecipe("recipes/flava-base.yaml", { set });
    expect(recipe.stages.joint).toMatchObject({ steps: 3, batchSize: 8 });
    expect(recipe.model).toEqual(flavaConfig());
    await expect(checkPlaces(recipe)).resolves.toBeUndefined();
  });
});

describe("checkPlaces", () => {
  it("lists files that do not exist, and asks nothing of addresses, starter and synthetic data", async () => {
    const { recipe } = await resolveRecipe("recipes/flava-base.yaml");
    await expect(checkPlaces(recipe)).rejects.toThrow(
      /✖ data\.pairs\.0: data\/pmd\/coco\/00000\.tar\n.*\n(✖.*\n)*\s+and \d+ more\n {2}help: .*write your own places/,
    );
    const sources = [
      "https://example.org/{00..10}.tar",
      "starter:pairs",
      "synthetic:8",
      "package.json",
      "tar:package.json",
    ];
    expect(
      await missingPlaces(parseRecipe(minimal({ data: { pairs: sources, images: "package.json", texts: "recipes" } }))),
    ).toEqual([]);
  });
});

describe("describePlan", () => {
  it("counts samples by kind and prints what was measured", async () => {
    const { recipe } = await resolveRecipe("recipes/flava-base.yaml");
    const plan = await describePlan(recipe, {
      words: 40,
      warnings: { text: ["the warm-up"] },
      measure: (_, stage) => ({
        parameters: { "flava.text_model": 109_483_776, mlm_head: 24_063_546 },
        memory: { parameters: 2 ** 30, moments: 2 ** 31 },
        nodes: { [stage]: 1234 },
        fit: {
          text: { available: 2 ** 32, samples: 32, steps: 1, bytes: 2 ** 31 },
          image: { available: 2 ** 32, samples: 0, steps: 1024, bytes: 2 ** 33 },
          joint: { available: 2 ** 32, samples: 4, steps: 2048, bytes: 2 ** 31 },
        }[stage],
      }),
    });
    expect(plan.stages[2]).toMatchObject({ name: "joint", samples: { pairs: 150_000 * 8192, images: 32143 * 8192 } });
    const text = formatPlan(plan);
    expect(text).toMatch(/stage text +text-mlm: 125,000 steps of 2,048; in all 256,000,000 texts/);
    expect(text).toContain("parameters 133.5M: flava.text_model 109.5M, mlm_head 24.1M");
    expect(text).toContain("memory about 3.0 GiB: moments 2.0 GiB, parameters 1.0 GiB");
    expect(text).toContain("nodes joint 1,234");
    expect(text).toContain("fits into 4.0 GiB: micro-batches of up to 32 do (gradientAccumulationSteps 1, 2.0 GiB)");
    expect(text).toContain("too large for 4.0 GiB: a micro-batch of one sample takes 8.0 GiB");
    expect(text).toContain("too large for 4.0 GiB: micro-batches of up to 4 do (gradientAccumulationSteps 2,048");
    expect(text).toMatch(/^validation +coco_val: \S+\n(.+\n)*test +\w+: /m);
    expect(text).toMatch(/text encoder .* words: 40$/m);
    expect(text).toContain("warning: the warm-up");
    expect(text).toContain(" 43.3 %  data/pmd/yfcc100m-filtered/");
  });
});
