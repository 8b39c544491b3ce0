/** Saves a checkpoint: whole or not at all, whatever happens in between. */
import { createHash } from "node:crypto";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { saveSafetensors, type TensorEntry } from "../../hub/index.ts";
import { PARTIAL, saveFile, saveJson, statOf, syncFolder, writeError } from "../../io/index.ts";
import { findCheckpoints } from "./find.ts";
import {
  BEST_FILE,
  type BestSoFar,
  type CheckpointState,
  type FileSum,
  FORMAT,
  folderName,
  MODEL_FILE,
  OPTIMIZER_FILE,
  STATE_FILE,
} from "./format.ts";

/** What a checkpoint holds, before it is written. */
export interface Checkpoint {
  readonly state: Omit<CheckpointState, "format" | "files">;
  readonly model: readonly TensorEntry[];
  readonly optimizer: readonly TensorEntry[];
}

/** How many checkpoints stay, and how saving reports. */
export interface SaveCheckpointOptions {
  /** Checkpoints that stay, the best not counted; null or absent: all. */
  readonly limit?: number | null | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called with the number of bytes written so far. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

/** What a folder is called for the moment in which a new one of its name takes its place. */
export const OLD = ".old";

/**
 * Writes `folder/checkpoint-<step>`, then best.json, then removes what is past the limit. Resolves to its path. On failure
 * (FileError for a full disk) nothing of it is left, and the checkpoints before it are as they were.
 */
export async function saveCheckpoint(
  folder: string,
  checkpoint: Checkpoint,
  options: SaveCheckpointOptions = {},
): Promise<string> {
  const { step, best } = checkpoint.state;
  const path = join(folder, folderName(step));
  const temporary = path + PARTIAL;
  try {
    await rm(temporary, { recursive: true, force: true });
    await mkdir(temporary, { recursive: true });
    await writeFiles(temporary, checkpoint, options);
    await takePlace(temporary, path);
    await syncFolder(folder);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw writeError(path, error);
  }
  if (best) await saveJson(join(folder, BEST_FILE), best);
  if (typeof options.limit === "number") await removeOld(folder, options.limit, best);
  return path;
}

async function writeFiles(
  folder: string,
  { state, model, optimizer }: Checkpoint,
  options: SaveCheckpointOptions,
): Promise<void> {
  const files: Record<string, FileSum> = {};
  let total = 0;
  for (const [name, entries] of [
    [MODEL_FILE, model],
    [OPTIMIZER_FILE, optimizer],
  ] as const) {
    const hash = createHash("sha256");
    const bytes = await saveSafetensors(join(folder, name), entries, {
      metadata: { format: "pt" }, // transformers refuses a file without it
      signal: options.signal,
      onChunk: (chunk) => {
        hash.update(chunk);
        total += chunk.byteLength;
        options.onProgress?.(total);
      },
    });
    files[name] = { bytes, sha256: hash.digest("hex") };
  }
  const whole: CheckpointState = { format: FORMAT, ...state, files };
  await saveFile(join(folder, STATE_FILE), `${JSON.stringify(whole, null, 1)}\n`, { signal: options.signal });
}

/** Renames; a folder cannot be replaced in one call, so an old one of that name steps aside first (see tidyFolder). */
async function takePlace(temporary: string, path: string): Promise<void> {
  const there = await statOf(path);
  if (there) {
    await rm(path + OLD, { recursive: true, force: true });
    await rename(path, path + OLD);
  }
  await rename(temporary, path);
  if (there) await rm(path + OLD, { recursive: true, force: true });
}

/** Keeps the `limit` newest and the best. */
async function removeOld(folder: string, limit: number, best: BestSoFar | null): Promise<void> {
  const all = await findCheckpoints(folder);
  for (const { step, path } of all.slice(0, Math.max(0, all.length - limit))) {
    if (step === best?.step) continue;
    await removeCheckpoint(path);
  }
}

/** Renames the folder before it is removed, so none is ever half there. */
export async function removeCheckpoint(path: string): Promise<void> {
  await rename(path, path + PARTIAL);
  await rm(path + PARTIAL, { recursive: true, force: true });
}

/** The better of the best so far and a new value; the earlier where they are equal, and a value that is not finite never. */
export function betterOf(best: BestSoFar | null, candidate: BestSoFar): BestSoFar | null {
  if (!Number.isFinite(candidate.value)) return best;
  if (!best || best.metric !== candidate.metric || best.mode !== candidate.mode) return candidate;
  const better = candidate.mode === "max" ? candidate.value > best.value : candidate.value < best.value;
  return better ? candidate : best;
}
