/** Builds `dist/` once before the tests: worker threads and the command line run the compiled files, as users do. */
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";

export function setup(): void {
  const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
  execFileSync(process.execPath, [tsc, "-p", "tsconfig.build.json"], { stdio: "inherit" });
}
