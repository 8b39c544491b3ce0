/** Checkpoints of a fine-tuning, in the layout of pretraining's: what is resumed, and what the best is. */
import { join } from "node:path";
import { CheckpointError, ConfigError } from "../errors.ts";
import type { Json } from "../io/index.ts";
import {
  type CheckpointState,
  differences,
  type Found,
  findRunInfo,
  folderName,
  latestCheckpoint,
  listDifferences,
  openCheckpoint,
  type RunInfo,
  refuseOldRun,
  restoreTensors,
} from "../record/index.ts";
import type { State } from "../runtime/index.ts";
import { STAGE, type TuningRequest } from "./request.ts";

/** A checkpoint to go on from. */
export type Resumed = Found & { readonly state: CheckpointState };

/** Which tensor goes to which file of a checkpoint. */
export interface Names {
  readonly model: readonly string[];
  readonly optimizer: readonly string[];
}

/** Sums of gradients begin anew with every step. */
const isSum = (name: string): boolean => name.startsWith("accumulated.");

export const saved = ({ model, optimizer }: Names): Names => ({
  model,
  optimizer: optimizer.filter((name) => !isSum(name)),
});

/** Where a run goes on. Throws ConfigError for a folder with a run that is not to go on, and for another data, model or setting. */
export async function findResumed(
  { out, resume }: Pick<TuningRequest, "out" | "resume">,
  recipe: Json,
  note: (line: string) => void,
): Promise<{ readonly resumed: Resumed | undefined; readonly info: RunInfo | undefined }> {
  if (!resume) {
    await refuseOld(out);
    return { resumed: undefined, info: undefined };
  }
  const info = await findRunInfo(out);
  const resumed = await latestCheckpoint(join(out, STAGE), { onDamaged: note });
  if (resumed) {
    const found = differences(resumed.state.recipe, recipe);
    if (found.length > 0)
      throw new ConfigError(
        `${out}: expected the fine-tuning that this was begun with, got another\n${listDifferences(found)}`,
        "go on with the old values, or name another folder with --out",
      );
  }
  return { resumed, info };
}

async function refuseOld(out: string): Promise<void> {
  await refuseOldRun(out).catch((error: unknown) => {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(
      `${out}: expected no run in this folder, got one`,
      "go on with it by --resume, or name another folder with --out",
    );
  });
}

/** Puts a checkpoint's tensors into the state. */
export async function restore(
  { path }: Resumed,
  state: State,
  names: Names,
  signal: AbortSignal | undefined,
): Promise<void> {
  await using checkpoint = await openCheckpoint(path);
  const { model, optimizer } = saved(names);
  await restoreTensors(checkpoint.model, state, model, { signal });
  await restoreTensors(checkpoint.optimizer, state, optimizer, { signal });
}

/** The best checkpoint's weights, where the last step's are others. */
export async function takeBest(
  out: string,
  state: State,
  names: Names,
  { step, bestStep }: { readonly step: number; readonly bestStep: number },
): Promise<void> {
  if (bestStep === step) return;
  const path = join(out, STAGE, folderName(bestStep));
  await using checkpoint = await openCheckpoint(path).catch((cause: unknown) => {
    throw new CheckpointError(`${path}: expected the best checkpoint, got none that can be read`, undefined, { cause });
  });
  await restoreTensors(checkpoint.model, state, names.model);
}
