/** Chromium, and pages that answer what a test asks. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { build } from "vite";
import { findChromium } from "../support/chromium.ts";
import type { Asks } from "./page.ts";

/** Starts Debian's Chromium; with `gpu`, WebGPU on SwiftShader. Throws where there is no Chromium. */
export async function startChromium({ gpu = false, flags = [] as readonly string[] } = {}): Promise<Browser> {
  const executablePath = findChromium();
  if (executablePath === undefined) throw new Error("expected a Chromium on the PATH, got none");
  const software = [
    "--enable-unsafe-webgpu",
    "--use-webgpu-adapter=swiftshader",
    "--enable-features=Vulkan",
    "--use-vulkan=swiftshader",
  ];
  return chromium.launch({ executablePath, args: ["--no-sandbox", ...(gpu ? software : ["--disable-gpu"]), ...flags] });
}

/** Builds an HTML page with Vite into a folder of its own. */
export async function buildPage(root: string, options: { readonly base?: string } = {}): Promise<string> {
  const outDir = mkdtempSync(join(tmpdir(), "flava-page-"));
  await build({
    root,
    configFile: false,
    logLevel: "error",
    base: options.base ?? "/",
    resolve: { alias: { "flava/web": resolve("src/web/index.ts") } },
    build: { outDir, emptyOutDir: true },
  });
  return outDir;
}

/** Asks the test page. */
export async function ask<K extends keyof Asks>(
  page: Page,
  name: K,
  ...args: Parameters<Asks[K]>
): Promise<Awaited<ReturnType<Asks[K]>>> {
  return page.evaluate(
    ([key, given]) =>
      (globalThis as unknown as { asks: Record<string, (...a: unknown[]) => unknown> }).asks[key]!(...given),
    [name, args] as const,
  ) as Promise<Awaited<ReturnType<Asks[K]>>>;
}

/** Opens an address and waits until its script has run. */
export async function openPage(browser: Browser, address: string): Promise<Page> {
  const page = await browser.newPage();
  await page.goto(address);
  await page.waitForFunction(() => document.title === "ready");
  return page;
}

/** A page with its console's errors, and what it has asked of others than its own server. */
export interface Watched {
  readonly page: Page;
  readonly problems: string[];
}

/** Opens the built page and waits until its model is ready. */
export async function openSite(browser: Pick<Browser, "newPage">, address: string, device = "wasm"): Promise<Watched> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  const problems: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(message.text());
  });
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("request", (request) => {
    if (![address, "blob:", "data:"].some((start) => request.url().startsWith(start))) problems.push(request.url());
  });
  await page.goto(`${address}/?device=${device}`);
  await statusIs(page, new RegExp(`^Ready on ${device}`));
  return { page, problems };
}

/** Waits until the line under the title of the built page says something. */
export const statusIs = (page: Page, text: RegExp, timeout = 240_000): Promise<void> =>
  page.locator("#status", { hasText: text }).waitFor({ timeout });
