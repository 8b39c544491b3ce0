/**
 * The whole page with the keyboard alone, from the first Tab on: nothing is clicked, and no element is given the focus by the test. Slow
 * because it starts Chromium. `npm run test:web`
 */
import type { Browser, Page } from "playwright-core";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openSite, startChromium, statusIs } from "./harness.ts";
import { type Served, serve } from "./serve.ts";
import { siteFolder } from "./start.ts";

/** Stops of the Tab key on one round through the page, at most. */
const STOPS = 40;
let server: Served;
let browser: Browser;
let page: Page;

beforeAll(async () => {
  server = await serve({ "/": siteFolder() });
  browser = await startChromium();
  ({ page } = await openSite(browser, server.address));
});
afterAll(async () => {
  await browser?.close();
  await server?.[Symbol.asyncDispose]();
});

const focused = (selector: string): Promise<boolean> =>
  page.evaluate((wanted) => document.activeElement?.matches(wanted) ?? false, selector);

/** Presses Tab until an element has the focus, which must then be seen. */
async function tabTo(selector: string, name?: string): Promise<void> {
  for (let i = 0; i < STOPS; i++) {
    await page.keyboard.press("Tab");
    if (!(await focused(selector))) continue;
    const text = await page.evaluate(() => document.activeElement!.textContent);
    if (name !== undefined && text !== name) continue;
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement!).outlineStyle);
    return expect(outline, `the ring around ${selector}`).toBe("solid");
  }
  throw new Error(`expected ${selector}${name ? ` (${name})` : ""} within ${STOPS} stops of the Tab key`);
}

/** To another tab, from wherever the focus is. */
async function select(name: string): Promise<void> {
  await tabTo('[role="tab"]');
  for (let i = 0; i < 4 && !(await focused(`#tab-${name}`)); i++) await page.keyboard.press("ArrowRight");
  expect(await page.locator(`#${name}`).isVisible()).toBe(true);
}

describe("with the keyboard alone", () => {
  it("pictures are found", async () => {
    await tabTo("#search button", "Use some drawings");
    await page.keyboard.press("Enter");
    await statusIs(page, /^Read 12 pictures/);
    expect(await focused("#search button")).toBe(true);
    await tabTo("#query");
    await page.keyboard.type("a red ball");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Ranked by “a red ball”" }).waitFor();
    await tabTo("#results button");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: /^Ranked by likeness to scene/ }).waitFor();
  });

  it("a picture is given, chosen, and looked at", async () => {
    await select("look");
    const chooser = page.waitForEvent("filechooser");
    await tabTo('#look input[type="file"]');
    await page.keyboard.press("Enter");
    const buffer = await sharp({ create: { width: 9, height: 9, channels: 3, background: "red" } })
      .png()
      .toBuffer();
    await (await chooser).setFiles({ name: "red.png", mimeType: "image/png", buffer });
    await statusIs(page, /^Read 1 picture\./);
    await tabTo("#look .pictures button");
    await page.keyboard.press("End");
    await page.keyboard.press("Space");
    expect(await focused('#look .pictures button[aria-pressed="true"]')).toBe(true);
    await tabTo("#look button", "Match");
    await page.keyboard.press("Enter");
    await page.getByText("probability", { exact: true }).waitFor();
    await tabTo("#look button", "Show attention");
    await page.keyboard.press("Enter");
    await tabTo("#look .attention button");
    await page.keyboard.press("Space");
    await page.locator("#look .attention canvas").waitFor();
  });

  it("classes are taught", async () => {
    await select("teach");
    await tabTo("#teach button", "Use some drawings");
    await page.keyboard.press("Enter");
    await expect.poll(() => page.locator("#teach .still").count(), { timeout: 120_000 }).toBe(24);
    await tabTo("#teach button", "Another class");
    await page.keyboard.press("Enter");
    await page.keyboard.type("nothing");
    await tabTo("#teach button", "Train");
    await page.keyboard.press("Enter");
    await statusIs(page, /^Trained on 24 examples of 3 classes\. Left out, as there are no examples: nothing\./);
  });

  it("a model is trained, paused and saved", async () => {
    await select("train");
    await tabTo("#train button", "Train");
    await page.keyboard.press("Enter");
    await statusIs(page, /^Step \d+ of/);
    await page.keyboard.press("Enter");
    const button = page.locator("#train button").first();
    await expect.poll(() => button.innerText(), { timeout: 60_000 }).toBe("Go on");
    const download = page.waitForEvent("download");
    await tabTo("#train button", "Save to a file");
    await page.keyboard.press("Enter");
    expect((await download).suggestedFilename()).toMatch(/^flava-run-step-\d+\.tar$/);
  });
});
