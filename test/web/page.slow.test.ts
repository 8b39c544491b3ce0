/**
 * Every tab of the page, used as a person would, by mouse and by keyboard. Slow because it builds the page, starts Chromium and trains in
 * it. `npm run test:web`; with FLAVA_WEB_SHOTS=FOLDER it leaves pictures of every tab there.
 */
import { mkdtempSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unpackTar } from "modern-tar";
import type { Browser, Page } from "playwright-core";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildSite } from "../../web/build.ts";
import { tinyModelFolder } from "../support/tiny-model.ts";
import { startChromium } from "./harness.ts";
import { type Served, serve } from "./serve.ts";
import { startFolder } from "./start.ts";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const shots = process.env.FLAVA_WEB_SHOTS;
const problems: string[] = [];
let server: Served;
let browser: Browser;
let page: Page;

const status = (): Promise<string> => page.locator("#status").innerText();
const waitFor = (text: RegExp): Promise<void> =>
  page.locator("#status", { hasText: text }).waitFor({ timeout: 240_000 });

async function shoot(name: string): Promise<void> {
  if (shots === undefined) return;
  for (const width of [1280, 390])
    for (const colorScheme of ["light", "dark"] as const) {
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: join(shots, `${name}-${width}-${colorScheme}.png`), fullPage: true });
    }
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: 1280, height: 900 });
}

/** What axe-core calls serious or critical. */
async function seriousIssues(): Promise<string[]> {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const { violations } = await (
      globalThis as unknown as {
        axe: { run(): Promise<{ violations: { id: string; impact: string; nodes: { html: string }[] }[] }> };
      }
    ).axe.run();
    return violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join("; ")}`);
  });
}

beforeAll(async () => {
  const model = process.env.FLAVA_WEB_MODEL ?? (await tinyModelFolder());
  const built = mkdtempSync(join(tmpdir(), "flava-web-page-"));
  await buildSite({ model, start: await startFolder(built), outDir: join(built, "site") });
  server = await serve({ "/": join(built, "site") });
  browser = await startChromium();
  page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(message.text());
  });
  page.on("pageerror", (error) => problems.push(String(error)));
  await page.goto(`${server.address}/?device=wasm`);
  await waitFor(/^Ready on wasm/);
});
afterAll(async () => {
  await browser?.close();
  await server?.[Symbol.asyncDispose]();
});

describe("Search", () => {
  it("ranks drawings by words, and by a picture", async () => {
    await page.getByRole("button", { name: "Use some drawings" }).first().click();
    await waitFor(/^Read 12 pictures/);
    await page.getByLabel("Words").fill("a red ball");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Ranked by “a red ball”" }).waitFor();
    const scores = await page.locator("#results .score").allInnerTexts();
    expect(scores).toHaveLength(12);
    expect(scores.map(Number)).toEqual(scores.map(Number).sort((a, b) => b - a));
    await shoot("search");
    await page.locator("#results button").nth(3).click();
    await page.getByRole("heading", { name: /^Ranked by likeness to scene/ }).waitFor();
    expect((await page.locator("#results .score").allInnerTexts())[0]).toBe("1.000");
    expect(await seriousIssues()).toEqual([]);
  });

  it("names words that the model does not know", async () => {
    await page.getByLabel("Words").fill("a 𐌷𐌿𐍃");
    await page.keyboard.press("Enter");
    await page.getByText(/does not know: 𐌷𐌿𐍃/).waitFor();
  });

  it("says plainly what is wrong with a broken picture and with one of 200 megapixels, and goes on", async () => {
    const png = await sharp({ create: { width: 8, height: 8, channels: 3, background: "red" } })
      .png()
      .toBuffer();
    const huge = Uint8Array.from(png);
    new DataView(huge.buffer).setUint32(16, 20_000);
    new DataView(huge.buffer).setUint32(20, 10_000);
    await page.locator("#search input[type=file]").setInputFiles([
      { name: "torn.png", mimeType: "image/png", buffer: png.subarray(0, 40) },
      { name: "huge.png", mimeType: "image/png", buffer: Buffer.from(huge) },
      { name: "fine.png", mimeType: "image/png", buffer: png },
    ]);
    await waitFor(/^Read 1 of 3\./);
    expect(await status()).toMatch(/torn\.png: .*damaged or cut-off/);
    expect(await status()).toMatch(/huge\.png: .*at most \d+ pixels, got 20000×10000/);
    await expect.poll(() => page.locator("#results li").count()).toBe(13);
  });
});

describe("Look", () => {
  it("is reached and used with the keyboard alone", async () => {
    await page.locator("#tab-search").focus();
    await page.keyboard.press("ArrowRight");
    expect(await page.locator("#look").isVisible()).toBe(true);
    await page.locator("#look .pictures button").nth(1).focus();
    await page.keyboard.press("Space");
    await page.getByLabel(/A sentence/).fill("a [MASK] on the beach");
    await page.getByRole("button", { name: "Fill in" }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "With the picture" }).waitFor();
    expect(await page.locator("#look .bar").count()).toBe(10);
    await page.getByRole("button", { name: "Match" }).click();
    await page.getByText("probability").waitFor();
    await page.getByRole("button", { name: "Compare" }).click();
    await page.locator("#look table").waitFor();
    expect(await page.locator("#look tbody tr").count()).toBe(12);
    await shoot("look");
    expect(await seriousIssues()).toEqual([]);
  });
});

describe("Teach", () => {
  it("trains a probe on three classes, guesses what it has not seen, and gives it as a file", async () => {
    await page.locator("#tab-teach").click();
    await page.getByRole("button", { name: "Use some drawings" }).last().click();
    await expect.poll(() => page.locator("#teach .still").count(), { timeout: 120_000 }).toBe(24);
    await page.locator("#teach").getByRole("button", { name: "Train" }).click();
    await page.getByRole("heading", { name: /^Right for \d+ of 24 examples/ }).waitFor();
    await shoot("teach");
    expect(await seriousIssues()).toEqual([]);
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "Download the probe" }).click(),
    ]);
    expect(download.suggestedFilename()).toBe("probe.safetensors");
    expect(readFileSync(await download.path()).toString("latin1")).toMatch(
      /flava_probe.*image_embeds.*red.*blue.*green/s,
    );
  });
});

describe("Train", () => {
  it("trains, pauses, goes on, and saves the folder of a run", async () => {
    await page.locator("#tab-train").click();
    const button = page.locator("#train button").first();
    await button.click();
    await waitFor(/^Step 3 of/);
    await button.click();
    await expect.poll(() => button.innerText()).toBe("Go on");
    const paused = await status();
    await page.waitForTimeout(500);
    expect(await status()).toBe(paused);
    await button.click();
    const wanted = shots === undefined ? 6 : 21;
    await page
      .locator("#status", { hasText: new RegExp(`^Step (${wanted}|${wanted + 1}) of`) })
      .waitFor({ timeout: 400_000 });
    await button.click();
    await expect.poll(() => button.innerText()).toBe("Go on");
    await shoot("train");
    expect(await seriousIssues()).toEqual([]);
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "Save to a file" }).click(),
    ]);
    expect(download.suggestedFilename()).toMatch(/^flava-run-step-\d+\.tar$/);
    const step = /\d+/.exec(download.suggestedFilename())![0];
    const entries = await unpackTar(new Uint8Array(readFileSync(await download.path())));
    const names = [
      "recipe.json",
      "run.json",
      "tokenizer.json",
      ...["model.safetensors", "optimizer.safetensors", "state.json"].map((name) => `joint/checkpoint-${step}/${name}`),
    ];
    expect(entries.map(({ header }) => header.name).sort()).toEqual(names.map((name) => `run/${name}`).sort());
  });
});

describe("The page", () => {
  it("opens again without a network", async () => {
    await page.evaluate(() => navigator.serviceWorker.ready);
    await page.reload(); // now through the service worker, which keeps what comes
    await waitFor(/^Ready on wasm/);
    await page.context().setOffline(true);
    await page.reload();
    await waitFor(/^Ready on wasm/);
    await page.context().setOffline(false);
  });

  it("has written no error to the console", () => {
    expect(problems.filter((line) => !/ERR_INTERNET_DISCONNECTED|404/.test(line))).toEqual([]);
  });
});
