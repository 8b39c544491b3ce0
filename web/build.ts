/** Builds the page into a folder of static files, with a model and the beginning of a training. */
import { cp, mkdir, readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { build } from "vite";

/** Vite's settings of the page. */
export const VITE_CONFIG: string = resolve("web/vite.config.ts");

/** The files of a run or a repository that the page opens. */
const MODEL = /^(config|preprocessor_config|tokenizer|tokenizer_config)\.json$|^(vocab\.txt|model.*\.safetensors.*)$/;
/** What of a beginning only Node reads. */
const UNUSED = /optimizer\.safetensors$/;

/** Where its parts are, and where it goes. */
export interface SiteOptions {
  /** Folder of a model: a run's, or one in the Hub's layout. */
  readonly model: string;
  /** Folder that `makeStart` has written. */
  readonly start: string;
  /** Emptied first. */
  readonly outDir: string;
}

/** Builds it. Call it in the package's folder. */
export async function buildSite({ model, start, outDir }: SiteOptions): Promise<void> {
  await build({ configFile: VITE_CONFIG, logLevel: "warn", build: { outDir, emptyOutDir: true } });
  await mkdir(join(outDir, "model"), { recursive: true });
  for (const name of (await readdir(model)).filter((file) => MODEL.test(file)))
    await cp(join(model, name), join(outDir, "model", name), { dereference: true });
  await cp(start, join(outDir, "start"), { recursive: true, filter: (path) => !UNUSED.test(path) });
}
