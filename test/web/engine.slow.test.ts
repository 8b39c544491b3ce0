/**
 * The model and its training in a real Chromium, beside Node on the same bytes. Slow because it starts Chromium and compiles WebAssembly
 * and shaders. `npm run test:web`
 */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FlavaModel } from "../../src/api/index.ts";
import { noiseBytes } from "../golden/image/pictures.ts";
import { tinyModelFolder } from "../support/tiny-model.ts";
import { embed, filledPictures, openTab, trainSteps } from "./both.ts";
import { ask, buildPage, openPage, startChromium } from "./harness.ts";
import { makePictures } from "./pictures.ts";
import { expectSame } from "./same.ts";
import { type Served, serve } from "./serve.ts";
import { startFiles, startFolder } from "./start.ts";

const TEXTS = ["a cat on the beach", "a red ball in a photo of a house"];
const STEPS = 20;
const folder = mkdtempSync(join(tmpdir(), "flava-web-test-"));
const start = startFolder();
let model: string;
let server: Served;
let alone: Served;
let browser: Browser;
let page: Page;
let pictures: Uint8Array[];
/** Of three blocks, the last one short. */
const big = Uint8Array.from(noiseBytes("big", 9 * 2 ** 20));

const EXAMPLE_PAGE = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>loading</title>
<input type="file" multiple><ol></ol><script type="module" src="./example.ts"></script>`;

const fileOf = (bytes: Uint8Array, i: number): { name: string; mimeType: string; buffer: Buffer } => ({
  name: `${i}.png`,
  mimeType: "image/png",
  buffer: Buffer.from(bytes),
});

beforeAll(async () => {
  model = await tinyModelFolder();
  pictures = await makePictures(join(folder, "pictures"));
  const built = await buildPage("test/web");
  mkdirSync(join(folder, "files"));
  writeFileSync(join(folder, "files", "big"), big);
  const folders = {
    "/": built,
    "/files": join(folder, "files"),
    "/model": model,
    "/pictures": join(folder, "pictures"),
    "/start": start,
  };
  server = await serve(folders);
  alone = await serve(folders, { isolated: false });
  browser = await startChromium();
  page = await openPage(browser, server.address);
});
afterAll(async () => {
  await browser?.close();
  await server?.[Symbol.asyncDispose]();
  await alone?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

describe("a page with WebAssembly", () => {
  it("is isolated, so that threads can share memory", async () => {
    expect(await ask(page, "isolated")).toBe(true);
  });

  it("embeds ten JPEG, PNG and WebP files and two texts as Node does, with threads and without", async () => {
    await using here = await FlavaModel.fromPretrained(model, { threads: 1 });
    const expected = await embed(here, pictures, TEXTS);
    for (const threads of [2, 1]) {
      await using fresh = {
        page: await openPage(browser, server.address),
        [Symbol.asyncDispose]: async () => undefined,
      };
      const found = await ask(fresh.page, "embed", "wasm", threads, pictures.length, TEXTS);
      expect(found.images.flat()).toBeAllclose(expected.images.flat(), { atol: 1e-4 });
      expect(found.texts.flat()).toBeAllclose(expected.texts.flat(), { atol: 1e-4 });
      expect(found.events).toEqual(["initiate", "download", "progress", "done", "ready"]);
      console.log(
        `wasm, threads ${threads}: first result ${found.firstMs.toFixed(0)} ms, then ${found.imagesPerSecond.toFixed(1)} images/s`,
      );
      await fresh.page.close();
    }
  });

  it("keeps what it has loaded: the second time only the version is asked for", async () => {
    const other = await openPage(browser, server.address);
    await ask(other, "embed", "wasm", 1, 1, TEXTS);
    const before = server.asked.length;
    await ask(other, "embed", "wasm", 1, 1, TEXTS);
    const weights = server.asked.slice(before).filter((path) => path.startsWith("/model/model.safetensors"));
    await other.close();
    expect(weights).toEqual(["/model/model.safetensors bytes=0-0"]);
  });

  it("reads a large file by blocks, each once, and reads on where the cache is full or the server is gone", async () => {
    const [first, last] = [big.subarray(5_000_000, 5_000_016), big.subarray(-16)].map((part) => [...part]);
    const other = await openPage(browser, server.address);
    const before = server.asked.length;
    expect(await ask(other, "read", "/files/big", {})).toEqual({ first, last, warnings: [] });
    expect(server.asked.slice(before)).toEqual([
      "/files/big bytes=0-0",
      "/files/big bytes=4194304-8388607",
      "/files/big bytes=8388608-9437183",
    ]);
    await other.context().setOffline(true);
    expect(await ask(other, "read", "/files/big", {})).toEqual({ first, last, warnings: [] });
    await other.context().setOffline(false);
    const { warnings, ...read } = await ask(other, "read", "/files/big", { full: true });
    expect(read).toEqual({ first, last });
    expect(warnings).toEqual([expect.stringMatching(/cannot keep it .*loaded again next time/)]);
    await other.close();
  });

  it("trains: twenty steps have Node's losses and give Node's parameters and moments", async () => {
    using tab = await openTab(startFiles(), "cpu", 1);
    const here = await trainSteps(tab, STEPS);
    const there = await ask(page, "train", "wasm", undefined, STEPS);
    expectSame(there, here);
    console.log(
      `a training step: ${there.stepMs.toFixed(0)} ms in the page, ${here.stepMs.toFixed(0)} ms in Node with one thread`,
    );
  });

  it("draws what the model puts at hidden patches as Node does, but for ties", async () => {
    using tab = await openTab(startFiles(), "cpu", 1);
    const here = await filledPictures(tab, startFiles());
    const there = await ask(page, "filled", "wasm");
    expect(there).toHaveLength(here.length);
    expect(there.filter((byte, i) => byte === here[i]).length / here.length).toBeGreaterThan(0.98);
  });

  it("saves a checkpoint with which flava in Node goes on", async () => {
    const files = await ask(page, "checkpoint", "wasm", 3);
    const run = join(folder, "run");
    mkdirSync(join(run, "joint", "checkpoint-3"), { recursive: true });
    for (const name of ["recipe.json", "run.json", "tokenizer.json"]) cpSync(join(start, name), join(run, name));
    for (const [name, base64] of Object.entries(files))
      writeFileSync(join(run, "joint", "checkpoint-3", name), Buffer.from(base64, "base64"));
    const set = ["stages.joint.steps=5", "mayChange=[stages.joint.steps]", "threads=1"].flatMap((value) => [
      "--set",
      value,
    ]);
    const from = join(run, "joint", "checkpoint-3");
    const command = [
      "dist/cli/bin.js",
      "pretrain",
      join(run, "recipe.json"),
      "--run-dir",
      run,
      "--resume",
      from,
      ...set,
    ];
    const { status, stderr } = spawnSync(process.execPath, command, { encoding: "utf8" });
    expect(status, stderr).toBe(0);
    expect(stderr).not.toMatch(/codebook: \d/);
    expect(existsSync(join(run, "joint", "checkpoint-5", "model.safetensors"))).toBe(true);
  });

  it("runs on a page that is not isolated, with one thread, and says why there are no more", async () => {
    const lonely = await openPage(browser, alone.address);
    expect(await ask(lonely, "isolated")).toBe(false);
    const { images } = await ask(lonely, "embed", "wasm", undefined, 1, TEXTS);
    expect(images).toHaveLength(1);
    await expect(ask(lonely, "embed", "wasm", 2, 1, TEXTS)).rejects.toThrow(/not cross-origin isolated/);
    await lonely.close();
  });

  it("runs the twelve lines of docs/browser.md", async () => {
    const lines = /```ts no-run\n(.*?)```/s.exec(readFileSync("docs/browser.md", "utf8"))![1]!;
    expect(lines.trimEnd().split("\n").filter(Boolean)).toHaveLength(11);
    const root = join(folder, "example");
    mkdirSync(root);
    writeFileSync(join(root, "index.html"), EXAMPLE_PAGE);
    writeFileSync(join(root, "example.ts"), `${lines}\ndocument.title = "ready";\n`);
    await using served = await serve({ "/": await buildPage(root), "/model": model });
    const example = await openPage(browser, served.address);
    await example.locator("input").setInputFiles(pictures.slice(0, 3).map(fileOf));
    await expect.poll(() => example.locator("li").count(), { timeout: 120_000 }).toBe(3);
    await using here = await FlavaModel.fromPretrained(model, { threads: 1 });
    const { similarity } = await here.similarity(pictures.slice(0, 3), "a cat on the beach");
    const best = Math.max(...(similarity.data as Float32Array));
    expect(Number((await example.locator("li").first().innerText()).split(" ").at(-1))).toBeCloseTo(best, 2);
    await example.close();
  });

  it("says that there is no GPU", async () => {
    await expect(ask(page, "device", "webgpu")).rejects.toThrow(/webgpu: expected .*wasm/s);
  });
});
