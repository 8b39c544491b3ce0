/** Builds `dist/` once before the tests: worker threads and the command line run the compiled files, as users do. */
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";

/** Type errors end the run in CI; elsewhere they are left to `npm run types`, so that one can test while writing. */
export function setup(): void {
  const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
  const { status, stdout } = spawnSync(process.execPath, [tsc, "-p", "tsconfig.build.json"], { encoding: "utf8" });
  if (status !== 0 && process.env.CI) throw new Error(`the build failed:\n${stdout}`);
}
