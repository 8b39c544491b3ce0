/**
 * `npm run bench web -- [--model FOLDER]`: the model of runs/starter in Chromium beside Node, on pictures from files and in training.
 * The server is on this machine, so a cold cache costs what the browser does, not what a network does.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Browser } from "playwright-core";
import { embed, FlavaModel, imagesPerSecond, openTab, type StartFiles, trainSteps } from "../test/web/both.ts";
import { ask, buildPage, openPage, openSite, startChromium } from "../test/web/harness.ts";
import { makePictures } from "../test/web/pictures.ts";
import { type Served, serve } from "../test/web/serve.ts";
import { startFiles } from "../test/web/start.ts";
import { buildSite } from "../web/build.ts";
import { makeStart } from "../web/make-start.ts";
import { figure, median, seconds } from "./measure.ts";

const TEXTS = ["a cat on the beach"];
const STEPS = 24;
/** Times that the ten pictures are encoded, of which the median is taken. */
const ENCODED = 9;
const THREADS = [1, 2] as const;

/** All figures. */
export async function web(rounds: number, args: readonly string[]): Promise<void> {
  const at = args.indexOf("--model");
  const model = at >= 0 ? args[at + 1]! : "runs/starter";
  const folder = mkdtempSync(join(tmpdir(), "flava-bench-web-"));
  const [site, start, pictures] = ["site", "start", "pictures"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  process.env.FLAVA_WEB_START = start;
  await makeStart(start);
  await buildSite({ model, start, outDir: site });
  const files = await makePictures(pictures);
  weigh(site);
  await using pages = await serve({ "/": site });
  await using server = await serve({
    "/": await buildPage("test/web"),
    "/model": model,
    "/pictures": pictures,
    "/start": start,
  });
  const browser = await startChromium();
  try {
    await firstResults(browser, pages, rounds);
    await speeds({ browser, server, model, files, start: startFiles() }, rounds);
  } finally {
    await browser.close();
  }
  rmSync(folder, { recursive: true, force: true });
}

/** What a visitor loads, compressed: page, engine, model. */
function weigh(site: string): void {
  const bytes = (pattern: RegExp, without = /^$/): number =>
    readdirSync(site, { recursive: true, encoding: "utf8" })
      .filter((path) => pattern.test(path) && !without.test(path) && statSync(join(site, path)).isFile())
      .reduce((sum, path) => sum + gzipSync(readFileSync(join(site, path))).length, 0);
  figure("web_page_kb", bytes(/\.(html|js|css)$/) / 1e3, 0);
  figure("web_engine_wasm_kb", bytes(/\.wasm$/, /asyncify/) / 1e3, 0);
  figure("web_engine_webgpu_kb", bytes(/asyncify.*\.wasm$/) / 1e3, 0);
  figure("web_model_kb", bytes(/^model\//) / 1e3, 0);
}

/** From the address to the first ranking by words, with nothing kept and with all of it kept. */
async function firstResults(browser: Browser, { address }: Served, rounds: number): Promise<void> {
  const times: Record<"cold" | "warm", number[]> = { cold: [], warm: [] };
  for (let round = 0; round < rounds; round++) {
    const context = await browser.newContext();
    for (const kind of ["cold", "warm"] as const) {
      times[kind].push(await seconds(() => firstResult(context, address)));
      await new Promise((done) => setTimeout(done, 2000)); // the service worker keeps the page
    }
    await context.close();
  }
  for (const kind of ["cold", "warm"] as const) figure(`web_first_result_${kind}_s`, median(times[kind]), 2);
}

async function firstResult(context: Pick<Browser, "newPage">, address: string): Promise<void> {
  const { page } = await openSite(context, address);
  await page.getByRole("button", { name: "Use some drawings" }).first().click();
  await page.locator("#results li").nth(11).waitFor();
  await page.getByLabel("Words").fill("a red circle");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Ranked by “a red circle”" }).waitFor();
  await page.close();
}

interface Place {
  readonly browser: Browser;
  readonly server: Served;
  readonly model: string;
  readonly files: readonly Uint8Array[];
  readonly start: StartFiles;
}

interface Speed {
  readonly images: number;
  readonly steps: number;
}

/** Pictures and training steps a second, the page and Node in turn, so that a machine whose speed drifts slows both alike. */
async function speeds(place: Place, rounds: number): Promise<void> {
  const ways: Readonly<Record<string, (place: Place, threads: number) => Promise<Speed>>> = {
    wasm: inPage,
    node: inNode,
  };
  const found = new Map<string, Speed[]>();
  for (let round = 0; round < rounds; round++)
    for (const threads of THREADS)
      for (const [name, measured] of Object.entries(ways)) {
        const key = `${name}_${threads}`;
        found.set(key, [...(found.get(key) ?? []), await measured(place, threads)]);
      }
  for (const [key, all] of found) {
    figure(`web_images_per_s_${key}`, median(all.map(({ images }) => images)), 0);
    figure(`web_steps_per_s_${key}`, median(all.map(({ steps }) => steps)), 1);
  }
}

async function inPage({ browser, server, files }: Place, threads: number): Promise<Speed> {
  const page = await openPage(browser, server.address);
  const { imagesPerSecond: images } = await ask(page, "embed", "wasm", threads, files.length, TEXTS, ENCODED);
  const { stepMs } = await ask(page, "train", "wasm", threads, STEPS);
  await page.close();
  return { images, steps: 1000 / stepMs };
}

async function inNode({ model, files, start }: Place, threads: number): Promise<Speed> {
  await using opened = await FlavaModel.fromPretrained(model, { threads });
  await embed(opened, files, TEXTS);
  const images = await imagesPerSecond(opened, files, ENCODED);
  using tab = await openTab(start, "cpu", threads);
  const { stepMs } = await trainSteps(tab, STEPS);
  return { images, steps: 1000 / stepMs };
}
