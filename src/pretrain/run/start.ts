/** Where a run starts or resumes: decided by looking at its checkpoints. */
import { join } from "node:path";
import { ConfigError } from "../../errors.ts";
import {
  evaluationDue,
  findCheckpoints,
  findRunInfo,
  latestCheckpoint,
  removeCheckpoint,
  resumeFrom,
} from "../../record/index.ts";
import type { Recipe } from "../recipe/types.ts";
import type { Resumed } from "./context.ts";

/** Which stages run, and from which checkpoint. */
export interface Start {
  /** The stages to run. */
  readonly stages: readonly string[];
  /** The checkpoint that the first of them resumes from. */
  readonly resumed: Resumed | undefined;
}

/**
 * The place that `stage` and `resume` mean. Throws ConfigError where there is nothing to go on from or a stage would be
 * trained over, CheckpointError where all of its checkpoints are damaged.
 */
export async function findStart(
  recipe: Recipe,
  { stage, resume }: { readonly stage?: string | undefined; readonly resume?: string | undefined },
  note: (line: string) => void,
): Promise<Start> {
  const all = Object.keys(recipe.stages);
  const wanted = stage === undefined ? all : [stage];
  if (resume === undefined) {
    if (stage !== undefined) {
      await refuseTrained(join(recipe.runDir, stage), stage);
      await refuseOrphan(recipe, stage);
    }
    return { stages: wanted, resumed: undefined };
  }
  const options = { onDamaged: note };
  if (resume !== "latest") {
    const resumed = await resumeFrom(recipe.runDir, resume, options);
    return from(wanted, resumed.state.stage, resumed);
  }
  for (const name of wanted) {
    const resumed = await latestCheckpoint(join(recipe.runDir, name), options);
    if (!resumed || resumed.step < recipe.stages[name]!.steps || evaluationDue(resumed.state))
      return from(wanted, name, resumed);
  }
  const last = wanted.at(-1)!;
  const info = await findRunInfo(recipe.runDir);
  if (info?.status === "done")
    throw new ConfigError(
      `--resume latest: the run in ${recipe.runDir} is done`,
      `for more steps: --set stages.${last}.steps=N --set 'mayChange=[stages.${last}.steps]'`,
    );
  return from(wanted, last, await latestCheckpoint(join(recipe.runDir, last), options));
}

function from(wanted: readonly string[], name: string, resumed: Resumed | undefined): Start {
  if (!wanted.includes(name))
    throw new ConfigError(
      `--resume: expected a checkpoint of ${wanted.join(", ")}, got one of "${name}"`,
      "leave --stage out, or name that stage",
    );
  return { stages: wanted.slice(wanted.indexOf(name)), resumed };
}

/**
 * Removes the checkpoints ahead of where the run goes on, in its stage and in later ones: it trains those steps again, and the old ones
 * would be taken for the newest. Ahead of `latest` are only those of later stages, where an earlier one gets more steps.
 */
export async function dropAhead(
  { runDir }: Recipe,
  { stages, resumed }: Start,
  { resume, note }: { readonly resume: string | undefined; readonly note: (line: string) => void },
): Promise<void> {
  for (const name of resumed ? stages : [])
    for (const { step, path } of await findCheckpoints(join(runDir, name))) {
      if (name === resumed!.state.stage && (resume === "latest" || step <= resumed!.step)) continue;
      await removeCheckpoint(path);
      note(`${path}: removed, the run goes back to step ${resumed!.step} of ${resumed!.state.stage}`);
    }
}

/** A stage that starts from the results of others needs them. */
async function refuseOrphan({ runDir, stages }: Recipe, stage: string): Promise<void> {
  for (const [part, from] of Object.entries(stages[stage]!.init)) {
    if (typeof from !== "string" || from === "random") continue;
    if ((await findCheckpoints(join(runDir, from))).length > 0) continue;
    throw new ConfigError(
      `--stage ${stage}: its ${part} weights are those of "${from}": expected checkpoints in ${join(runDir, from)}, got none`,
      `run --stage ${from} first`,
    );
  }
}

async function refuseTrained(folder: string, stage: string): Promise<void> {
  const found = await findCheckpoints(folder);
  if (found.length > 0)
    throw new ConfigError(
      `--stage ${stage}: expected no checkpoints in ${folder}, got ${found.length}`,
      "go on with --resume latest, or choose another --run-dir",
    );
}
