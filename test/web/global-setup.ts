/** What all tests of the page share: the beginning of a training, and the built page with a model. Made once a run. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildSite } from "../../web/build.ts";
import { makeStart } from "../../web/make-start.ts";
import { tinyModelFolder } from "../support/tiny-model.ts";

/** FLAVA_WEB_MODEL and FLAVA_WEB_START name folders that are there already. */
export async function setup(): Promise<() => void> {
  const folder = mkdtempSync(join(tmpdir(), "flava-web-"));
  process.env.FLAVA_WEB_MODEL ??= await tinyModelFolder();
  if (process.env.FLAVA_WEB_START === undefined) {
    process.env.FLAVA_WEB_START = join(folder, "start");
    await makeStart(process.env.FLAVA_WEB_START);
  }
  const site = join(folder, "site");
  await buildSite({ model: process.env.FLAVA_WEB_MODEL, start: process.env.FLAVA_WEB_START, outDir: site });
  process.env.FLAVA_WEB_SITE = site;
  return () => rmSync(folder, { recursive: true, force: true });
}
