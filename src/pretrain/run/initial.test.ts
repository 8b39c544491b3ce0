import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type StageCase, stageCase } from "../../../test/support/stage-case.ts";
import { CheckpointError, FileError } from "../../errors.ts";
import { entriesOf, saveSafetensors } from "../../hub/index.ts";
import { families } from "../../models/index.ts";
import { initialTensor, type ParamSpec } from "../../nn/index.ts";
import { emaName } from "../../optim/index.ts";
import { type BestSoFar, saveCheckpoint } from "../../record/index.ts";
import { fromNumbers, random, size, type Tensor, tensor, toNumbers } from "../../tensor/index.ts";
import { bertTokenizer, type TextTokenizer } from "../../text/index.ts";
import { loadBertTokenizer } from "../../text/load.node.ts";
import { declaredState, traceSteps } from "../../train/index.ts";
import type { InitFrom } from "../recipe/index.ts";
import { type InitialWeights, initialWeights, resultOf } from "./initial.ts";

const SEED = 5;
let folder = "";
let one: StageCase;
let specs: readonly ParamSpec[];
beforeAll(async () => {
  one = await stageCase("joint");
  specs = declaredState(await traceSteps("joint", one.stage, one.plan), one.plan).specs;
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "flava-initial-"));
  await keepTokenizer(one.tokenizer);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

type Tensors = Record<string, Tensor>;

/** Other numbers for the parameters whose names begin so. */
function others(tag: string, ...starts: readonly string[]): Tensors {
  const wanted = specs.filter(({ name }) => starts.some((start) => name.startsWith(start)));
  return Object.fromEntries(wanted.map(({ name, shape }) => [name, normals(`${tag} ${name}`, shape)]));
}

function normals(tag: string, shape: readonly number[]): Tensor {
  const rng = random(1, tag);
  return fromNumbers(
    Array.from({ length: size(shape) }, () => rng.normal()),
    shape,
  );
}

const renamed = (tensors: Tensors, name: (old: string) => string): Tensors =>
  Object.fromEntries(Object.entries(tensors).map(([old, t]) => [name(old), t]));

type Inits = Partial<Record<"image" | "text" | "codebook", InitFrom>>;

const initial = (init: Inits): Promise<InitialWeights> => {
  const stage = { ...one.stage, init: { image: "random", text: "random", codebook: "random", ...init } };
  return initialWeights(folder, stage as typeof one.stage, specs, {
    seed: SEED,
    family: families.flava,
    vocabulary: one.tokenizer.vocabulary,
  });
};
const weights = (init: Inits): Promise<Tensors> => initial(init).then(({ tensors }) => tensors);

/** Every parameter is what `expected` says, and else what the seed says; those of `apart` are not looked at. */
function expectWeights(found: Tensors, expected: Tensors, apart: readonly string[] = []): void {
  for (const spec of specs.filter(({ name }) => !apart.includes(name)))
    expect(found[spec.name], spec.name).toEqual(expected[spec.name] ?? initialTensor(spec, SEED));
}

async function save(stage: string, step: number, model: Tensors, more: { averages?: Tensors; best?: BestSoFar } = {}) {
  const state = {
    stage,
    step,
    seed: SEED,
    cursors: {},
    counters: {},
    best: more.best ?? null,
    recipe: null,
    recipeHash: "",
    architecture: null,
    versions: {},
  };
  const optimizer = entriesOf(renamed(more.averages ?? {}, emaName));
  return saveCheckpoint(join(folder, stage), { state, model: entriesOf(model), optimizer });
}

/** The run's tokenizer, and that of the files beside it. */
const keepTokenizer = ({ json }: TextTokenizer): Promise<void> =>
  writeFile(join(folder, "tokenizer.json"), JSON.stringify(json));

async function file(tensors: Tensors, name = "weights.safetensors"): Promise<{ path: string }> {
  const path = join(folder, name);
  await saveSafetensors(path, entriesOf(tensors));
  return { path };
}

const IMAGE = "flava.image_model.";
const TEXT = "flava.text_model.";

describe("initialWeights", () => {
  it("are drawn from the seed where nothing else is said", async () => expectWeights(await weights({}), {}));

  it("are those of the stages before, their heads too, and of a codebook its averages", async () => {
    const [image, text] = [others("image", IMAGE, "mim_head."), others("text", TEXT, "mlm_head.")];
    const codebook = others("codebook", "image_codebook.");
    const averages = others("average", "image_codebook.");
    await save("image", 4, { ...image, ...others("frozen", "image_codebook.") });
    await save("text", 9, { ...text, unrelated: normals("u", [3]) });
    await save("codebook", 2, codebook, { averages });
    const found = await weights({ image: "image", text: "text", codebook: "codebook" });
    expectWeights(found, { ...image, ...text, ...averages });
    expect(Object.keys(found), "the multimodal encoder is drawn").toContain(
      "flava.multimodal_model.encoder.layer.0.layernorm_before.weight",
    );
  });

  it("are those of the best step, which the last checkpoint names", async () => {
    const best: BestSoFar = { metric: "mlm/loss", mode: "min", value: 1, step: 4 };
    for (const step of [2, 4, 6]) await save("text", step, others(`text ${step}`, TEXT), step < 4 ? {} : { best });
    await writeFile(join(folder, "text", "best.json"), JSON.stringify({ ...best, step: 2 })); // older: killed between the two
    expectWeights(await weights({ text: "text" }), others("text 4", TEXT));
    await rm(join(folder, "text", "checkpoint-4"), { recursive: true });
    expect(await resultOf(join(folder, "text"))).toBe(join(folder, "text", "checkpoint-6"));
  });

  it("are those of a file, of a checkpoint folder anywhere, and of a folder with model.safetensors", async () => {
    const text = others("text", TEXT);
    expectWeights(await weights({ text: await file(text) }), text);
    const copy = join(folder, "copied");
    await cp(await save("text", 1, text), copy, { recursive: true });
    await cp(join(folder, "tokenizer.json"), join(copy, "tokenizer.json"));
    expectWeights(await weights({ text: { path: copy } }), text);
    await rm(join(copy, "optimizer.safetensors"));
    expectWeights(await weights({ text: { path: copy } }), text);
  });

  it("are those of a codebook alone, whose names have no prefix", async () => {
    const codebook = others("codebook", "image_codebook.");
    const alone = await file(renamed(codebook, (name) => name.slice("image_codebook.".length)));
    expectWeights(await weights({ codebook: alone }), codebook);
  });

  it("are those of a DINO encoder; what it lacks is drawn", async () => {
    const image = others("dino", IMAGE);
    const lacking = Object.keys(image).filter((name) => /mask_token|pooler/.test(name));
    expect(lacking.length).toBe(3);
    for (const name of lacking) delete image[name];
    expectWeights(await weights({ image: await file(dinoNames(image)) }), image);
  });

  it("find a tied bias under its second name, where transformers 5 stores it", async () => {
    const text = others("text", TEXT, "mlm_head.");
    const given = await file(renamed(text, (name) => name.replace("mlm_head.bias", "mlm_head.decoder.bias")));
    const { tensors, origins } = await initial({ text: given });
    expectWeights(tensors, text);
    expect(origins[0]).toBe(`text from ${given.path} (${Object.keys(text).length} tensors)`);
    expect(origins.join("\n")).not.toMatch(/anew/);
  });

  it("are refused where a tied bias is stored twice and differs", async () => {
    const text = { ...others("text", TEXT, "mlm_head."), ...others("other", "mlm_head.bias") };
    const twice = { ...text, "mlm_head.decoder.bias": others("second", "mlm_head.bias")["mlm_head.bias"]! };
    await expect(initial({ text: await file(twice) })).rejects.toThrow(
      /expected mlm_head\.decoder\.bias and mlm_head\.bias to be one tensor/,
    );
  });

  it("are those of a FlavaModel, whose names have no prefix either", async () => {
    const text = others("text", TEXT);
    expectWeights(await weights({ text: await file(renamed(text, (name) => name.slice("flava.".length))) }), text);
  });

  it("say what of a part was not found, and what of it has no place here", async () => {
    const text = others("text", TEXT, "mlm_head.");
    const { "mlm_head.bias": _, ...rest } = text;
    const deeper = renamed(others("third", `${TEXT}encoder.layer.1.`), (name) => name.replace("layer.1.", "layer.2."));
    const { tensors, origins } = await initial({ text: await file({ ...rest, ...deeper }) });
    expectWeights(tensors, rest);
    expect(origins).toContain("text weights: 1 tensor not in the file, drawn anew: mlm_head.bias");
    expect(origins.join("\n")).toMatch(
      new RegExp(
        `text weights: ${Object.keys(deeper).length} tensors of the file without a place here: flava\\.text_model\\.\\S+layer\\.2\\.`,
      ),
    );
    const alone = await initial({ text: await file(others("text", TEXT)) });
    expect(alone.origins.join("\n")).toMatch(
      /text weights: 6 tensors not in the file, drawn anew: (mlm_head\.\S+, ){2}\S+ and 3 more/,
    );
  });

  it("are read from halves of either kind", async () => {
    const text = others("text", TEXT);
    const name = `${TEXT}layernorm.bias`;
    const halves = tensor(
      "float16",
      [16],
      Uint16Array.from({ length: 16 }, (_, i) => 0x3c00 + i),
    );
    const widened = tensor(
      "float32",
      [16],
      Float32Array.from({ length: 16 }, (_, i) => 1 + i / 1024),
    );
    expectWeights(await weights({ text: await file({ ...text, [name]: halves }) }), { ...text, [name]: widened });
  });

  describe("of another vocabulary", () => {
    const row = (t: Tensor, i: number): number[] => {
      const width = size(t.shape.slice(1));
      return Array.from(t.data.subarray(i * width, (i + 1) * width) as Float32Array);
    };
    const rows = (t: Tensor): number[][] => Array.from({ length: t.shape[0]! }, (_, i) => row(t, i));
    const WORDS = [`${TEXT}embeddings.word_embeddings.weight`, "mlm_head.decoder.weight", "mlm_head.bias"];

    /** A text encoder with its head over these words. */
    const over = (words: readonly string[]): Tensors => {
      const text = others("text", TEXT, "mlm_head.");
      const resized = WORDS.map((name) => [
        name,
        normals(`old ${name}`, [words.length, ...text[name]!.shape.slice(1)]),
      ]);
      return { ...text, ...Object.fromEntries(resized) };
    };

    it("match by word: the rows of new words are drawn, and both kinds of loss are counted", async () => {
      const { vocabulary } = one.tokenizer;
      const shared = vocabulary.slice(0, -3);
      const old = bertTokenizer([...shared.slice(0, 5), "banana", ...shared.slice(5).reverse()]);
      await keepTokenizer(old);
      const given = over(old.vocabulary);
      const { tensors, origins } = await initial({ text: await file(given) });
      for (const name of WORDS) {
        const first = rows(initialTensor(specs.find((spec) => spec.name === name)!, SEED));
        const expected = vocabulary.map((word, id) => {
          const was = old.vocabulary.indexOf(word);
          return was < 0 ? first[id] : rows(given[name]!)[was];
        });
        expect(rows(tensors[name]!), name).toEqual(expected);
      }
      const others = Object.fromEntries(Object.entries(given).filter(([name]) => !WORDS.includes(name)));
      expectWeights(tensors, others, WORDS);
      expect(origins.slice(1)).toEqual([
        `text weights: ${shared.length} of ${vocabulary.length} words matched by the words of ${join(folder, "tokenizer.json")}; ` +
          `3 drawn anew: ${vocabulary.slice(-3).join(", ")}`,
        "text weights: 1 word of the file not in this vocabulary: banana",
      ]);
    });

    it("find the tokenizer of a run from one of its checkpoints", async () => {
      const old = bertTokenizer([...one.tokenizer.vocabulary].reverse());
      await keepTokenizer(old);
      const given = over(old.vocabulary);
      const found = await weights({ text: { path: await save("text", 3, given) } });
      expect(rows(found[WORDS[0]!]!)).toEqual(rows(given[WORDS[0]!]!).reverse());
    });

    it("are refused where nothing says which row is which word", async () => {
      await rm(join(folder, "tokenizer.json"));
      const text = await file(others("text", TEXT));
      await expect(initial({ text })).rejects.toThrow(
        /expected a tokenizer beside the weights.*\n {2}help: copy the tokenizer\.json or vocab\.txt/,
      );
      await keepTokenizer(bertTokenizer([...one.tokenizer.vocabulary, "banana"]));
      await expect(initial({ text })).rejects.toThrow(
        /expected weights for the \d+ words of .*tokenizer\.json, got \d+ rows/,
      );
    });

    it("are bert-base-uncased's where there are as many and no tokenizer", async () => {
      await rm(join(folder, "tokenizer.json"));
      const embedding = WORDS[0]!;
      const { [embedding]: small, ...text } = others("text", TEXT);
      const given = normals("bert", [30_522, small!.shape[1]!]);
      const { tensors, origins } = await initial({ text: await file({ ...text, [embedding]: given }) });
      const bert = await loadBertTokenizer();
      const word = one.tokenizer.vocabulary.findIndex((entry) => /^[a-z]+$/.test(entry));
      const was = bert.vocabulary.indexOf(one.tokenizer.vocabulary[word]!);
      expect(row(tensors[embedding]!, word)).toEqual(row(given, was));
      expect(origins.join("\n")).toMatch(/bert-base-uncased, as there is no tokenizer beside it/);
    });
  });

  it("name what a wrong file lacks, and what is of another size", async () => {
    const failure = (init: Parameters<typeof weights>[0]): Promise<CheckpointError> =>
      weights(init).then(
        () => expect.fail("expected a CheckpointError"),
        (error: CheckpointError) => error,
      );
    const wrong = await failure({ text: await file(others("image", IMAGE)) });
    expect(wrong).toBeInstanceOf(CheckpointError);
    expect(wrong.message).toMatch(
      /weights\.safetensors: expected the text weights of this model, got none for flava\.text_model\.\S+(, flava\.text_model\.\S+){4} and \d+ more\n {2}help: init\.text takes/,
    );
    const norm = `${TEXT}layernorm.weight`;
    const other = await failure({ text: await file({ ...others("text", TEXT), [norm]: normals("x", [2, 2]) }) });
    expect(other.message).toContain(`✖ ${norm}: expected float32 (16), got float32 (2, 2)`);
    const dino = dinoNames(others("dino", IMAGE));
    const narrow = await failure({ image: await file({ ...dino, cls_token: normals("x", [1, 1, 3]) }) });
    expect(narrow.message).toMatch(
      /flava\.image_model\.embeddings\.cls_token: expected float32 \(1, 1, 16\), got float32 \(1, 1, 3\)/,
    );
    const whole = await file({ ...others("text", TEXT), [`${TEXT}layernorm.bias`]: fromNumbers([1], [1], "int32") });
    expect((await failure({ text: whole })).message).toMatch(
      /✖ flava\.text_model\.layernorm\.bias: expected float32 \(16\), got int32 \(1\)/,
    );
    expect(await failure({ text: { path: join(folder, "nowhere") } })).toBeInstanceOf(FileError);
    const missing = await failure({ text: "text" });
    expect(missing.message).toMatch(
      /expected the checkpoint of an earlier stage, got none\n {2}help: run that stage first/,
    );
  });
});

/** An image encoder under the names of facebookresearch/dino, its three projections in one. */
function dinoNames(image: Tensors): Tensors {
  const names: Record<string, string> = {
    "embeddings.cls_token": "cls_token",
    "embeddings.position_embeddings": "pos_embed",
    "embeddings.patch_embeddings.projection": "patch_embed.proj",
    layernorm: "norm",
    layernorm_before: "norm1",
    layernorm_after: "norm2",
    "attention.output.dense": "attn.proj",
    "intermediate.dense": "mlp.fc1",
    "output.dense": "mlp.fc2",
  };
  const result: Tensors = {};
  for (const [full, t] of Object.entries(image)) {
    const [, layer, rest] = /^flava\.image_model\.(?:encoder\.layer\.(\d+)\.)?(.+)$/.exec(full)!;
    if (/mask_token|pooler|attention\.attention/.test(rest!)) continue;
    const [, part, kind = ""] = /^(.+?)(\.weight|\.bias)?$/.exec(rest!)!;
    result[`${layer === undefined ? "" : `blocks.${layer}.`}${names[part!]}${kind}`] = t;
  }
  for (const full of Object.keys(image).filter((name) => name.includes("attention.attention.query."))) {
    const [, layer, kind] = /layer\.(\d+)\..+\.(weight|bias)$/.exec(full)!;
    const parts = ["query", "key", "value"].map((part) => image[full.replace("query", part)]!);
    const shape = [3 * parts[0]!.shape[0]!, ...parts[0]!.shape.slice(1)];
    result[`blocks.${layer}.attn.qkv.${kind}`] = fromNumbers(parts.flatMap(toNumbers), shape);
  }
  return result;
}

describe("declaredState", () => {
  it("declares what a guess scores without the weights of the losses", async () => {
    const lossWeights = { itm: 0.5, globalContrastive: 2, mim: 0.25 };
    const weighed = await stageCase("joint", { lossWeights });
    const { chance } = declaredState(await traceSteps("joint", weighed.stage, weighed.plan), weighed.plan);
    const replaced = 0.4; // of the stage that is traced
    expect(chance.itm).toBeCloseTo(-replaced * Math.log(replaced) - 0.6 * Math.log(0.6), 12);
    expect(chance["itm/accuracy"]).toBe(0.6);
    expect(chance.global_contrastive).toBeCloseTo(Math.log(8), 12);
    expect(chance.mim).toBeCloseTo(Math.log(12), 12);
  });
});
