/**
 * WebGPU in Chromium, on SwiftShader, which comes with it: the numbers are those of Node, the speed is that of software. Slow because it
 * compiles shaders. `npm run test:web`
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FlavaModel } from "../../src/api/index.ts";
import { tinyModelFolder } from "../support/tiny-model.ts";
import { embed, openTab, trainSteps } from "./both.ts";
import { ask, buildPage, openPage, startChromium } from "./harness.ts";
import { makePictures } from "./pictures.ts";
import { expectSame } from "./same.ts";
import { type Served, serve } from "./serve.ts";
import { startFiles, startFolder } from "./start.ts";

const TEXTS = ["a cat on the beach", "a red ball in a photo of a house"];
const STEPS = 20;
/** Twenty steps take minutes in software. */
const PATIENCE = 1_800_000;
const folder = mkdtempSync(join(tmpdir(), "flava-web-gpu-"));
const start = startFolder();
let model: string;
let pictures: Uint8Array[];
let server: Served;
let browser: Browser;
let page: Page;

beforeAll(async () => {
  model = await tinyModelFolder();
  pictures = await makePictures(join(folder, "pictures"));
  const built = await buildPage("test/web");
  server = await serve({ "/": built, "/model": model, "/pictures": join(folder, "pictures"), "/start": start });
  browser = await startChromium({ gpu: true });
  page = await openPage(browser, server.address);
});
afterAll(async () => {
  await browser?.close();
  await server?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

describe("a page with WebGPU", () => {
  it("finds SwiftShader where a GPU is asked for by name; auto leaves a GPU of software to others", async () => {
    expect(await ask(page, "device", "webgpu")).toMatch(/webgpu/);
    expect(await ask(page, "hasGpu")).toBe(false);
  });

  it("embeds ten files and two texts as Node does", async () => {
    await using here = await FlavaModel.fromPretrained(model, { threads: 1 });
    const expected = await embed(here, pictures, TEXTS);
    const found = await ask(page, "embed", "webgpu", undefined, pictures.length, TEXTS);
    expect(found.images.flat()).toBeAllclose(expected.images.flat(), { atol: 1e-3 });
    expect(found.texts.flat()).toBeAllclose(expected.texts.flat(), { atol: 1e-3 });
  });

  it(
    "trains with its state on the GPU: twenty steps have Node's losses and give Node's parameters and moments",
    async () => {
      using tab = await openTab(startFiles(), "cpu", 1);
      const here = await trainSteps(tab, STEPS);
      const there = await ask(page, "train", "webgpu", undefined, STEPS);
      expectSame(there, here);
    },
    PATIENCE,
  );

  it("says that the GPU is lost, and opens it again", async () => {
    expect(await ask(page, "lost")).toMatch(/the GPU was lost/);
    const { images } = await ask(page, "embed", "webgpu", undefined, 1, TEXTS);
    expect(images).toHaveLength(1);
  });
});
