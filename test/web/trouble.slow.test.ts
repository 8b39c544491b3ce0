/**
 * The page where things go wrong: no network, no room, a GPU that is lost, many searches, long training. Slow because it starts Chromium
 * and trains in it. `npm run test:web`
 */
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openSite, startChromium, statusIs } from "./harness.ts";
import { type Served, serve } from "./serve.ts";
import { siteFolder } from "./start.ts";

const MIB = 2 ** 20;
/** Hundreds of steps, on a machine that does other things too. */
const PATIENCE = 1_800_000;
let server: Served;
let browser: Browser;

beforeAll(async () => {
  server = await serve({ "/": siteFolder() });
  browser = await startChromium({ flags: ["--enable-blink-features=ForceEagerMeasureMemory"] });
});
afterAll(async () => {
  await browser?.close();
  await server?.[Symbol.asyncDispose]();
});

/** Bytes of the page and its workers after a collection. */
const memory = (page: Page): Promise<number> =>
  page.evaluate(async () => {
    const { measureUserAgentSpecificMemory: measure } = performance as unknown as {
      measureUserAgentSpecificMemory(): Promise<{ bytes: number }>;
    };
    return (await measure.call(performance)).bytes;
  });

async function search(page: Page, words: string): Promise<void> {
  await page.getByLabel("Words").fill(words);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: `Ranked by “${words}”`, exact: true }).waitFor();
}

describe("the page", () => {
  it("opens without a network after its first load, and trains", async () => {
    const { page, problems } = await openSite(browser, server.address);
    const last = new URL("start/checkpoint/model.safetensors", server.address).href; // of what the page asks to be kept
    await expect
      .poll(() => page.evaluate(async (url) => (await caches.match(url)) !== undefined, last), { timeout: 60_000 })
      .toBe(true);
    await page.context().setOffline(true);
    await page.reload();
    await statusIs(page, /^Ready on wasm/);
    await page.locator("#tab-train").click();
    await page.locator("#train button").first().click();
    await statusIs(page, /^Step \d+ of/);
    expect(await page.locator("#notes li").allInnerTexts()).toEqual([]);
    expect(problems.filter((line) => !/ERR_INTERNET_DISCONNECTED/.test(line))).toEqual([]);
    await page.close();
  });

  it("is isolated from its second load on, for threads, where the server does not ask for that", async () => {
    await using plain = await serve({ "/": siteFolder() }, { isolated: false });
    const { page } = await openSite(browser, plain.address);
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(false);
    await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
    await page.reload();
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
    await statusIs(page, /^Ready on wasm/);
    await page.close();
  });

  it("finds its model on a server that answers with the page where a file is missing", async () => {
    await using other = await serve({ "/": siteFolder() }, { fallback: true });
    const { page, problems } = await openSite(browser, other.address);
    await statusIs(page, /^Ready on wasm/);
    await page.locator("#search").getByRole("button", { name: "Use some drawings" }).click();
    await statusIs(page, /^Read 12 pictures/);
    await search(page, "a red ball");
    expect(problems).toEqual([]);
    await page.close();
  });

  it("says that there is no model where its files are missing, and still trains one", async () => {
    const folder = mkdtempSync(join(tmpdir(), "flava-no-model-"));
    cpSync(siteFolder(), folder, {
      recursive: true,
      filter: (path) => !path.endsWith("model.safetensors") || /start/.test(path),
    });
    await using poor = await serve({ "/": folder });
    const page = await browser.newPage();
    await page.goto(poor.address);
    await statusIs(page, /model\.safetensors/);
    await page.getByRole("button", { name: "Use some drawings" }).first().click();
    await statusIs(page, /^There is no model/);
    await page.locator("#tab-train").click();
    await page.locator("#train button").first().click();
    await statusIs(page, /^Step \d+ of/);
    await page.close();
    rmSync(folder, { recursive: true });
  });

  it("says that the browser has no room to keep it, and works all the same", async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    const session = await context.newCDPSession(page);
    await session.send("Storage.overrideQuotaForOrigin", { origin: server.address, quotaSize: 10_000 });
    await page.goto(`${server.address}/?device=wasm`);
    await statusIs(page, /^Ready on wasm/);
    const notes = page.locator("#notes li");
    await notes
      .filter({ hasText: /cannot keep it .*loaded again next time/ })
      .first()
      .waitFor();
    await notes.filter({ hasText: /keeps no copy of this page \(no room left\)/ }).waitFor();
    await page.getByRole("button", { name: "Use some drawings" }).first().click();
    await statusIs(page, /^Read 12 pictures/);
    await search(page, "a red ball");
    await context.close();
  });

  it(
    "keeps its memory over 200 searches",
    async () => {
      const { page } = await openSite(browser, server.address);
      await page.getByRole("button", { name: "Use some drawings" }).first().click();
      await statusIs(page, /^Read 12 pictures/);
      for (let i = 0; i < 20; i++) await search(page, `a red ball ${i}`);
      const before = await memory(page);
      for (let i = 0; i < 200; i++) await search(page, `a blue house ${i}`);
      const after = await memory(page);
      console.log(`memory: ${(before / MIB).toFixed(1)} MiB after 20 searches, ${(after / MIB).toFixed(1)} after 220`);
      expect(after - before).toBeLessThan(2 * MIB);
      await page.close();
    },
    PATIENCE,
  );

  it(
    "keeps its memory over 500 training steps",
    async () => {
      const { page } = await openSite(browser, server.address);
      await page.locator("#tab-train").click();
      const button = page.locator("#train button").first();
      const trainTo = async (step: number): Promise<void> => {
        await button.click();
        await page.getByText(`After ${step} steps`).waitFor({ timeout: PATIENCE });
        await button.click();
        await expect.poll(() => button.innerText(), { timeout: 60_000 }).toBe("Go on");
      };
      await trainTo(100);
      const before = await memory(page);
      await trainTo(600);
      const after = await memory(page);
      console.log(`memory: ${(before / MIB).toFixed(1)} MiB after 100 steps, ${(after / MIB).toFixed(1)} after 600`);
      expect(after - before).toBeLessThan(2 * MIB);
      await page.close();
    },
    PATIENCE,
  );
});

describe("the page on a GPU", () => {
  it("says that the GPU is lost, and answers on the processor", async () => {
    const software = await startChromium({ gpu: true });
    const { page } = await openSite(software, server.address, "webgpu");
    await page.getByRole("button", { name: "Use some drawings" }).first().click();
    await statusIs(page, /^Read 12 pictures/);
    await page.workers()[0]!.evaluate(() => {
      const { createCommandEncoder } = GPUDevice.prototype;
      GPUDevice.prototype.createCommandEncoder = function (...given) {
        this.destroy();
        GPUDevice.prototype.createCommandEncoder = createCommandEncoder;
        return createCommandEncoder.apply(this, given);
      };
    });
    await page.getByLabel("Words").fill("a red ball");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Ranked by “a red ball”" }).waitFor({ timeout: 120_000 });
    expect(await page.locator("#notes li").allInnerTexts()).toEqual([
      "The GPU was lost. The model runs on the processor now.",
    ]);
    await search(page, "a blue house");
    await software.close();
  });
});
