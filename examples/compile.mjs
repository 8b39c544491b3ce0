/** TypeScript → a module that this Node runs: Node 20 cannot run TypeScript by itself. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import ts from "typescript";

const here = fileURLToPath(new URL(".", import.meta.url));

/** The folders of the examples. */
export const names = readdirSync(here)
  .filter((name) => /^\d\d-/.test(name))
  .sort();

/** Compiles an example into build/examples. Returns its address. */
export function compile(name) {
  const { outputText } = ts.transpileModule(readFileSync(`${here}${name}/main.ts`, "utf8"), {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
  });
  const folder = fileURLToPath(new URL("../build/examples", import.meta.url));
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}/${name}.mjs`, outputText);
  return pathToFileURL(`${folder}/${name}.mjs`).href;
}
