/**
 * A trained model in use: FLAVA-base with random weights, one process. FLOP/s of the encoders as a share of what the engine reaches on
 * large products, 8 bits against float32, the time of one caption, and pictures from JPEG files against pictures that are ready.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { FlavaModel, type ImageFeeds, type LoadedModel } from "../src/api/index.ts";
import { costOf } from "../src/graph/cost.ts";
import { type Graph, graph, input, matmul, type Value } from "../src/graph/index.ts";
import { flavaFamily, variants } from "../src/models/flava/index.ts";
import { initialTensor } from "../src/nn/index.ts";
import { compile, type Device, openDevice, State } from "../src/runtime/index.ts";
import { loadBertTokenizer } from "../src/text/load.node.ts";
import { figure, interleave, median, medianRatio, noise, say } from "./measure.ts";

const SIDE = 1024;
const PRODUCTS = 8;
const TOKENS = 77;
const FILES = 16;

const model = flavaFamily.of(variants.base);

/** Products of square matrices in a row, with weights that the engine packs once: what it can reach. */
async function productsOf(device: Device): Promise<{ run: () => Promise<unknown>; flops: number; dispose(): void }> {
  const names = Array.from({ length: PRODUCTS }, (_, i) => `w${i}`);
  const y = names.reduce<Value>((x, name) => matmul(x, input(name, [SIDE, SIDE])), input("x", [SIDE, SIDE]));
  const weights = Object.fromEntries(names.map((name) => [name, noise(name, [SIDE, SIDE])]));
  const compiled = await compile(graph("products", { y }), device, { weights });
  const feeds = { x: noise("x", [SIDE, SIDE]) };
  return { run: () => compiled.run(feeds), flops: PRODUCTS * 2 * SIDE ** 3, dispose: () => compiled.dispose() };
}

/** The parts of the base model that answer, drawn at random. */
function drawn(device: Device): State {
  const state = new State(device);
  for (const spec of model.parameters())
    if (/^flava\.|^itm_head\./.test(spec.name)) state.write(spec.name, initialTensor(spec, 1));
  return state;
}

const pixels = (batch: number): ImageFeeds => ({ pixel_values: noise("pixels", [batch, 3, 224, 224]) });
const captions = (batch: number) => {
  const shape = [batch, TOKENS];
  const data = new Int32Array(batch * TOKENS).map((_, i) => 1000 + ((i * 7919) % 20000));
  return { input_ids: { dtype: "int32", shape, data } as const };
};
const flopsOf = (g: Graph, ...outputs: string[]): number =>
  costOf(graph(g.name, Object.fromEntries(outputs.map((name) => [name, g.outputs[name]!])))).flops;

/** Prints the figures. */
export async function infer(rounds: number, threads: number | undefined): Promise<void> {
  const device = await openDevice("cpu", threads ? { threads } : {});
  say(`${device.description}: drawing the weights of FLAVA-base`);
  const state = drawn(device);
  const loaded = { model, device, state, tokenizer: await loadBertTokenizer(), batchSize: 8 };
  const flava = FlavaModel.of(loaded);
  await shares(flava, device, rounds);
  await oneCaption(flava, rounds);
  await fromFiles(flava, rounds);
  await eightBits(flava, loaded, rounds);
  flava.dispose();
  state.dispose();
}

async function shares(flava: FlavaModel, device: Device, rounds: number): Promise<void> {
  const peak = await productsOf(device);
  const image = (batch: number) => {
    const feeds = pixels(batch);
    return () => flava.encodeImage(feeds, { outputs: ["image_embeds"] });
  };
  const [feeds, texts] = [pixels(8), captions(8)];
  const works = {
    image_1: { run: image(1), flops: flopsOf(model.image!({ batch: 1 }).graph, "image_embeds") },
    image_8: { run: image(8), flops: flopsOf(model.image!({ batch: 8 }).graph, "image_embeds") },
    text_8: {
      run: () => flava.encodeText(texts, { outputs: ["text_embeds"] }),
      flops: flopsOf(model.text!({ batch: 8, textLength: TOKENS }).graph, "text_embeds"),
    },
    pairs_8: {
      run: () => flava.match(feeds, texts),
      flops: flopsOf(model.pair!({ batch: 8, textLength: TOKENS }).graph, "itm_logits"),
    },
  };
  const [ceiling, ...times] = await interleave([peak.run, ...Object.values(works).map(({ run }) => run)], rounds);
  figure("products_gflops", peak.flops / median(ceiling!) / 1e9, 1);
  for (const [i, [name, { flops }]] of Object.entries(works).entries())
    figure(`infer_${name}_of_peak`, (flops / peak.flops) * medianRatio(ceiling!, times[i]!));
  peak.dispose();
}

async function oneCaption(flava: FlavaModel, rounds: number): Promise<void> {
  const ask = () => flava.encodeText("a dog on a beach", { outputs: ["text_embeds"] });
  const [times] = await interleave([ask], 3 * rounds);
  figure("infer_caption_ms", 1000 * median(times!), 1);
}

async function fromFiles(flava: FlavaModel, rounds: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "flava-bench-"));
  try {
    const raw = { width: 640, height: 480, channels: 3 } as const;
    const data = Uint8Array.from({ length: 640 * 480 * 3 }, (_, i) => ((i % 1920) / 8 + i / 3700) & 255);
    const paths = Array.from({ length: FILES }, (_, i) => join(folder, `${i}.jpg`));
    for (const path of paths) await sharp(data, { raw }).jpeg().toFile(path);
    const ready = pixels(FILES);
    const alone = () => flava.encodeImage(ready, { outputs: ["image_embeds"] });
    const whole = async (): Promise<void> => {
      for await (const row of flava.embedImages(paths)) if (row.error) throw row.error;
    };
    const [inference, files] = await interleave([alone, whole], rounds);
    figure("infer_images_per_s", FILES / median(files!), 2);
    figure("infer_files_over_ready", medianRatio(inference!, files!));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function eightBits(flava: FlavaModel, loaded: LoadedModel, rounds: number): Promise<void> {
  const small = FlavaModel.of({ ...loaded, arithmetic: { dtype: "q8" } });
  const feeds = pixels(8);
  const options = { outputs: ["image_embeds"] } as const;
  const [full, few] = await interleave(
    [() => flava.encodeImage(feeds, options), () => small.encodeImage(feeds, options)],
    rounds,
  );
  figure("infer_q8_over_fp32", medianRatio(full!, few!));
  small.dispose();
}
