/** What may differ when a run is resumed, and how run.json records it. */
import { join } from "node:path";
import type { Json } from "../../io/index.ts";
import { differences, formatDifference, RECIPE_FILE, type RunRecord } from "../../record/index.ts";
import type { Recipe } from "../recipe/types.ts";
import { architectureOf, type RunContext } from "./context.ts";
import { checkResumable } from "./resumable.ts";
import type { RunRequest } from "./run.ts";
import type { Start } from "./start.ts";

const plain = (recipe: Recipe): Json => JSON.parse(JSON.stringify(recipe)) as Json;

/** Throws ConfigError where the checkpoint, or without one the run's folder, was made with another recipe than may go on. */
export function checkRecipes(
  recipe: Recipe,
  asked: Recipe,
  { stages, resumed }: Start,
  saved: Recipe | undefined,
): void {
  const { mayChange, runDir } = asked;
  const now = { recipe: plain(recipe), architecture: architectureOf(recipe), mayChange };
  if (resumed) checkResumable(resumed.path, resumed.state, now);
  else if (saved) {
    const was = { stage: stages[0]!, recipe: plain(saved), architecture: null };
    checkResumable(join(runDir, RECIPE_FILE), was, { recipe: plain(asked), architecture: null, mayChange });
  }
}

/** What of the recipe is not as the run's folder has it, a line each. */
export const changesOf = (was: Recipe, now: Recipe): string[] =>
  differences(plain(was), plain(now)).map(formatDifference);

/**
 * Records in run.json that the run was resumed, and with which changes. Resolves to a function that records later changes,
 * those of data files.
 */
export async function openHistory(
  record: RunRecord,
  { command, resume }: RunRequest,
  { start, changes }: { readonly start: Start; readonly changes: readonly string[] },
): Promise<RunContext["onChanged"]> {
  const before = record.info.history ?? [];
  const { stages, resumed } = start;
  const typed = resume === undefined ? command : `${command} --resume ${resume}`;
  const at = { at: new Date().toISOString(), command: typed, stage: stages[0]!, step: resumed?.step ?? 0 };
  let all = changes;
  const save = (): Promise<void> => record.update({ history: [...before, { ...at, changes: all }] });
  if (resume !== undefined || changes.length > 0) await save();
  return (lines) => {
    all = [...all, ...lines];
    return save();
  };
}
