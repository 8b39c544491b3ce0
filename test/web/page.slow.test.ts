/**
 * Every tab of the page, used as a person would, by mouse and by keyboard. Slow because it starts Chromium and trains in it.
 * `npm run test:web`; with FLAVA_WEB_SHOTS=FOLDER it leaves pictures of every tab there.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { unpackTar } from "modern-tar";
import type { Browser, Page } from "playwright-core";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openSite, startChromium, statusIs } from "./harness.ts";
import { type Served, serve } from "./serve.ts";
import { siteFolder } from "./start.ts";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** Milliseconds of a training, on a machine that does other things too. */
const PATIENCE = 1_800_000;
const shots = process.env.FLAVA_WEB_SHOTS;
let problems: string[];
let server: Served;
let browser: Browser;
let page: Page;

const status = (): Promise<string> => page.locator("#status").innerText();
const waitFor = (text: RegExp): Promise<void> => statusIs(page, text);
const tab = (name: string) => page.locator(`#${name}`);

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

/** What axe-core calls serious or critical, in light and in dark, and whether a phone has to be scrolled sideways. */
async function seriousIssues(): Promise<string[]> {
  await page.evaluate(axe);
  await page.setViewportSize({ width: 390, height: 900 });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
  await page.setViewportSize({ width: 1280, height: 900 });
  const found: string[] = wide ? ["wider than 390 pixels"] : [];
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    found.push(...(await page.evaluate(runAxe)));
  }
  await page.emulateMedia({ colorScheme: "light" });
  return found;
}

async function runAxe(): Promise<string[]> {
  const { axe: checker } = globalThis as unknown as {
    axe: { run(): Promise<{ violations: { id: string; impact: string; nodes: { html: string }[] }[] }> };
  };
  const { violations } = await checker.run();
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join("; ")}`);
}

/** Unpacks what the page has saved, and has flava in Node go on with it for two steps, by the command that the page names. */
function goesOn(
  entries: readonly { readonly header: { readonly name: string }; readonly data?: Uint8Array | undefined }[],
  step: number,
): void {
  const folder = mkdtempSync(join(tmpdir(), "flava-saved-"));
  for (const { header, data } of entries) {
    mkdirSync(dirname(join(folder, header.name)), { recursive: true });
    writeFileSync(join(folder, header.name), data!);
  }
  const set = [`stages.joint.steps=${step + 2}`, "mayChange=[stages.joint.steps]"].flatMap((value) => ["--set", value]);
  const command = ["pretrain", "run/recipe.json", "--resume", `run/joint/checkpoint-${step}`, ...set];
  const ran = spawnSync(process.execPath, [resolve("dist/cli/bin.js"), ...command], { cwd: folder, encoding: "utf8" });
  expect(ran.status, ran.stderr).toBe(0);
  expect(existsSync(join(folder, "run", "joint", `checkpoint-${step + 2}`, "model.safetensors"))).toBe(true);
}

/** A picture of one colour, as a file. */
const plain = (colour: string, side = 8): Promise<Buffer> =>
  sharp({ create: { width: side, height: side, channels: 3, background: colour } })
    .png()
    .toBuffer();

beforeAll(async () => {
  if (shots !== undefined) mkdirSync(shots, { recursive: true });
  server = await serve({ "/": siteFolder() });
  browser = await startChromium();
  ({ page, problems } = await openSite(browser, server.address));
});
afterAll(async () => {
  await browser?.close();
  await server?.[Symbol.asyncDispose]();
});

describe("Search", () => {
  it("says what to do first where there are no pictures", async () => {
    await page.getByLabel("Words").fill("a red ball");
    await page.keyboard.press("Enter");
    await waitFor(/^Drop some pictures first/);
  });

  it("ranks drawings by words, and by one of them", async () => {
    await tab("search").getByRole("button", { name: "Use some drawings" }).click();
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

  it("ranks pictures that are still being read, as soon as they are there", async () => {
    await tab("search").getByRole("button", { name: "Remove all" }).click();
    await waitFor(/^Removed all pictures/);
    const drawings = tab("search").getByRole("button", { name: "Use some drawings" });
    const words = page.getByLabel("Words");
    await words.fill("a red ball");
    await drawings.click();
    await words.press("Enter");
    await page.getByRole("heading", { name: "Ranked by “a red ball”" }).waitFor();
    await expect.poll(() => page.locator("#results .score").count()).toBe(12);
  });

  it("names words that the model does not know", async () => {
    await page.getByLabel("Words").fill("a 𐌷𐌿𐍃");
    await page.keyboard.press("Enter");
    await page.getByText(/does not know: 𐌷𐌿𐍃/).waitFor();
  });

  it("ranks by a picture that is not among them", async () => {
    await page.getByText("Search by a picture instead").click();
    const query = page.getByLabel("A picture as query");
    await query.setInputFiles({ name: "query.png", mimeType: "image/png", buffer: await plain("green", 32) });
    await page.getByRole("heading", { name: "Ranked by likeness to query.png" }).waitFor();
    expect(await page.locator("#results li").count()).toBe(12);
  });

  it("reads a folder that is dropped on the page, or chosen, with the folders in it", async () => {
    const folder = join(mkdtempSync(join(tmpdir(), "flava-drop-")), "photos");
    mkdirSync(join(folder, "more"), { recursive: true });
    writeFileSync(join(folder, "a.png"), await plain("red"));
    writeFileSync(join(folder, "more", "b.png"), await plain("blue"));
    writeFileSync(join(folder, "notes.txt"), "no picture");
    const { x, y, width, height } = (await tab("search").locator(".drop").first().boundingBox())!;
    const data = { items: [], files: [folder], dragOperationsMask: 1 };
    const session = await page.context().newCDPSession(page);
    for (const type of ["dragEnter", "dragOver", "drop"] as const)
      await session.send("Input.dispatchDragEvent", { type, x: x + width / 2, y: y + height - 8, data });
    await expect.poll(() => page.locator("#results li").count(), { timeout: 60_000 }).toBe(14);
    await page.getByLabel("A folder of them").setInputFiles(folder);
    await expect.poll(() => page.locator("#results li").count(), { timeout: 60_000 }).toBe(16);
  });

  it("says plainly what is wrong with a broken picture and with one of 200 megapixels, and goes on", async () => {
    const png = await plain("red");
    const huge = Uint8Array.from(png);
    new DataView(huge.buffer).setUint32(16, 20_000);
    new DataView(huge.buffer).setUint32(20, 10_000);
    await page.getByLabel("Pictures to search").setInputFiles([
      { name: "torn.png", mimeType: "image/png", buffer: png.subarray(0, 40) },
      { name: "huge.png", mimeType: "image/png", buffer: Buffer.from(huge) },
      { name: "fine.png", mimeType: "image/png", buffer: png },
    ]);
    await waitFor(/^Read 1 of 3\./);
    expect(await status()).toMatch(/torn\.png: .*damaged or cut-off/);
    expect(await status()).toMatch(/huge\.png: .*at most \d+ pixels, got 20000×10000/);
    await expect.poll(() => page.locator("#results li").count()).toBe(17);
  });

  it("reads a picture of 100 megapixels, and answers afterwards", async () => {
    await page
      .getByLabel("Pictures to search")
      .setInputFiles([{ name: "large.png", mimeType: "image/png", buffer: await plain("purple", 10_000) }]);
    await waitFor(/^Read 1 picture\./);
    await page.getByLabel("Words").fill("a blue house");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Ranked by “a blue house”" }).waitFor();
  });

  it("reads 300 pictures, shows them in parts, and stops when told to", async () => {
    const [red, blue] = await Promise.all([plain("red", 64), plain("blue", 64)]);
    const many = Array.from({ length: 300 }, (_, i) => ({
      name: `${i}.png`,
      mimeType: "image/png",
      buffer: i === 7 ? red.subarray(0, 30) : i % 2 ? red : blue,
    }));
    await page.getByRole("button", { name: "Remove all" }).click();
    const chooser = page.getByLabel("Pictures to search");
    await chooser.setInputFiles(many);
    await page.getByRole("button", { name: "Stop reading" }).click();
    await waitFor(/^Read \d+ of 300\. Stopped: \d+ were not looked at\./);
    await page.getByRole("button", { name: "Remove all" }).click();
    await chooser.setInputFiles([...many, { name: "a.txt", mimeType: "text/plain", buffer: Buffer.from("a") }]);
    await waitFor(/^Read 299 of 300\. 7\.png: .*damaged.* Left out 1 file that is no picture\./);
    expect(await page.locator("#results li").count()).toBe(60);
    await page.getByRole("button", { name: "Show 60 more of 299" }).click();
    expect(await page.locator("#results li").count()).toBe(120);
  });

  it("removes all, and begins anew", async () => {
    await page.getByRole("button", { name: "Remove all" }).click();
    expect(await page.locator("#results li").count()).toBe(0);
    await tab("search").getByRole("button", { name: "Use some drawings" }).click();
    await expect.poll(() => page.locator("#results li").count(), { timeout: 60_000 }).toBe(12);
  });
});

describe("Look", () => {
  it("is reached and used with the keyboard alone", async () => {
    await page.locator("#tab-search").focus();
    await page.keyboard.press("ArrowRight");
    expect(await tab("look").isVisible()).toBe(true);
    await page.locator("#look .pictures button").nth(1).focus();
    await page.keyboard.press("Space");
    await page.getByLabel(/A sentence/).fill("a [MASK] on the beach");
    await page.getByRole("button", { name: "Fill in" }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "With the picture" }).waitFor();
    expect(await page.locator("#look .bar").count()).toBe(10);
    await shoot("look-fill");
    await page.getByRole("button", { name: "Match" }).focus();
    await page.keyboard.press("Enter");
    await page.getByText("probability", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Compare" }).focus();
    await page.keyboard.press("Enter");
    await page.locator("#look table").waitFor();
    expect(await page.locator("#look tbody tr").count()).toBe(12);
  });

  it("shows where the chosen words look, and follows the choice", async () => {
    await page.getByLabel(/A sentence/).fill("a red ball on the beach");
    await page.getByRole("button", { name: "Show attention" }).click();
    const view = page.locator("#look .attention");
    await view.waitFor();
    const words = view.getByRole("group", { name: "Words" }).getByRole("button");
    expect(await words.allInnerTexts()).toEqual(["a", "red", "ball", "on", "the", "beach"]);
    const label = (): Promise<string | null> => view.locator("canvas").getAttribute("aria-label");
    expect(await label()).toMatch(/beach look most at row \d, column \d/);
    const before = await view.locator("canvas").screenshot();
    await words.nth(1).focus();
    await page.keyboard.press("Enter");
    await words.nth(5).click();
    expect(await label()).toMatch(/: red look most at/);
    expect((await view.locator("canvas").screenshot()).equals(before)).toBe(false);
    await shoot("look");
    expect(await seriousIssues()).toEqual([]);
  });

  it("turns a photo upright that a phone has saved on its side, and names words that it does not know", async () => {
    const image = sharp(await plain("red", 40)).resize(40, 20, { fit: "fill" });
    const buffer = await image.withMetadata({ orientation: 6 }).jpeg().toBuffer();
    await page.getByLabel("A picture to look at").setInputFiles({ name: "photo.jpg", mimeType: "image/jpeg", buffer });
    await waitFor(/^Read 1 picture\./);
    await page.getByLabel(/A sentence/).fill("a 𐌷𐌿𐍃 [MASK] on the [MASK]");
    await page.getByRole("button", { name: "Show attention" }).click();
    const canvas = page.locator("#look .attention canvas");
    await canvas.waitFor();
    expect([await canvas.getAttribute("width"), await canvas.getAttribute("height")]).toEqual(["192", "384"]);
    await page.locator("#look").getByText("does not know: 𐌷𐌿𐍃").waitFor();
    await page.getByRole("button", { name: "Fill in" }).click();
    await page.getByRole("heading", { name: "Hidden word 2" }).first().waitFor();
    expect(await page.locator("#look .bar").count()).toBe(20);
  });

  it("takes back what it said was wrong once all is well", async () => {
    await page.getByLabel(/A sentence/).fill("");
    await page.getByRole("button", { name: "Match" }).click();
    await waitFor(/^Write a sentence first/);
    await page.getByLabel(/A sentence/).fill("a red ball");
    await page.getByRole("button", { name: "Match" }).click();
    await page.getByText("probability", { exact: true }).waitFor();
    expect(await status()).toBe("");
  });
});

describe("Teach", () => {
  it("trains a probe on three classes, guesses what it has not seen, and gives it as a file", async () => {
    await page.locator("#tab-teach").click();
    await tab("teach").getByRole("button", { name: "Train" }).click();
    await waitFor(/^Give at least two classes/);
    await tab("teach").getByRole("button", { name: "Use some drawings" }).click();
    await expect.poll(() => page.locator("#teach .still").count(), { timeout: 120_000 }).toBe(24);
    await tab("teach").getByRole("button", { name: "Train" }).click();
    await page.getByRole("heading", { name: /^Right for \d+ of 24 examples/ }).waitFor();
    expect(await status()).toBe("Trained on 24 examples of 3 classes.");
    expect(await page.locator("#teach table td").count()).toBe(9);
    expect(await page.locator("#teach .chart path").getAttribute("d")).toMatch(/^M0.00 .*L100.00 /);
    await page
      .getByLabel("A picture to guess")
      .setInputFiles({ name: "new.png", mimeType: "image/png", buffer: await plain("red", 32) });
    await page.getByText(/^new\.png: (red|blue|green) \(\d+ %\)$/).waitFor();
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

describe("Teach, once more", () => {
  it("wants a name of its own for each class, and lets a class be removed", async () => {
    await page.getByLabel("Name of class 3").fill("red");
    await tab("teach").getByRole("button", { name: "Train" }).click();
    await waitFor(/^Two classes are called “red”/);
    await page.getByRole("button", { name: "Remove class 3" }).click();
    await tab("teach").getByRole("button", { name: "Train" }).click();
    await page.getByRole("heading", { name: /^Right for \d+ of 16 examples/ }).waitFor();
  });
});

describe("Train", () => {
  it("trains, pauses, goes on, shows what it has learnt, and saves the folder of a run", {
    timeout: PATIENCE,
  }, async () => {
    await page.locator("#tab-train").click();
    const button = page.locator("#train button").first();
    await button.click();
    await waitFor(/^Step \d+ of/);
    await button.click();
    await expect.poll(() => button.innerText(), { timeout: 60_000 }).toBe("Go on");
    expect(await page.locator("#train .views canvas").count()).toBe(24);
    const first = await page.locator("#train .pictures").screenshot();
    const paused = await status();
    await page.waitForTimeout(500);
    expect(await status()).toBe(paused);
    await button.click();
    const last = shots === undefined ? 20 : 400;
    await page.getByText(`After ${last} steps`).waitFor({ timeout: 900_000 });
    await page.locator("#tab-search").click(); // a search is answered between two steps
    await page.getByLabel("Words").fill("a green house");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Ranked by “a green house”" }).waitFor();
    await page.locator("#tab-train").click();
    await button.click();
    await expect.poll(() => button.innerText(), { timeout: 60_000 }).toBe("Go on");
    expect((await page.locator("#train .pictures").screenshot()).equals(first)).toBe(false);
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
    goesOn(entries, Number(step));
  });
});

describe("The page", () => {
  it("has written no error to the console, and asked for nothing of another server", () => {
    expect(problems).toEqual([]);
  });
});
