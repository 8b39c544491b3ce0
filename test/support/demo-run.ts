/** A made-up run folder with every kind of section, for the tests of the report and to look at its page. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { drawScene, paintScene } from "../../src/data/sources/shapes.ts";
import { resolveRecipe } from "../../src/pretrain/recipe/index.ts";
import { openMetrics, type RunInfo, saveGallerySection, saveRecipe, saveRunInfo } from "../../src/record/index.ts";
import { random } from "../../src/tensor/index.ts";

const SIDE = 48;
const GRID = 6;
const CHANCE = { mim: Math.log(512), mlm: Math.log(3000), global_contrastive: Math.log(128), itm: Math.log(2) };

export const DEMO_INFO: RunInfo = {
  name: "starter",
  status: "done",
  startedAt: "2026-01-02T03:04:05.000Z",
  finishedAt: "2026-01-02T03:16:05.000Z",
  command: "flava pretrain recipes/starter.yaml",
  environment: {
    flava: "0.1.0",
    commit: "0123456789abcdef0123456789abcdef01234567",
    node: "20.19.0",
    engine: "ONNX Runtime 1.30.0 (cpu)",
    cpu: "A <Processor>",
    processors: 2,
    threads: 2,
    platform: "linux x64",
  },
  stages: {
    codebook: { kind: "dvae", steps: 300, done: 300, seconds: 130, samples: 19_200, chance: {}, parameters: 812_345 },
    joint: {
      kind: "joint",
      steps: 500,
      done: 500,
      seconds: 400,
      samples: 64_000,
      times: { data: 4.1, engine: 361, evaluation: 30, saving: 4.9 },
      chance: { ...CHANCE, "eval/validation/i2t_r1": 1 / 64 },
      parameters: 5_123_456,
    },
  },
  results: {
    unseen_families_i2t_r1: 0.213,
    unseen_families_i2t_r10: 0.52,
    unseen_families_i2t_r1_over_chance: 34.9,
    unseen_families_t2i_r1: 0.19,
    unseen_families_t2i_r1_over_chance: 31.2,
    unseen_style_i2t_r1: 0.112,
    unseen_style_i2t_r1_over_chance: 107,
    unseen_style_t2i_r1: 0.104,
    unseen_style_t2i_r1_over_chance: 100,
    mlm_loss: 4.61,
  },
  coverage: {
    "pairs starter:pairs": {
      texts: 2000,
      words: 6100,
      unknown: 0,
      unknownShare: 0,
      unreadable: 0,
      commonest: [],
      firstSamples: 2000,
    },
    "test unseen_families": {
      texts: 491,
      words: 1200,
      unknown: 30,
      unknownShare: 0.025,
      unreadable: 4,
      commonest: [
        { word: "quokka", count: 12 },
        { word: "<b>|`", count: 3 },
      ],
    },
  },
  peakMemoryBytes: 2.1 * 2 ** 30,
};

/** Writes the run folder. */
export async function writeDemoRun(folder: string): Promise<void> {
  await mkdir(join(folder, "gallery"), { recursive: true });
  await saveRunInfo(folder, DEMO_INFO);
  await saveRecipe(folder, (await resolveRecipe("recipes/starter.yaml")).recipe);
  await writeMetrics(join(folder, "metrics.jsonl"));
  await writeGallery(folder);
}

async function writeMetrics(path: string): Promise<void> {
  await using log = await openMetrics(path, { running: ["codebook", "joint"] });
  const rng = random(1, "demo");
  const falling = (from: number, to: number, t: number): number =>
    to + (from - to) * Math.exp(-4 * t) + 0.06 * rng.normal();
  for (let step = 1; step <= 300; step += 5)
    await log.log("codebook", step, {
      loss: falling(1.2, -0.4, step / 300),
      "codebook/usage": 1 - Math.exp(-step / 60),
      lr: 1e-3,
    });
  await log.log("codebook", 300, {
    "eval/codebook/colour_error": 11.61,
    "eval/codebook/lightness_error": 8.7,
    "eval/codebook/patch_colour_error": 10.2,
    "eval/codebook/patch_lightness_error": 8.9,
    "eval/codebook/picture_colour_error": 21.04,
    "eval/codebook/picture_lightness_error": 16,
  });
  for (let step = 1; step <= 500; step++) {
    const t = step / 500;
    const kind = step % 7 === 0 ? "mim" : step % 7 === 1 ? "mlm" : "pairs";
    const common = {
      lr: 1e-3 * Math.min(1, step / 50) * (0.5 + 0.5 * Math.cos(Math.PI * t)),
      grad_norm: falling(4, 1, t),
    };
    if (kind !== "pairs") {
      const value = falling(CHANCE[kind], CHANCE[kind] - 2.5, t);
      await log.log("joint", step, { loss: value, [kind]: value, ...common });
      continue;
    }
    const contrastive = falling(CHANCE.global_contrastive, 1.9, t);
    const itm = falling(CHANCE.itm, 0.4, t);
    await log.log("joint", step, {
      loss: contrastive + itm,
      global_contrastive: contrastive,
      itm,
      "itm/accuracy": 0.5 + 0.35 * t,
      ...common,
    });
    if (step % 50 === 0)
      await log.log("joint", step, {
        "eval/validation/i2t_r1": 0.016 + 0.3 * t,
        "eval/validation/i2t_r5": 0.08 + 0.5 * t,
        "eval/validation/i2t_r10": 0.16 + 0.6 * t,
      });
  }
}

async function writeGallery(folder: string): Promise<void> {
  const scenes = Array.from({ length: 10 }, (_, i) => drawScene(0, i));
  const captions = scenes.map(({ caption }) => caption);
  const save = async (name: string, pixels: Uint8Array): Promise<string> => {
    const png = await sharp(pixels, { raw: { width: SIDE, height: SIDE, channels: 3 } })
      .png()
      .toBuffer();
    await writeFile(join(folder, "gallery", `${name}.png`), png);
    return `${name}.png`;
  };
  const pictures: { original: string; reconstruction: string; masked: string; filled: string }[] = [];
  for (const [i, scene] of scenes.entries()) {
    const pixels = new Uint8Array(paintScene(scene, SIDE, SIDE));
    const blurred = new Uint8Array(
      await sharp(pixels, { raw: { width: SIDE, height: SIDE, channels: 3 } })
        .blur(1.6)
        .raw()
        .toBuffer(),
    );
    const hidden = hiddenPixels(i);
    pictures.push({
      original: await save(`original-${i}`, pixels),
      reconstruction: await save(`reconstruction-${i}`, blurred),
      masked: await save(
        `masked-${i}`,
        pixels.map((x, at) => (hidden(at) ? 128 : x)),
      ),
      filled: await save(
        `filled-${i}`,
        pixels.map((x, at) => (hidden(at) ? blurred[at]! : x)),
      ),
    });
  }
  await saveSections(folder, pictures, captions);
}

/** Two rows of patches in the middle of the picture. */
const hiddenPixels =
  (i: number) =>
  (at: number): boolean => {
    const [x, y] = [Math.floor(at / 3) % SIDE, Math.floor(at / 3 / SIDE)];
    const [column, row] = [Math.floor((x * GRID) / SIDE), Math.floor((y * GRID) / SIDE)];
    return row >= 2 && row < 4 + (i % 2) && column > 0 && column < 5;
  };

type Pictures = readonly { original: string; reconstruction: string; masked: string; filled: string }[];

async function saveSections(folder: string, pictures: Pictures, captions: readonly string[]): Promise<void> {
  const ranked = (right: number, place: number) =>
    [...captions.keys()]
      .filter((i) => i !== right)
      .slice(0, 4)
      .toSpliced(place, 0, right)
      .slice(0, 5);
  const scores = [0.61, 0.44, 0.41, 0.3, 0.12];
  await saveGallerySection(folder, "1-found", {
    kind: "image-to-text",
    title: "Unseen pictures, and the captions it ranks first",
    text: "None of these things was in the training data, in any style. The right caption is marked.",
    items: pictures.slice(0, 6).map(({ original }, i) => ({
      image: original,
      captions: ranked(i, i % 3).map((c, place) => ({ text: captions[c]!, score: scores[place]!, right: c === i })),
    })),
  });
  await saveGallerySection(folder, "2-found-pictures", {
    kind: "text-to-image",
    title: "Unseen captions, and the pictures it ranks first",
    items: captions.slice(0, 3).map((caption, i) => ({
      caption,
      images: ranked(i, i === 2 ? 9 : i).map((c, place) => ({
        image: pictures[c]!.original,
        score: scores[place]!,
        right: c === i,
      })),
      answer: { image: pictures[i]!.original, rank: 17 },
    })),
  });
  await saveGallerySection(folder, "3-mistakes", {
    kind: "image-to-text",
    title: "What it gets wrong",
    items: pictures.slice(6, 8).map(({ original }, i) => ({
      image: original,
      captions: ranked(9, 9)
        .slice(0, 4)
        .map((c, place) => ({ text: captions[c]!, score: scores[place]!, right: false })),
      answer: { text: captions[6 + i]!, rank: 23 },
    })),
  });
  await saveGallerySection(folder, "4-attention", {
    kind: "attention",
    title: "Where the words look",
    text: "Attention of the last multimodal layer from each word to the patches, averaged over heads.",
    items: pictures.slice(0, 2).map(({ original }, i) => ({
      image: original,
      grid: [GRID, GRID],
      words: captions[i]!.split(" ").map((text, w) => ({
        text,
        weights: Array.from({ length: GRID * GRID }, (_, p) =>
          Math.exp(-(((p % GRID) - w) ** 2) / 3 - (Math.floor(p / GRID) - 3) ** 2 / 4),
        ),
      })),
    })),
  });
  await saveGallerySection(folder, "5-words", {
    kind: "masked-words",
    title: "Hidden words",
    items: [
      {
        tokens: [
          { text: "a" },
          { text: "large", guesses: guesses("small", "large", "young", "domestic", "wild") },
          { text: "animal" },
          { text: "with" },
          { text: "a" },
          { text: "long" },
          { text: "tail", guesses: guesses("tail", "neck", "body", "bill", "nose") },
          { text: "##ed" },
        ],
      },
      {
        image: pictures[0]!.original,
        tokens: captions[0]!
          .split(" ")
          .map((text, i) => (i === 1 ? { text, guesses: guesses(text, "<b>", "blue", "green", "large") } : { text })),
      },
    ],
  });
  await saveGallerySection(folder, "5b-words-near", {
    kind: "word-neighbours",
    title: "Words that no caption has",
    items: [
      {
        word: "strawberry",
        neighbours: [
          { text: "fruit", cosine: 0.81 },
          { text: "<i>", cosine: -0.204 },
        ],
      },
      { word: "quokka", neighbours: [] },
    ],
  });
  await saveGallerySection(folder, "5c-confusion", {
    kind: "confusion",
    title: "Mistakes",
    classes: ["cat", "<b>dog"],
    counts: [
      [3, 1],
      [0, 0],
    ],
  });
  await saveGallerySection(folder, "6-patches", {
    kind: "masked-patches",
    title: "Hidden patches",
    items: pictures
      .slice(0, 6)
      .map(({ original, masked, filled }, i) => ({ original, masked, filled, caption: captions[i]! })),
  });
  await saveGallerySection(folder, "7-codebook", {
    kind: "reconstructions",
    title: "What the codebook keeps",
    text: "512 visual words of 8 × 8 pixels: 36 of them are a picture.",
    errors: [
      { of: "made of visual words", colour: 11.61, lightness: 8.7 },
      { of: "one colour a picture, its mean", colour: 21.04, lightness: 16 },
    ],
    items: pictures.map(({ original, reconstruction }) => ({ original, reconstruction })),
  });
}

const guesses = (...words: readonly string[]): { text: string; probability: number }[] =>
  words.map((text, i) => ({ text, probability: [0.52, 0.21, 0.09, 0.04, 0.008][i]! }));
