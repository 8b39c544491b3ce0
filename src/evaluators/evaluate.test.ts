import { describe, expect, it } from "vitest";
import { imageFeeds, textFeeds } from "../../test/support/feeds.ts";
import {
  allocateRows,
  createBuilder,
  joinRows,
  maskedImages,
  maskedTexts,
  openSource,
  type Sample,
  sourceOf,
} from "../data/index.ts";
import { input, interpret, type Value } from "../graph/index.ts";
import { dvaeDecoder, dvaeEncoder, reconstruction, unmapPixels } from "../models/dvae/index.ts";
import {
  flavaFamily,
  flavaParameters,
  imageBatch,
  imageGraph,
  multimodalGraph,
  pairBatch,
  pretrainImages,
  pretrainPairs,
  pretrainTexts,
  textBatch,
  textGraph,
  variants,
} from "../models/flava/index.ts";
import { modelGraph } from "../models/index.ts";
import { initialize, Params } from "../nn/index.ts";
import { openDevice, State } from "../runtime/index.ts";
import { fromNumbers, random, type Shape, type Tensor, toNumbers } from "../tensor/index.ts";
import { bertTokenizer } from "../text/index.ts";
import { createCodebook } from "./codebook.ts";
import { colourErrors, evened, planesOf } from "./colour-errors.ts";
import type { EvaluationContext, Evaluator } from "./evaluator.ts";
import { builtFeeds } from "./feeds.ts";
import { createKnn, nearestLabels } from "./knn.ts";
import { labelledSet } from "./labelled.ts";
import { createMim } from "./mim.ts";
import { createMlm } from "./mlm.ts";
import { type Pair, pairSet, readPairs } from "./pair-set.ts";
import { createPairs } from "./pairs.ts";

const PAIRS = "synthetic:13x32";
const TEXTS = "synthetic:9x32";
const LENGTH = 12;
const masking = { patches: 5, minBlock: 2, maxBlock: null, minAspect: 0.3 };
const tokens = { probability: 0.3, maskShare: 0.8, randomShare: 0.1, wholeWord: false };
/** How pairs are measured: all that there is. */
const all = {
  textLength: LENGTH,
  retrieval: true,
  matching: true,
  masked: { imageMasking: masking, textMasking: tokens, heads: ["text", "image"] as const },
};
const opened = (spec: string) => () => openSource(spec);
const openedAll =
  (...specs: string[]) =>
  () =>
    Promise.all(specs.map((spec) => openSource(spec)));

const samples = async (spec: string): Promise<Sample[]> => {
  const found: Sample[] = [];
  for await (const { sample } of (await openSource(spec)).samples()) found.push(sample);
  return found;
};
const words = new Set((await samples("synthetic:40x32")).flatMap(({ texts }) => texts!.join(" ").split(" ")));
const tokenizer = bertTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ...[...words].sort()]);
const tiny = variants.tiny;
const codebook = { ...tiny.codebook!, blocksPerGroup: 1 };
const model = { ...tiny, codebook, text: { ...tiny.text, vocabSize: tokenizer.vocabSize } };
const device = await openDevice("interpret");

/** Weights that are far enough from each other for every answer to depend on the input. */
const rough = (name: string, shape: Shape): Tensor => {
  const rng = random(1, `evaluate.test:${name}`);
  const n = shape.reduce((a, b) => a * b, 1);
  return fromNumbers(
    Array.from({ length: n }, () => (/layernorm.*weight/i.test(name) ? 1 : 0) + 0.4 * rng.normal()),
    shape,
  );
};
const weights: Record<string, Tensor> = Object.fromEntries(
  flavaParameters(model).map(({ name, shape }) => [name, rough(name, shape)]),
);

function contextOf(changes: Partial<EvaluationContext> = {}, tensors = weights): EvaluationContext {
  const state = new State(device);
  state.writeAll(tensors);
  return { model: flavaFamily.of(model), device, state, tokenizer, batchSize: 5, seed: 3, ...changes };
}

async function measure(evaluator: Evaluator | undefined): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for await (const [metric, value] of evaluator!.run(1)) found[metric] = value;
  evaluator!.dispose?.();
  return found;
}

/** One sample at a time, in float64, on the host. */
function compute(outputs: Record<string, Value>, feeds: Readonly<Record<string, Tensor>>, values = weights) {
  const { graph } = modelGraph("naive", new Params(), outputs);
  const all = { ...values, ...feeds };
  return interpret(graph, Object.fromEntries(Object.keys(graph.inputs).map((name) => [name, all[name]!])));
}

const argmax = (row: readonly number[]): number => row.indexOf(Math.max(...row));
const mean = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0) / list.length;
const share = <T>(list: readonly T[], is: (x: T) => boolean): number => mean(list.map((x) => (is(x) ? 1 : 0)));
const commonest = <T>(list: readonly T[]): T =>
  list.reduce((best, x) => (share(list, (y) => y === x) > share(list, (y) => y === best) ? x : best));

/** Loss and hit of each target, by the definition: logits (R, V), targets (R), what counts (R). */
function scored(logits: Tensor, targets: Tensor, weight: Tensor): { loss: number; hit: boolean; target: number }[] {
  const [V, z, t] = [logits.shape[1]!, toNumbers(logits), toNumbers(targets)];
  return toNumbers(weight).flatMap((w, r) => {
    if (w === 0) return [];
    const row = z.slice(r * V, (r + 1) * V);
    const top = Math.max(...row);
    const logSum = top + Math.log(row.reduce((sum, x) => sum + Math.exp(x - top), 0));
    return [{ loss: logSum - row[t[r]!]!, hit: argmax(row) === t[r], target: t[r]! }];
  });
}

describe("pairs", () => {
  const read = pairSet(opened(PAIRS), { maxPairs: 100 });

  /** Cosine of every picture with every caption, one forward pass each. */
  async function cosines(pairs: readonly Pair[]): Promise<number[][]> {
    const context = contextOf();
    const texts = pairs.map(({ caption }) => {
      const feeds = textFeeds(context, [caption], LENGTH);
      const { text_embeds } = textGraph(model, { batch: 1, textLength: LENGTH }).graph.outputs;
      return toNumbers(compute({ e: text_embeds! }, feeds).e!);
    });
    const scores: number[][] = [];
    for (const pair of pairs) {
      const { image_embeds } = imageGraph(model, { batch: 1 }).graph.outputs;
      const image = toNumbers(compute({ e: image_embeds! }, await imageFeeds(context, [pair])).e!);
      scores.push(texts.map((text) => text.reduce((sum, x, e) => sum + x * image[e]!, 0)));
    }
    return scores;
  }

  it("are retrieved and filled in as one by one, the last batch short", async () => {
    const evaluator = createPairs(contextOf(), { name: "validation", pairs: read, ...all });
    const found = await measure(evaluator);
    const pairs = await read();
    const scores = await cosines(pairs);
    const place = (row: readonly number[], i: number) => row.filter((s, j) => j !== i && s >= row[i]!).length;
    const byImage = scores.map((row, i) => place(row, i));
    const byText = scores.map((_, t) =>
      place(
        scores.map((row) => row[t]!),
        t,
      ),
    );
    for (const k of [1, 5, 10]) {
      expect(found[`i2t_r${k}`], `i2t_r${k}`).toBe(share(byImage, (r) => r < k));
      expect(found[`t2i_r${k}`], `t2i_r${k}`).toBe(share(byText, (r) => r < k));
      expect(evaluator.chance![`i2t_r${k}`]).toBeCloseTo(k / 13, 12);
    }
    expect(new Set(byImage).size, "a rank that differs").toBeGreaterThan(3);

    const sizes = {
      batch: 1,
      textLength: LENGTH,
      maskedPatches: 5,
      maskedTokens: maskedTexts(LENGTH, tokens).mask.maxTargets,
    };
    const p = new Params();
    const outputs = pretrainPairs(p, model, pairBatch(model, { ...sizes, itmLabels: false }));
    const hits: Record<string, boolean[]> = { mmm_text: [], mmm_image: [] };
    for (const [i, { key, image, caption }] of pairs.entries()) {
      const build = {
        kind: "pair",
        image: maskedImages(contextOf().model.pictures!, masking, null),
        text: maskedTexts(LENGTH, tokens),
      } as const;
      const feeds = await builtFeeds(build, { tokenizer, seed: 3, first: i }, [{ key, image, text: caption }]);
      for (const head of ["mmm_text", "mmm_image"] as const) {
        const { logits, targets, weights: w } = compute({ ...outputs[head] }, feeds);
        hits[head]!.push(...scored(logits!, targets!, w!).map(({ hit }) => hit));
      }
    }
    for (const head of ["mmm_text", "mmm_image"]) expect(found[`${head}_accuracy`]).toBe(share(hits[head]!, Boolean));
    expect(Object.keys(evaluator.chance!).sort()).toEqual(Object.keys(found).sort());
  });

  it("are matched with the hardest wrong caption, as one by one", async () => {
    const pairs = await read();
    const scores = await cosines(pairs);
    const { itm_logits } = multimodalGraph(model, { batch: 1, textLength: LENGTH }).graph.outputs;
    const margin = async (pair: Pair, text: string): Promise<number> => {
      const feeds = { ...(await imageFeeds(contextOf(), [pair])), ...textFeeds(contextOf(), [text], LENGTH) };
      const [no, yes] = toNumbers(compute({ z: itm_logits! }, feeds).z!);
      return yes! - no!;
    };
    const [own, wrong]: [number[], number[]] = [[], []];
    for (const [i, pair] of pairs.entries()) {
      const hardest = argmax(scores[i]!.map((s, j) => (j === i ? -2 : s)));
      own.push(await margin(pair, pair.caption));
      wrong.push(await margin(pair, pairs[hardest]!.caption));
    }
    const sorted = [...own, ...wrong].sort((a, b) => a - b);
    const bias = weights["itm_head.seq_relationship.bias"]!;
    const seen = new Set<number>();
    for (const at of [5, 9, 13, 17, 21]) {
      const threshold = (sorted[at - 1]! + sorted[at]!) / 2; // a head that says "matched" to those above it
      const [no, yes] = toNumbers(bias);
      const tensors = { ...weights, "itm_head.seq_relationship.bias": fromNumbers([no! + threshold, yes!], [2]) };
      const found = await measure(createPairs(contextOf({}, tensors), { name: "v", pairs: read, ...all }));
      const right = [...own.map((m) => m > threshold), ...wrong.map((m) => m < threshold)];
      expect(found.itm_accuracy).toBe(share(right, Boolean));
      seen.add(found.itm_accuracy!);
    }
    expect(seen.size).toBeGreaterThan(1);
  });

  it("do not depend on the batch size", async () => {
    const of = (batchSize: number) =>
      measure(createPairs(contextOf({ batchSize }), { name: "validation", pairs: read, ...all }));
    expect(await of(4)).toEqual(await of(13));
  });

  it("are all matched for a head that always says so: half of it is wrong", async () => {
    const rigged = { ...weights, "itm_head.seq_relationship.weight": fromNumbers(new Array(32).fill(0), [2, 16]) };
    for (const bias of [1, -1]) {
      const tensors = { ...rigged, "itm_head.seq_relationship.bias": fromNumbers([0, bias], [2]) };
      const found = await measure(createPairs(contextOf({}, tensors), { name: "v", pairs: read, ...all }));
      expect(found.itm_accuracy).toBe(0.5);
    }
  });

  it("leave out what the model has no head for and what has weight 0", async () => {
    const names = ["i2t_r1", "i2t_r5", "i2t_r10", "t2i_r1", "t2i_r5", "t2i_r10"];
    const contrastive = Object.fromEntries(
      Object.entries(weights).filter(([name]) => /^flava\.(image|text|logit)/.test(name)),
    );
    const less = await measure(createPairs(contextOf({}, contrastive), { name: "v", pairs: read, ...all }));
    expect(Object.keys(less)).toEqual(names);
    const other = { ...all, retrieval: false, masked: { ...all.masked, heads: ["text"] as const } };
    const fewer = await measure(createPairs(contextOf(), { name: "v", pairs: read, ...other }));
    expect(Object.keys(fewer)).toEqual(["itm_accuracy", "mmm_text_accuracy"]);
  });

  it("of several styles are candidates of their own style only", async () => {
    const base = (await samples(PAIRS)).slice(0, 8);
    const styled = base.map((sample, i) => ({ ...sample, meta: { concept: `c${i % 4}`, style: i < 4 ? "a" : "b" } }));
    const read = await readPairs(sourceOf("styled", styled), { maxPairs: 100 });
    const of = async (pairs: readonly Pair[]) =>
      measure(createPairs(contextOf(), { name: "v", pairs: async () => pairs, ...all }));
    const [both, a, b] = [await of(read), await of(read.slice(0, 4)), await of(read.slice(4))];
    for (const metric of ["i2t_r1", "t2i_r1"]) expect(both[metric]).toBe((a[metric]! + b[metric]!) / 2);
  });
});

describe("mlm", () => {
  const mlmOptions = {
    texts: openedAll(TEXTS),
    training: openedAll(TEXTS),
    max: 100,
    textLength: LENGTH,
    masking: tokens,
    pack: null,
  };
  it.each([100, 7])("is what one text at a time gives, of the first %i", async (maxPairs) => {
    const evaluator = createMlm(contextOf(), { ...mlmOptions, max: maxPairs });
    const found = await measure(evaluator);
    const text = maskedTexts(LENGTH, tokens);
    const p = new Params();
    const sizes = { batch: 1, textLength: LENGTH, maskedPatches: 1, maskedTokens: text.mask.maxTargets };
    const { mlm } = pretrainTexts(p, model, textBatch(sizes));
    const rows: ReturnType<typeof scored> = [];
    const { fields, encode } = createBuilder({ kind: "text", text }, tokenizer);
    for (const [i, { key, texts }] of (await samples(TEXTS)).slice(0, maxPairs).entries()) {
      const draw = { seed: 3, stream: "evaluation.texts.0/0", epoch: 0, ordinal: i };
      const one = allocateRows(fields, 1);
      encode({ key, text: texts![0]!, draw }, undefined, one, 0);
      const { logits, targets, weights: w } = compute({ ...mlm }, joinRows(fields, [{ rows: one, from: 0, to: 1 }]));
      rows.push(...scored(logits!, targets!, w!));
    }
    const targets = rows.map(({ target }) => target);
    expect(found.loss).toBeCloseTo(mean(rows.map(({ loss }) => loss)), 10);
    expect(found.accuracy).toBe(share(rows, ({ hit }) => hit));
    expect(found.unigram_accuracy).toBe(share(targets, (t) => t === commonest(targets)));
    const trained = (await samples(TEXTS)).flatMap(({ texts }) => tokenizer.ids(texts![0]!)); // also those that are trained on
    const once = (t: number): number =>
      (trained.filter((u) => u === t).length + 1) / (trained.length + tokenizer.vocabSize);
    expect(found.unigram_loss).toBeCloseTo(mean(targets.map((t) => -Math.log(once(t)))), 10);
    expect(evaluator!.chance).toEqual({ loss: Math.log(tokenizer.vocabSize), accuracy: found.unigram_accuracy });
  });
  it("is not measured without texts or without the head", async () => {
    expect(await measure(createMlm(contextOf(), { ...mlmOptions, texts: openedAll() }))).toEqual({});
    const headless = Object.fromEntries(Object.entries(weights).filter(([name]) => !name.startsWith("mlm_head.")));
    expect(await measure(createMlm(contextOf({}, headless), mlmOptions))).toEqual({});
  });
});

describe("mim", () => {
  it("is what one picture at a time gives", async () => {
    const sets = [pairSet(opened(PAIRS), { maxPairs: 4 }), pairSet(opened(TEXTS), { maxPairs: 3 })];
    const found = await measure(createMim(contextOf(), { pairs: sets, masking }));
    const p = new Params();
    const sizes = { batch: 1, textLength: 1, maskedPatches: masking.patches, maskedTokens: 1 };
    const { mim } = pretrainImages(p, model, imageBatch(model, sizes));
    const rows: ReturnType<typeof scored> = [];
    for (const [i, pair] of [...(await sets[0]!()), ...(await sets[1]!())].entries()) {
      const feeds = await builtFeeds(
        { kind: "image", image: maskedImages(contextOf().model.pictures!, masking, null) },
        { seed: 3, first: i },
        [{ key: pair.key, image: pair.image }],
      );
      const { logits, targets, weights: w } = compute({ ...mim }, feeds);
      rows.push(...scored(logits!, targets!, w!));
    }
    const targets = rows.map(({ target }) => target);
    expect(found.loss).toBeCloseTo(mean(rows.map(({ loss }) => loss)), 10);
    expect(found.accuracy).toBe(share(rows, ({ hit }) => hit));
    expect(found.majority_accuracy).toBe(share(targets, (t) => t === commonest(targets)));
  });
});

describe("codebook", () => {
  it("counts words and errors one by one, of the live and of the averaged weights", async () => {
    const p = new Params();
    const pixels = input("codebook_pixel_values", [1, 3, 32, 32]);
    const logits = dvaeEncoder(p.at("image_codebook"), codebook, pixels);
    const oneHot = input("one_hot", [1, 24, 4, 4]);
    const { mu } = dvaeDecoder(p.at("image_decoder"), codebook, oneHot);
    const of = (salt: string) =>
      Object.fromEntries(p.specs().map(({ name, shape }) => [name, rough(salt + name, shape)]));
    const [live, ema] = [of("live"), of("ema")];
    const averaged = Object.fromEntries(Object.entries(ema).map(([name, t]) => [`ema.${name}`, t]));
    const pairs = [pairSet(opened(PAIRS), { maxPairs: 7 })];
    for (const [which, values] of [
      ["", live],
      ["ema", ema],
    ] as const) {
      const context = contextOf({}, { ...live, ...averaged });
      const found = await measure(createCodebook(context, { pairs, imageSize: null, scope: which }));
      const [codes, errors]: [number[], number[]] = [[], []];
      const colours: Record<string, number[]> = {
        colour_error: [],
        picture_colour_error: [],
        patch_lightness_error: [],
      };
      for (const { key, image } of await pairs[0]!()) {
        const feeds = await builtFeeds({ kind: "dvae", size: 32, augment: null }, {}, [{ key, image }]);
        const z = toNumbers(compute({ logits }, feeds, values).logits!);
        const ids = Array.from({ length: 16 }, (_, at) =>
          argmax(Array.from({ length: 24 }, (__, v) => z[v * 16 + at]!)),
        );
        codes.push(...ids);
        const one_hot = fromNumbers(
          Array.from({ length: 24 * 16 }, (_, i) => (ids[i % 16] === Math.floor(i / 16) ? 1 : 0)),
          [1, 24, 4, 4],
        );
        const { back, truth } = compute(
          { back: reconstruction(mu), truth: unmapPixels(pixels) },
          { ...feeds, one_hot },
          values,
        );
        const x = toNumbers(truth!);
        const [original, decoded] = [planesOf(truth!, 0), planesOf(back!, 0)];
        colours.colour_error!.push(colourErrors(original, decoded).colour);
        colours.picture_colour_error!.push(colourErrors(original, evened(original, 32)).colour);
        colours.patch_lightness_error!.push(colourErrors(original, evened(original, 8)).lightness);
        errors.push(mean(toNumbers(back!).map((y, i) => (y - x[i]!) ** 2)));
      }
      const shares = [...new Set(codes)].map((code) => share(codes, (c) => c === code));
      expect(found.usage).toBe(shares.length / 24);
      expect(found.perplexity).toBeCloseTo(
        shares.reduce((product, q) => product * q ** -q, 1),
        9,
      );
      expect(found.mse).toBeCloseTo(mean(errors), 9);
      for (const [name, values] of Object.entries(colours)) expect(found[name], name).toBeCloseTo(mean(values), 4);
      expect(shares.length).toBeGreaterThan(1);
    }
  });
});

describe("nearestLabels", () => {
  it("is a weighted vote of the nearest, as counted by hand", () => {
    const rng = random(5, "knn-test");
    const rows = (n: number): number[][] =>
      Array.from({ length: n }, () => {
        const row = Array.from({ length: 4 }, () => Math.fround(rng.normal()));
        return row.map((x) => Math.fround(x / Math.hypot(...row)));
      });
    const [known, asked] = [rows(50), rows(30)];
    const labels = known.map((_, i) => "abcde"[i % 5]!);
    const naive = asked.map((query) => {
      const near = known
        .map((row, i) => ({ label: labels[i]!, cosine: row.reduce((sum, x, e) => sum + x * query[e]!, 0) }))
        .sort((a, b) => b.cosine - a.cosine)
        .slice(0, 20);
      const vote = (label: string): number =>
        near.reduce((sum, n) => sum + (n.label === label ? Math.exp(n.cosine / 0.07) : 0), 0);
      return [..."abcde"].sort((a, b) => vote(b) - vote(a))[0];
    });
    const said = nearestLabels(fromNumbers(known.flat(), [50, 4]), labels, fromNumbers(asked.flat(), [30, 4]));
    expect(said).toEqual(naive);
    expect(new Set(said).size).toBeGreaterThan(2);
  });
});

describe("knn", () => {
  const [train, test] = [labelledSet(opened("synthetic:23x32"), { max: 100 }), labelledSet(opened(PAIRS), { max: 11 })];
  it("classifies by the CLS of the encoder, one by one", async () => {
    const found = await measure(createKnn(contextOf(), { train, test }));
    const { image_embeddings } = imageGraph(model, { batch: 1 }).graph.outputs;
    const feature = async (picture: { key: string; image: Uint8Array }): Promise<number[]> => {
      const states = toNumbers(compute({ x: image_embeddings! }, await imageFeeds(contextOf(), [picture])).x!);
      const cls = states.slice(0, model.image.hiddenSize);
      return cls.map((x) => x / Math.hypot(...cls));
    };
    const known: { label: string; feature: number[] }[] = [];
    for (const each of await train()) known.push({ label: each.label, feature: await feature(each) });
    const rows = fromNumbers(
      known.flatMap((each) => each.feature),
      [known.length, model.image.hiddenSize],
    );
    const right: boolean[] = [];
    for (const each of await test()) {
      const query = fromNumbers(await feature(each), [1, model.image.hiddenSize]);
      right.push(
        nearestLabels(
          rows,
          known.map(({ label }) => label),
          query,
        )[0] === each.label,
      );
    }
    expect(found.accuracy).toBe(share(right, Boolean));
    const most = commonest(known.map(({ label }) => label));
    expect(found.majority_accuracy).toBe(share(await test(), ({ label }) => label === most));
  });
  it("measures the first weights beside the trained ones, whatever the scope", async () => {
    const first = initialize(imageGraph(model, { batch: 1 }).params, 3);
    const teacher = Object.fromEntries(Object.entries(first).map(([name, t]) => [`teacher.${name}`, t]));
    const context = contextOf({}, { ...weights, ...teacher });
    const found = await measure(createKnn(context, { train, test, scope: "teacher" }));
    expect(found.accuracy).toBe(found.random_init_accuracy);
    const trained = await measure(createKnn(context, { train, test }));
    expect(trained.random_init_accuracy).toBe(found.accuracy);
    expect(await measure(createKnn(contextOf(), { train, test, scope: "teacher" }))).toEqual({});
  });
});
