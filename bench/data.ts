/**
 * The data path (decode → both branches → block mask → batch) beside the library's decode alone, on photo-like 640×480
 * JPEG files (quality 90, 4:2:0) and on 64×64 PNG drawings; how it scales from one core to two; and its memory over 20,000
 * samples. One core is one core: the parts run as processes that `taskset` binds. `data_over_decode` is one core without data threads,
 * `data_over_decode_thread` with one; scaling is two data threads on two cores over one on one.
 */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { packTar } from "modern-tar";
import sharp from "sharp";
import { type BatchBuild, createLoader, type Loader, openSource } from "../src/data/index.ts";
import { random } from "../src/tensor/index.ts";
import { figure, median, say } from "./measure.ts";

const PHOTOS = 64;
const DRAWINGS = 512;
const ROUNDS = 3;
const TURNS = 3;
const BATCH = 32;
const MEMORY_SAMPLES = 20_000;

/** FLAVA's sizes for photos, those of the starter recipe for drawings. */
const BUILDS: Readonly<Record<string, BatchBuild>> = {
  photos: flavaImages(224, 112, 14, 75, 16),
  drawings: flavaImages(48, 48, 6, 14, 3),
};

function flavaImages(size: number, codebookSize: number, grid: number, total: number, minBlock: number): BatchBuild {
  const mask = { rows: grid, columns: grid, total, minBlock };
  return { kind: "image", image: { size, codebookSize, augment: {}, mask } };
}

/** What a bound process measures: medians of a few turns. */
interface Report {
  /** Images a second. */
  readonly path: number;
  /** Milliseconds of processor time an image, all threads together. On one idle core that is the time it takes. */
  readonly pathCpu: number;
  readonly decodeCpu: number;
}

/** Prints the figures; with arguments, does one part of the work and prints a Report. */
export async function data(args: readonly string[]): Promise<void> {
  const [part, folder, set, workers] = args;
  if (part === "speed") return console.log(JSON.stringify(await speed(folder!, set!, Number(workers))));
  if (part === "memory") return console.log(JSON.stringify(await memory(folder!, Number(workers))));
  const root = await mkdtemp(join(tmpdir(), "flava-bench-"));
  try {
    await makePhotos(root);
    await makeDrawings(root);
    for (const name of ["photos", "drawings"]) {
      // In turn: a machine whose speed drifts slows all alike.
      const [inline, one, two]: [Report[], Report[], Report[]] = [[], [], []];
      for (let round = 0; round < ROUNDS; round++) {
        inline.push(await bound<Report>("0", ["speed", root, name, "0"]));
        one.push(await bound<Report>("0", ["speed", root, name, "1"]));
        two.push(await bound<Report>("0,1", ["speed", root, name, "2"]));
      }
      const prefix = name === "photos" ? "" : "small_";
      figure(`${prefix}images_per_s`, median(two.map(({ path }) => path)), 1);
      figure(`${prefix}images_per_s_one_core`, median(inline.map(({ path }) => path)), 1);
      figure(`${prefix}cpu_ms_per_image`, median(inline.map(({ pathCpu }) => pathCpu)));
      figure(`${prefix}cpu_ms_per_decode`, median(inline.map(({ decodeCpu }) => decodeCpu)));
      figure(`${prefix}data_over_decode`, median(inline.map(({ pathCpu, decodeCpu }) => pathCpu / decodeCpu)));
      figure(`${prefix}data_over_decode_thread`, median(one.map(({ pathCpu, decodeCpu }) => pathCpu / decodeCpu)));
      figure(`${prefix}data_two_core_scaling`, median(one.map(({ path }, i) => two[i]!.path / path)));
    }
    figure("data_rss_growth_mib", await bound<number>("0,1", ["memory", root, "drawings", "2"]), 1);
  } finally {
    await rm(root, { recursive: true });
  }
}

/** Runs a part in a process of its own on these cores. */
async function bound<T>(cores: string, part: readonly string[]): Promise<T> {
  const script = fileURLToPath(new URL("./run.js", import.meta.url));
  const command = ["-c", cores, process.execPath, script, "data", ...part];
  const { stdout } = await promisify(execFile)("taskset", command, { maxBuffer: 1 << 20 });
  return JSON.parse(stdout) as T;
}

async function speed(root: string, set: string, workers: number): Promise<Report> {
  const images: Uint8Array[] = [];
  for await (const { sample } of (await openSource(join(root, `${set}.tar`))).samples()) images.push(sample.image!);
  sharp.concurrency(1);
  const files = images.slice(0, set === "photos" ? 64 : 512);
  const decodeAll = (): Promise<Rate> => rate(files.length, (i) => sharp(files[i]!).raw().toBuffer(), 1);
  await decodeAll();
  const decode = [await decodeAll(), await decodeAll()];
  // Nothing else runs beside the loader, and its clock starts and stops when a batch has just come: batches made ahead
  // are neither given away nor counted twice.
  const loader = await open(root, set, workers);
  for (let i = 0; i < 6; i++) await loader.next();
  const path: Rate[] = [];
  for (let turn = 0; turn < TURNS; turn++)
    path.push(await rate(set === "photos" ? 128 : 2048, () => loader.next(), BATCH));
  await loader.close();
  decode.push(await decodeAll());
  return {
    path: median(path.map(({ perSecond }) => perSecond)),
    pathCpu: median(path.map(({ cpuMs }) => cpuMs)),
    decodeCpu: median(decode.map(({ cpuMs }) => cpuMs)),
  };
}

interface Rate {
  readonly perSecond: number;
  readonly cpuMs: number;
}

/** What an image costs in calls that do `each` images. */
async function rate(images: number, call: (i: number) => Promise<unknown>, each: number): Promise<Rate> {
  const start = performance.now();
  const cpu = process.cpuUsage();
  for (let i = 0; i < images / each; i++) await call(i);
  const { user, system } = process.cpuUsage(cpu);
  return { perSecond: images / ((performance.now() - start) / 1000), cpuMs: (user + system) / 1000 / images };
}

async function open(root: string, set: string, workers: number): Promise<Loader> {
  const source = await openSource(join(root, `${set}.tar`));
  const dataset = { name: set, sources: [{ source }], build: BUILDS[set]!, batchSize: BATCH, shuffle: 256 };
  return createLoader({ seed: 1, datasets: [dataset], workers, prefetch: 2 });
}

/**
 * MiB by which the process grows over 20,000 samples: the largest resident size in the last quarter less that in the
 * first, after a start that fills the caches. Between collections it goes up and down by tens of MiB.
 */
async function memory(root: string, workers: number): Promise<number> {
  const loader = await open(root, "drawings", workers);
  const peak = async (samples: number): Promise<number> => {
    let most = 0;
    for (let i = 0; i < samples / BATCH; i++) {
      await loader.next();
      most = Math.max(most, process.memoryUsage.rss() / 2 ** 20);
    }
    return most;
  };
  await peak(4000);
  const first = await peak(MEMORY_SAMPLES / 4);
  await peak(MEMORY_SAMPLES / 2);
  const last = await peak(MEMORY_SAMPLES / 4);
  await loader.close();
  return last - first;
}

/** Pictures with the statistics of photographs: noise of falling amplitude at every scale, with some sharp edges. */
async function makePhotos(root: string): Promise<void> {
  const entries = [];
  for (let i = 0; i < PHOTOS; i++) {
    const layers = await Promise.all([4, 12, 40, 120, 320].map((cells, level) => noiseLayer(i, level, cells)));
    const { data: base } = layers[0]!;
    const pixels = new Uint8Array(base.length);
    for (let p = 0; p < pixels.length; p++) {
      let value = 0;
      for (const [level, layer] of layers.entries())
        value += (layer.data[p]! - 128) * [0.9, 0.6, 0.35, 0.18, 0.08][level]!;
      pixels[p] = Math.max(0, Math.min(255, 128 + value));
    }
    const raw = { width: 640, height: 480, channels: 3 as const };
    const svg = `<svg width="640" height="480"><circle cx="${100 + i * 7}" cy="200" r="${40 + i}" fill="#c84"/><path d="M0 ${300 + i}L640 ${420 - i}V480H0z" fill="#354"/></svg>`;
    const image = sharp(pixels, { raw }).composite([{ input: Buffer.from(svg), blend: "soft-light" }]);
    const body = new Uint8Array(await image.jpeg({ quality: 90 }).toBuffer());
    entries.push({ header: { name: `${i}.jpg`, size: body.length }, body });
  }
  const bytes = entries.reduce((n, { body }) => n + body.length, 0);
  say(`${PHOTOS} photo-like 640×480 JPEG files, ${(bytes / PHOTOS / 1024).toFixed(0)} KiB each`);
  await writeFile(join(root, "photos.tar"), await packTar(entries));
}

async function noiseLayer(seed: number, level: number, cells: number): Promise<{ data: Buffer }> {
  const [width, height] = [cells, Math.max(2, Math.round(cells * 0.75))];
  const rng = random(seed, "photo", level);
  const cell = Uint8Array.from({ length: width * height * 3 }, () => rng.integer(256));
  const data = await sharp(cell, { raw: { width, height, channels: 3 } })
    .resize(640, 480, { kernel: "cubic", fit: "fill" })
    .raw()
    .toBuffer();
  return { data };
}

async function makeDrawings(root: string): Promise<void> {
  const entries = [];
  for await (const { sample } of (await openSource(`synthetic:${DRAWINGS}x64`)).samples())
    entries.push({ header: { name: `${sample.key}.png`, size: sample.image!.length }, body: sample.image! });
  const bytes = entries.reduce((n, { body }) => n + body.length, 0);
  say(`${DRAWINGS} 64×64 PNG drawings, ${(bytes / DRAWINGS).toFixed(0)} bytes each`);
  await writeFile(join(root, "drawings.tar"), await packTar(entries));
}
