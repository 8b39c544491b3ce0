/**
 * `flava/web` from an installed package, built by each bundler without configuration and run in Chromium. Slow because it installs
 * bundlers from the registry: without one it is skipped. `npm run test:web`
 */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FlavaModel } from "../../src/api/index.ts";
import { installedProject, isOffline, run } from "../support/npm.ts";
import { startChromium } from "./harness.ts";
import { makePictures } from "./pictures.ts";
import { serve } from "./serve.ts";

const offline = isOffline();
const MODEL = process.env.FLAVA_WEB_MODEL!;

const SCRIPT = `
import { FlavaModel } from "flava/web";
const model = await FlavaModel.fromPretrained("/model", { device: "auto" });
const { image_embeds } = await model.encodeImage(new URL("/pictures/0", location.href), { outputs: ["image_embeds"] });
document.title = JSON.stringify(image_embeds.tolist()[0]);
`;
const page = (script: string): string =>
  `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>loading</title><script type="module" src="${script}"></script>`;

/** How each is called, where its page lies, and the page that it does not write itself. */
const BUNDLERS = {
  vite: { command: ["vite", "build"], out: "dist", html: undefined },
  webpack: {
    command: ["webpack", "--mode", "production", "--output-path", "packed"],
    out: "packed",
    html: "./main.js",
  },
  esbuild: {
    command: ["esbuild", "src/index.js", "--bundle", "--splitting", "--format=esm", "--outdir=bundled"],
    out: "bundled",
    html: "./index.js",
  },
} as const;

/** esbuild copies no .wasm file: docs/browser.md says so. */
const ENGINE = "ort-wasm-simd-threaded.wasm";

describe.skipIf(offline)("an installed package, without configuration", () => {
  const folder = mkdtempSync(join(tmpdir(), "flava-bundled-"));
  let project: string;
  let browser: Browser;
  let expected: number[];
  beforeAll(async () => {
    const [picture] = await makePictures(join(folder, "pictures"));
    await using model = await FlavaModel.fromPretrained(MODEL, { threads: 1 });
    const { image_embeds } = await model.encodeImage(picture!, { outputs: ["image_embeds"] });
    expected = image_embeds.tolist() as unknown as number[];
    const vite = JSON.parse(readFileSync("package.json", "utf8")).devDependencies.vite as string;
    project = installedProject(
      ["onnxruntime-web", `vite@${vite}`, "webpack", "webpack-cli", "esbuild"],
      ["--ignore-scripts"],
    );
    run(project, "mkdir", "src");
    writeFileSync(join(project, "src/index.js"), SCRIPT);
    writeFileSync(join(project, "index.html"), page("/src/index.js"));
    browser = await startChromium();
  });
  afterAll(async () => {
    await browser?.close();
    for (const each of [folder, project]) if (each) rmSync(each, { recursive: true, force: true });
  });

  for (const [name, { command, out, html }] of Object.entries(BUNDLERS))
    it(`is built by ${name}, and embeds a picture as Node does`, async () => {
      const built = run(project, join(project, "node_modules/.bin", command[0]), ...command.slice(1));
      expect(built.status, built.output).toBe(0);
      expect(built.output).not.toMatch(/can't resolve|could not resolve|externalized for browser/i);
      if (html) writeFileSync(join(project, out, "index.html"), page(html));
      if (name === "esbuild")
        copyFileSync(join(project, "node_modules/onnxruntime-web/dist", ENGINE), join(project, out, ENGINE));
      await using server = await serve({
        "/": join(project, out),
        "/model": MODEL,
        "/pictures": join(folder, "pictures"),
      });
      const opened = await browser.newPage();
      const problems: string[] = [];
      opened.on("pageerror", (error) => problems.push(String(error)));
      await opened.goto(server.address);
      await expect.poll(async () => problems[0] ?? (await opened.title()), { timeout: 120_000 }).not.toBe("loading");
      expect(problems).toEqual([]);
      expect(JSON.parse(await opened.title())).toBeAllclose([expected].flat(2), { atol: 1e-4 });
      await opened.close();
    });
});

it.runIf(offline)("bundlers could not be installed: the npm registry cannot be reached", (context) =>
  context.skip("the npm registry cannot be reached"),
);
