/** The sections of all stages on a tiny model with random weights, each number beside a second, plain computation. */
import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { imageFeeds, textFeeds } from "../../test/support/feeds.ts";
import { type PictureCase, pictureCase } from "../../test/support/picture-context.ts";
import { FlavaModel } from "../api/index.ts";
import { ConfigError } from "../errors.ts";
import { type EvaluationContext, nearestWords, type Pair } from "../evaluators/index.ts";
import { graph, input, reshape } from "../graph/index.ts";
import { interpret } from "../graph/interpret/index.ts";
import { decodeImage, type Pixels } from "../image/index.ts";
import { dvaeDecoderOfIds, dvaeEncoder, reconstruction } from "../models/dvae/index.ts";
import {
  imageBatch,
  imageGraph,
  multimodalGraph,
  pretrainImages,
  pretrainTexts,
  textBatch,
  textGraph,
} from "../models/flava/index.ts";
import { initialize, Params } from "../nn/index.ts";
import { type Recipe, resolveRecipe } from "../pretrain/recipe/index.ts";
import type { ImageMimStage } from "../pretrain/stages/image-mim.ts";
import type { JointStage } from "../pretrain/stages/joint.ts";
import type { TextMlmStage } from "../pretrain/stages/text-mlm.ts";
import { kindOf, tables } from "../pretrain/tables.ts";
import { type GallerySection, loadGallery } from "../record/index.ts";
import { State } from "../runtime/index.ts";
import { fromNumbers, type Tensor, toNumbers } from "../tensor/index.ts";
import { drawSections } from "./draw.ts";
import { type DrawOptions, openDrawing } from "./drawing.ts";
import { hiddenTexts, maskedPictures } from "./feeds.ts";
import type { Ranking } from "./ranking.ts";
import { mistakes } from "./retrieval.ts";

type Kind = GallerySection["kind"];
type Tensors = Record<string, Tensor>;

let folder = "";
let recipe: Recipe;
let drawn: PictureCase;
let gallery: Map<string, GallerySection>;
/** The parameters, for the interpreter. */
let weights: Tensors;

/** So many that most texts have several. */
function manyHiddenWords(from: Recipe): Recipe {
  const text = from.stages.text as TextMlmStage;
  return { ...from, stages: { ...from.stages, text: { ...text, masking: { ...text.masking, probability: 0.4 } } } };
}

const run = (): string => join(folder, "run");

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "flava-pictures-"));
  const set = ["model.codebook.groups=4"];
  recipe = manyHiddenWords((await resolveRecipe("recipes/starter.yaml", { tiny: true, set })).recipe);
  drawn = await pictureCase(recipe, 14);
  const { context, decoder } = drawn;
  context.state.writeAll(decoder);
  weights = {};
  for (const name of context.state.names()) weights[name] = await context.state.read(name);
  for (const stage of Object.keys(recipe.stages)) expect(await draw(stage)).toEqual([]);
  gallery = await sectionsIn(run());
});
afterAll(async () => {
  drawn?.[Symbol.dispose]();
  await rm(folder, { recursive: true, force: true });
});

/** As if no caption had named them. */
const words = async () => ({
  words: ["background"],
  among: drawn.context.tokenizer.vocabulary.slice(5, 9),
  rule: "So.",
});

const draw = (stage: string, runDir = run(), changed: Partial<DrawOptions> = {}) =>
  drawStage(drawn.context, { runDir, stage, pairs: drawn.pairs, decoder: drawn.decoder, words, ...changed });

/** The sections that the stage's kind shows. Resolves to what it notes. */
async function drawStage(context: EvaluationContext, options: DrawOptions, { stages } = recipe): Promise<string[]> {
  const stage = stages[options.stage]!;
  const notes: string[] = [];
  const note = (line: string): void => void notes.push(line);
  await drawSections(context, options, (drawing) => kindOf(tables, stage).pictures!(drawing, stage, note));
  return notes;
}

/** Read as the report reads them, which checks them against the schema and opens every picture. */
const sectionsIn = async (runDir: string): Promise<Map<string, GallerySection>> =>
  new Map((await loadGallery(runDir)).map(({ name, section }) => [name, section]));

function section<K extends Kind>(name: string, kind: K): Extract<GallerySection, { kind: K }> {
  const found = gallery.get(name);
  expect(found?.kind).toBe(kind);
  return found as Extract<GallerySection, { kind: K }>;
}

/** What the interpreter says in float64. */
const naive = (g: ReturnType<typeof graph>, feeds: Tensors): Record<string, number[]> => {
  const inputs = Object.fromEntries(Object.keys(g.inputs).map((name) => [name, feeds[name] ?? weights[name]!]));
  return Object.fromEntries(Object.entries(interpret(g, inputs)).map(([name, t]) => [name, toNumbers(t as Tensor)]));
};

const picture = async (file: string): Promise<Pixels> => decodeImage(await readFile(join(run(), "gallery", file)));

/** The patches (4 × 4) in which two pictures differ. */
function differing(one: Pixels, other: Pixels): number[] {
  expect([one.width, one.height]).toEqual([other.width, other.height]);
  const patch = one.width / 4;
  const found = new Set<number>();
  for (const [i, byte] of one.data.entries()) {
    const [x, y] = [Math.floor(i / 3) % one.width, Math.floor(i / 3 / one.width)];
    if (byte !== other.data[i]) found.add(4 * Math.floor(y / patch) + Math.floor(x / patch));
  }
  return [...found].sort((a, b) => a - b);
}

/** Pixels in 0..1, (3, 32, 32), of sixteen words. */
function decode(words: readonly number[]): number[] {
  const { codebook } = drawn.config;
  const ids = reshape(input("ids", [1, 16], "int32"), [1, 4, 4]);
  const decoded = reconstruction(dvaeDecoderOfIds(new Params().at("image_decoder"), codebook!, ids).mu);
  return naive(graph("decoder", { decoded }), { ids: fromNumbers(words, [1, 16], "int32") }).decoded!;
}

/** Looks at one pixel of each square, in some patches. */
function expectPicture({ data, width }: Pixels, planes: readonly number[], inPatch: (patch: number) => boolean): void {
  const factor = width / 32;
  for (let p = 0; p < 32 * 32; p++) {
    const [x, y] = [p % 32, Math.floor(p / 32)];
    if (!inPatch(4 * Math.floor(y / 8) + Math.floor(x / 8))) continue;
    for (let c = 0; c < 3; c++) {
      const byte = data[3 * factor * (y * width + x) + c]!;
      expect(Math.abs(byte - 255 * planes[(32 * c + y) * 32 + x]!)).toBeLessThan(0.51);
    }
  }
}

describe("drawSections", () => {
  it("writes the sections of each stage, in the order of the page", () =>
    expect([...gallery.keys()]).toEqual([
      "10-found-captions-joint",
      "20-found-pictures-joint",
      "30-mistakes-joint",
      "40-attention-joint",
      "45-scores-joint",
      "50-words-in-pairs-joint",
      "55-words-text",
      "57-neighbours-joint",
      "57-neighbours-text",
      "60-patches-in-pairs-joint",
      "65-patches-image",
      "70-codebook-codebook",
    ]));

  it("draws the same again, byte for byte, and leaves no unfinished file", async () => {
    const again = join(folder, "again");
    await draw("joint", again);
    const names = await readdir(join(again, "gallery"));
    expect(names.length).toBeGreaterThan(20);
    for (const name of names)
      expect(await readFile(join(again, "gallery", name))).toEqual(await readFile(join(run(), "gallery", name)));
  });

  it("chooses by the seed", async () => {
    const order = (seed: number): string[] => {
      const context = { ...drawn.context, seed };
      return openDrawing(context, { runDir: "", stage: "joint", pairs: drawn.pairs }).pairs.map(({ key }) => key);
    };
    expect(order(1)).toEqual(order(1));
    expect(order(1)).not.toEqual(order(2));
    expect(order(1).toSorted()).toEqual(order(2).toSorted());
  });

  it("leaves out hidden patches without a decoder, says so once, and takes away what an earlier call drew", async () => {
    const without = join(folder, "without");
    await draw("image", without);
    expect([...(await sectionsIn(without)).keys()]).toEqual(["65-patches-image"]);
    expect(await draw("image", without, { decoder: undefined })).toEqual([expect.stringContaining("decoder")]);
    expect(await draw("joint", without, { decoder: undefined })).toHaveLength(1);
    const names = [...(await sectionsIn(without)).keys()];
    expect(names).toHaveLength(7);
    expect(names.filter((name) => name.includes("patches"))).toEqual([]);
  });

  it("shows of ablations what they have", async () => {
    const joint = recipe.stages.joint as JointStage;
    const lossWeights = { ...joint.lossWeights, mmmText: 0, mmmImage: 0, itm: 0 };
    const stages = { ...recipe.stages, joint: { ...joint, lossWeights } };
    const state = new State(drawn.context.device);
    for (const [name, t] of Object.entries(weights))
      if (!/multimodal|mmm_|itm_|image_codebook|image_decoder/.test(name)) state.write(name, t);
    const context = { ...drawn.context, state };
    const runDir = join(folder, "contrastive");
    const options = { runDir, stage: "joint", pairs: drawn.pairs };
    expect(await drawStage(context, options, { ...recipe, stages })).toEqual([]);
    expect([...(await sectionsIn(runDir)).keys()].map((name) => name.slice(0, 2))).toEqual(["10", "20", "30"]);
    state.dispose();

    const unpaired = {
      ...recipe.stages,
      joint: { ...joint, sampling: { pairs: 0, contrast: 0, images: 1, texts: 1 } },
    };
    expect(await drawStage(drawn.context, options, { ...recipe, stages: unpaired })).toEqual([]);
    expect(await sectionsIn(runDir)).toEqual(new Map());
  });

  it("draws of fewer pairs than it would show", async () => {
    const runDir = join(folder, "few");
    await draw("joint", runDir, { pairs: drawn.pairs.slice(0, 1) });
    const few = await sectionsIn(runDir);
    expect(few.has("30-mistakes-joint")).toBe(false);
    expect(few.get("10-found-captions-joint")).toMatchObject({ items: [{}] });
  });

  it("refuses to draw of no pairs", async () => {
    await expect(draw("joint", run(), { pairs: [] })).rejects.toThrow(ConfigError);
  });
});

describe("retrieval", () => {
  /** Cosines of all pairs' pictures (rows) and captions, computed one by one. */
  async function cosines(pairs: readonly Pair[]): Promise<number[][]> {
    const { context, config } = drawn;
    const [T, unit] = [16, (x: number[]) => x.map((v) => v / Math.hypot(...x))];
    const [image, text] = [imageGraph(config, { batch: 1 }), textGraph(config, { batch: 1, textLength: T })];
    const images: number[][] = [];
    for (const pair of pairs) images.push(unit(naive(image.graph, await imageFeeds(context, [pair])).image_features!));
    const texts = pairs.map(({ caption }) => unit(naive(text.graph, textFeeds(context, [caption], T)).text_features!));
    return images.map((a) => texts.map((b) => a.reduce((sum, x, i) => sum + x * b[i]!, 0)));
  }
  const CLOSE = 5;
  let all: number[][];
  beforeAll(async () => {
    all = await cosines(drawn.pairs);
  });
  const at = (caption: string): number => drawn.pairs.findIndex((pair) => pair.caption === caption);

  it("ranks captions as a plain comparison of all does, and marks the right one", () => {
    const { items } = section("10-found-captions-joint", "image-to-text");
    expect(items).toHaveLength(6);
    for (const { captions, answer } of items) {
      const own = at(captions.find(({ right }) => right)?.text ?? answer!.text);
      const best = all[own]!.toSorted((a, b) => b - a);
      for (const [place, { text, score, right }] of captions.entries()) {
        expect(score).toBeCloseTo(all[own]![at(text)]!, CLOSE);
        expect(score).toBeCloseTo(best[place]!, CLOSE);
        expect(right).toBe(at(text) === own);
      }
      if (answer) expect(best[answer.rank - 1]).toBeCloseTo(all[own]![own]!, CLOSE);
      expect(captions.some(({ right }) => right)).toBe(answer === undefined);
    }
  });

  it("ranks pictures for a caption likewise", () => {
    for (const { caption, images, answer } of section("20-found-pictures-joint", "text-to-image").items) {
      const column = all.map((row) => row[at(caption)]!);
      const best = column.toSorted((a, b) => b - a);
      expect(images).toHaveLength(8);
      for (const [place, { score }] of images.entries()) expect(score).toBeCloseTo(best[place]!, CLOSE);
      const right = images.find((hit) => hit.right);
      if (right) expect(right.score).toBeCloseTo(column[at(caption)]!, CLOSE);
      else expect(best[answer!.rank - 1]).toBeCloseTo(column[at(caption)]!, CLOSE);
    }
  });

  it("calls a mistake only what is not ranked first, and of none that was shown above", async () => {
    const runDir = join(folder, "mistakes");
    await mkdir(join(runDir, "gallery"), { recursive: true });
    const options = { runDir, stage: "joint", pairs: drawn.pairs };
    const drawing = openDrawing(drawn.context, options);
    const wrong = [drawing.pairs[2]!, drawing.pairs[9]!, drawing.pairs[12]!];
    const captions: Ranking["captions"] = (query) => {
      const candidate = { text: query.caption, concept: query.concept, subgroup: undefined };
      const rank = wrong.includes(query) ? 7 : 1;
      return { hits: [{ candidate, score: 1, right: rank === 1 }], answer: { candidate, rank }, among: 14 };
    };
    const ranking = { captions, pictures: () => expect.fail("no pictures are asked for") };
    const { items } = (await mistakes(drawing, ranking))!;
    expect(items.map(({ answer }) => answer)).toEqual(
      [wrong[1]!, wrong[2]!].map(({ caption }) => ({ text: caption, rank: 7 })),
    );
    wrong.length = 0;
    expect(await mistakes(drawing, ranking)).toBeUndefined();
  });
});

describe("hidden patches", () => {
  it.each(["60-patches-in-pairs-joint", "65-patches-image"])(
    "of %s leave visible patches as they are",
    async (name) => {
      const { items } = section(name, "masked-patches");
      const { patches } = (recipe.stages.image as ImageMimStage).masking;
      expect(items).toHaveLength(6);
      for (const { original, masked, filled } of items) {
        const hidden = differing(await picture(original), await picture(masked));
        expect(hidden.length).toBeGreaterThan(0);
        expect(hidden.length).toBeLessThanOrEqual(patches);
        const changed = differing(await picture(original), await picture(filled));
        for (const patch of changed) expect(hidden).toContain(patch);
        expect(changed.length).toBeGreaterThan(0);
      }
    },
  );

  it("hold what the decoder makes of the likeliest words there and the true words elsewhere", async () => {
    const { context, config } = drawn;
    const stage = recipe.stages.image as ImageMimStage;
    const some = openDrawing(context, { runDir: "", stage: "image", pairs: drawn.pairs }).pairs.slice(0, 6);
    const { feeds, sizes } = await maskedPictures(context, stage.masking, some);
    const { words, mim } = pretrainImages(new Params(), config, imageBatch(config, sizes));
    const said = naive(graph("said", { words, logits: mim.logits }), { ...feeds });
    const V = config.image.vocabSize;
    const [hidden, positions] = [toNumbers(feeds.bool_masked_pos!), toNumbers(feeds.mim_positions!)];
    const ids = said.words!.map((word, i) => {
      if (!hidden[i]) return word;
      const from = Math.floor(i / 16) * stage.masking.patches;
      const k = positions.indexOf(i % 16, from);
      const row = said.logits!.slice(k * V, (k + 1) * V);
      return row.indexOf(Math.max(...row));
    });
    const { filled } = section("65-patches-image", "masked-patches").items[1]!;
    expectPicture(await picture(filled), decode(ids.slice(16, 32)), (patch) => hidden[16 + patch] === 1);
  });
});

describe("hidden words", () => {
  it("carry the five likeliest words, by a plain softmax of the head's logits", async () => {
    const { context, config } = drawn;
    const { tokenizer } = context;
    const stage = recipe.stages.text as TextMlmStage;
    const texts = openDrawing(context, { runDir: "", stage: "text", pairs: drawn.pairs }).texts.slice(0, 6);
    const { feeds, sizes } = await hiddenTexts(context, stage.masking, stage.textLength, texts);
    const { mlm } = pretrainTexts(new Params(), config, textBatch(sizes));
    const logits = naive(graph("said", { logits: mlm.logits }), { ...feeds }).logits!;
    const [K, V] = [sizes.maskedTokens, tokenizer.vocabSize];
    const { items } = section("55-words-text", "masked-words");
    expect(items).toHaveLength(6);
    for (const [b, { tokens }] of items.entries()) {
      const ids = tokenizer.ids(texts[b]!).slice(0, stage.textLength - 2); // beside [CLS] and [SEP]
      expect(tokens.map(({ text }) => text)).toEqual(ids.map((id) => tokenizer.token(id)));
      const hidden = tokens.flatMap(({ guesses }, t) => (guesses ? [{ guesses, t }] : []));
      expect(hidden.length).toBeGreaterThan(0);
      for (const [k, { guesses, t }] of hidden.entries()) {
        expect(feeds.input_ids_masked!.data[b * stage.textLength + t + 1]).toBe(tokenizer.special.mask);
        const row = logits.slice((b * K + k) * V, (b * K + k + 1) * V).map(Math.exp);
        const total = row.reduce((sum, x) => sum + x, 0);
        const best = row.map((x, id) => ({ text: tokenizer.token(id), p: x / total })).sort((x, y) => y.p - x.p);
        expect(guesses).toHaveLength(5);
        for (const [place, { text, probability }] of guesses.entries()) {
          expect(probability).toBeCloseTo(best[place]!.p, 6);
          expect(probability).toBeCloseTo(best.find((guess) => guess.text === text)!.p, 6);
        }
      }
    }
  });

  it("of pairs stand beside their picture", () => {
    for (const { image, tokens } of section("50-words-in-pairs-joint", "masked-words").items) {
      expect(image).toMatch(/^joint-seen-\d+\.png$/);
      expect(tokens.some(({ guesses }) => guesses)).toBe(true);
    }
  });
});

describe("neighbours of words", () => {
  it("are told after texts alone and after pairs, each by what it was asked for", async () => {
    const { among } = await words();
    const { text, items } = section("57-neighbours-joint", "word-neighbours");
    expect(text).toMatch(/^So\. By the cosine in the space/);
    const asked = FlavaModel.of(drawn.context);
    expect(items).toEqual(await nearestWords(asked, ["background"], { among, top: 5, by: "text_embeds" }));
    const alone = section("57-neighbours-text", "word-neighbours").items;
    expect(alone).toEqual(await nearestWords(asked, ["background"], { among, top: 5, by: "mean" }));
    expect(alone[0]!.neighbours).toHaveLength(4);
    expect(alone).not.toEqual(items);
    asked.dispose();
  });
});

describe("attention", () => {
  it("of a word is the mean over heads and pieces of the plain softmax maps, at the patches", async () => {
    const { context, config } = drawn;
    const stage = recipe.stages.joint as JointStage;
    const [pair] = openDrawing(context, { runDir: "", stage: "joint", pairs: drawn.pairs }).pairs;
    const T = stage.textLength.pairs;
    const { graph: g } = multimodalGraph(config, { batch: 1, textLength: T, attentions: true });
    const feeds = { ...(await imageFeeds(context, [pair!])), ...textFeeds(context, [pair!.caption], T) };
    const { layers, heads } = config.multimodal;
    const map = naive(g, feeds)[`multimodal_attentions.${layers - 1}`]!; // (1, H, M, M)
    const M = 2 + 16 + T;
    const weight = (token: number, patch: number): number =>
      Array.from({ length: heads }, (_, h) => map[(h * M + 18 + token) * M + 2 + patch]!).reduce((a, b) => a + b, 0) /
      heads;

    const { words, grid } = section("40-attention-joint", "attention").items[0]!;
    expect(grid).toEqual([4, 4]);
    expect(words.map(({ text }) => text)).toEqual(pair!.caption.split(" "));
    for (const [w, { text, weights: shown }] of words.entries()) {
      const pieces = text === "background" ? [w + 1, w + 2] : [w + 1]; // after [CLS]; the only word of two pieces is the last
      const expected = shown.map((_, i) => pieces.reduce((sum, t) => sum + weight(t, i), 0) / pieces.length);
      for (const [i, x] of shown.entries()) expect(x).toBeCloseTo(expected[i]!, 6);
      expect(shown.reduce((a, b) => a + b, 0)).toBeLessThan(1);
    }
  });

  it("has the scores of every layer", async () => {
    const { context, config } = drawn;
    const [pair] = openDrawing(context, { runDir: "", stage: "joint", pairs: drawn.pairs }).pairs;
    const { words, size: N, layers } = section("45-scores-joint", "scores").items[0]!;
    expect([N, layers.length]).toEqual([words.length + 18, config.multimodal.layers]);
    const T = words.length;
    const { graph: g } = multimodalGraph(config, { batch: 1, textLength: T, attentions: true });
    const feeds = { ...(await imageFeeds(context, [pair!])), ...textFeeds(context, [pair!.caption], T) };
    const scores = naive(g, feeds)["multimodal_scores.0"]!; // (1, H, M, M), the picture first
    const H = config.multimodal.heads;
    const at = (row: number): number => (row < T ? 18 + row : row - T);
    for (const [i, shown] of layers[0]!.entries()) {
      const place = at(Math.floor(i / N)) * N + at(i % N);
      const mean = Array.from({ length: H }, (_, h) => scores[h * N * N + place]!).reduce((a, b) => a + b, 0) / H;
      expect(Math.abs(shown! - mean)).toBeLessThan(1e-3);
    }
  });
});

describe("the codebook", () => {
  it("is shown by the averaged weights where there are some", async () => {
    const names = Object.keys(weights).filter((name) => /^image_(codebook|decoder)\./.test(name));
    const other = initialize(
      names.map((name) => ({ name, shape: weights[name]!.shape, init: { kind: "normal", std: 0.3 }, aliases: [] })),
      9,
    );
    const draws = async (name: string, tensors: Tensors): Promise<Buffer[]> => {
      const state = new State(drawn.context.device);
      state.writeAll(tensors);
      const runDir = join(folder, name);
      await drawStage({ ...drawn.context, state }, { runDir, stage: "codebook", pairs: drawn.pairs });
      state.dispose();
      const { items } = (await sectionsIn(runDir)).get("70-codebook-codebook") as {
        items: readonly { reconstruction: string }[];
      };
      return Promise.all(items.map(({ reconstruction: file }) => readFile(join(runDir, "gallery", file))));
    };
    const averaged = Object.fromEntries(Object.entries(other).map(([name, t]) => [`ema.${name}`, t]));
    const [live, ema] = [await draws("live", other), await draws("ema", { ...weights, ...averaged })];
    expect(ema).toEqual(live);
    expect(await draws("old", weights)).not.toEqual(live);
  });

  it("is shown by the decoder's picture of the likeliest words, by plain computation", async () => {
    const { context, config, pairs } = drawn;
    const { items } = section("70-codebook-codebook", "reconstructions");
    expect(items).toHaveLength(10);
    const { caption, original, reconstruction: file } = items[3]!;
    const feeds = await imageFeeds(context, [pairs.find((pair) => pair.caption === caption)!]);
    const pixelValues = input("codebook_pixel_values", [1, 3, 32, 32]);
    const encoder = dvaeEncoder(new Params().at("image_codebook"), config.codebook!, pixelValues);
    const { logits } = naive(graph("encoder", { logits: encoder }), feeds); // (1, V, 4, 4)
    const V = config.image.vocabSize;
    const words = Array.from({ length: 16 }, (_, p) => {
      const column = Array.from({ length: V }, (_, v) => logits![16 * v + p]!);
      return column.indexOf(Math.max(...column));
    });
    expectPicture(await picture(file), decode(words), () => true);
    const seen = toNumbers(feeds.codebook_pixel_values!).map((x) => (x - 0.1) / 0.8);
    expectPicture(await picture(original), seen, () => true);
  });
});
