/** Whether the files that a recipe names exist: asked before any work, as a missing shard would otherwise show hours later. */
import { stat } from "node:fs/promises";
import { type DataSpec, dataLocations } from "../../datasets/index.ts";
import { ConfigError } from "../../errors.ts";
import type { Recipe } from "./types.ts";

/** Local files and folders that do not exist, as `recipe path: file`. Addresses on the network are not asked. */
export async function missingPlaces(recipe: Recipe, signal?: AbortSignal): Promise<string[]> {
  const missing: string[] = [];
  for (const [where, location] of places(recipe)) {
    signal?.throwIfAborted();
    const found = await stat(location).then(
      () => true,
      () => false,
    );
    if (!found) missing.push(`${where}: ${location}`);
  }
  return missing;
}

/** Throws ConfigError that lists the missing places. */
export async function checkPlaces(recipe: Recipe, signal?: AbortSignal): Promise<void> {
  const missing = await missingPlaces(recipe, signal);
  if (missing.length === 0) return;
  const some = missing.slice(0, 10).map((line) => `✖ ${line}`);
  if (missing.length > 10) some.push(`  and ${missing.length - 10} more`);
  throw new ConfigError(
    `${recipe.name}: expected these files or folders, got none\n${some.join("\n")}`,
    `paths are looked for from ${process.cwd()}; write your own places into the recipe, or try it with --tiny`,
  );
}

function* places(recipe: Recipe): Generator<[where: string, location: string]> {
  for (const kind of ["pairs", "images", "texts"] as const)
    for (const [i, { source, without = [] }] of recipe.data[kind].entries()) {
      for (const location of locationsOf(source)) yield [`data.${kind}.${i}`, location];
      for (const location of without.flatMap((held) => locationsOf(held.source)))
        yield [`data.${kind}.${i}.without`, location];
    }
  for (const part of ["validation", "test", "boxes"] as const)
    for (const [name, source] of Object.entries(recipe.evaluation[part]))
      for (const location of locationsOf(source)) yield [`evaluation.${part}.${name}`, location];
  for (const [i, source] of recipe.evaluation.texts.entries())
    for (const location of locationsOf(source)) yield [`evaluation.texts.${i}`, location];
  for (const [part, source] of Object.entries(recipe.evaluation.labelled ?? {}))
    for (const location of locationsOf(source)) yield [`evaluation.labelled.${part}`, location];
  if (recipe.vocabulary.path !== null) yield ["vocabulary.path", recipe.vocabulary.path];
  for (const [name, { init }] of Object.entries(recipe.stages))
    for (const [part, from] of Object.entries(init))
      if (typeof from !== "string") yield [`stages.${name}.init.${part}`, from.path];
}

const isAddress = (location: string): boolean => /^[a-z]{2,}:\/\//i.test(location);

/** The local files that a source names. */
const locationsOf = (source: string | DataSpec): string[] =>
  dataLocations(source).filter((location) => !isAddress(location));
