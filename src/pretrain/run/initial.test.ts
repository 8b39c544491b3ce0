import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type StageCase, stageCase } from "../../../test/support/stage-case.ts";
import { CheckpointError } from "../../errors.ts";
import { entriesOf, saveSafetensors } from "../../hub/index.ts";
import { initialTensor, type ParamSpec } from "../../nn/index.ts";
import { emaName } from "../../optim/index.ts";
import { type BestSoFar, saveCheckpoint } from "../../record/checkpoint/index.ts";
import { fromNumbers, random, size, type Tensor, tensor, toNumbers } from "../../tensor/index.ts";
import { stageState, traceStage } from "../../train/updater.ts";
import type { InitFrom } from "../recipe/index.ts";
import { initialWeights, resultOf } from "./initial.ts";

const SEED = 5;
let folder = "";
let one: StageCase;
let specs: readonly ParamSpec[];
beforeAll(async () => {
  one = await stageCase("joint");
  specs = stageState(traceStage("joint", one.stage, one.plan), one.plan).specs;
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "flava-initial-"));
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

const weights = (init: Partial<Record<"image" | "text" | "codebook", InitFrom>>): Promise<Tensors> => {
  const stage = { ...one.stage, init: { image: "random", text: "random", codebook: "random", ...init } };
  return initialWeights(folder, stage as typeof one.stage, specs, { seed: SEED }).then(({ tensors }) => tensors);
};

/** Every parameter is what `expected` says, and else what the seed says. */
function expectWeights(found: Tensors, expected: Tensors): void {
  for (const spec of specs)
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
    await cp(await save("text", 1, text), join(folder, "copied"), { recursive: true });
    expectWeights(await weights({ text: { path: join(folder, "copied") } }), text);
    await rm(join(folder, "copied", "optimizer.safetensors"));
    expectWeights(await weights({ text: { path: join(folder, "copied") } }), text);
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
    const [first] = Object.keys(others("text", TEXT));
    const one = await failure({ text: await file({ ...others("text", TEXT), [first!]: normals("x", [2, 2]) }) });
    expect(one.message).toContain(`✖ ${first}: expected (`);
    expect(one.message).toContain("got (2, 2)");
    const dino = dinoNames(others("dino", IMAGE));
    const other = await failure({ image: await file({ ...dino, cls_token: normals("x", [1, 1, 3]) }) });
    expect(other.message).toMatch(
      /flava\.image_model\.embeddings\.cls_token: expected float32 \(1, 1, 16\), got float32 \(1, 1, 3\)/,
    );
    const half = tensor("float16", [16], new Uint16Array(16));
    const halves = await file({ ...others("text", TEXT), [`${TEXT}layernorm.bias`]: half });
    expect((await failure({ text: halves })).message).toMatch(/layernorm\.bias: expected float32 \(16\), got float16/);
    expect(await failure({ text: { path: join(folder, "nowhere") } })).toBeInstanceOf(CheckpointError);
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

describe("stageState", () => {
  it("declares what a guess scores without the weights of the losses", async () => {
    const lossWeights = { itm: 0.5, globalContrastive: 2, mim: 0.25 };
    const weighed = await stageCase("joint", { lossWeights });
    const { chance } = stageState(traceStage("joint", weighed.stage, weighed.plan), weighed.plan);
    expect(chance.itm).toBeCloseTo(Math.LN2, 12);
    expect(chance.global_contrastive).toBeCloseTo(Math.log(8), 12);
    expect(chance.mim).toBeCloseTo(Math.log(12), 12);
  });
});
