/** Finds and opens checkpoints. Which is the latest is decided by looking, so no pointer can be out of date. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, rename, rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { z } from "zod";
import { CheckpointError, ConfigError } from "../../errors.ts";
import { openSafetensors, type Safetensors } from "../../hub/index.ts";
import { namesIn, removePartials, statOf, systemReason } from "../../io/index.ts";
import { type CheckpointState, FORMAT, MODEL_FILE, OPTIMIZER_FILE, STATE_FILE, stateSchema, stepOf } from "./format.ts";

/** A checkpoint's folder and the step it was saved at. */
export interface Found {
  readonly step: number;
  readonly path: string;
}

/** The checkpoint folders of `folder`, oldest first; none if there is no such folder. */
export async function findCheckpoints(folder: string): Promise<Found[]> {
  return (await namesIn(folder))
    .flatMap((name) => {
      const step = stepOf(name);
      return step === undefined ? [] : [{ step, path: join(folder, name) }];
    })
    .sort((a, b) => a.step - b.step);
}

export interface CheckOptions {
  /** Whether to read and hash the files: about a second a gigabyte. Default true. */
  readonly hash?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The state of a checkpoint whose files are all present and intact. Throws CheckpointError that says what is damaged, ConfigError
 * for a checkpoint of another version.
 */
export async function checkCheckpoint(
  path: string,
  { hash = true, signal }: CheckOptions = {},
): Promise<CheckpointState> {
  const state = await readState(path);
  const named = stepOf(basename(path));
  if (named !== undefined && named !== state.step)
    throw new CheckpointError(`${path}: expected the state of step ${named}, got that of step ${state.step}`);
  for (const name of [MODEL_FILE, OPTIMIZER_FILE])
    if (!Object.hasOwn(state.files, name))
      throw new CheckpointError(`${join(path, STATE_FILE)}: expected an entry for ${name}, got none`);
  for (const [name, { bytes, sha256 }] of Object.entries(state.files)) {
    const file = join(path, name);
    const found = await stat(file).catch((cause: NodeJS.ErrnoException) => {
      throw new CheckpointError(`${file}: expected ${bytes} bytes, got ${systemReason(cause)}`, undefined, { cause });
    });
    if (found.size !== bytes) throw new CheckpointError(`${file}: expected ${bytes} bytes, got ${found.size}`);
    if (hash && (await hashFile(file, signal)) !== sha256)
      throw new CheckpointError(`${file}: expected the bytes that were saved, got others (its hash differs)`);
  }
  return state;
}

async function readState(path: string): Promise<CheckpointState> {
  const file = join(path, STATE_FILE);
  const text = await readFile(file, "utf8").catch((cause: NodeJS.ErrnoException) => {
    throw new CheckpointError(`${file}: expected a file, got ${systemReason(cause)}`, undefined, { cause });
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new CheckpointError(`${file}: expected JSON, got ${(cause as Error).message}`, undefined, { cause });
  }
  refuseOtherFormat(file, value);
  const parsed = stateSchema.safeParse(value);
  if (!parsed.success) throw new CheckpointError(`${file}: expected a state\n${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

/** A checkpoint of another version of the package is not damaged: who wrote it, and what to do, is the message. */
function refuseOtherFormat(file: string, value: unknown): void {
  const { format, versions } = (value ?? {}) as { format?: unknown; versions?: { flava?: unknown } };
  if (typeof format !== "number" || format === FORMAT) return;
  const writer = typeof versions?.flava === "string" ? `flava ${versions.flava}` : "another version of flava";
  throw new ConfigError(
    `${file}: expected a checkpoint of format ${FORMAT}, got format ${format}, which ${writer} wrote`,
    `finish this run with that version, or start a new one with another --run-dir; its ${MODEL_FILE} can be the first weights there (stages.<name>.init)`,
  );
}

async function hashFile(path: string, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    signal?.throwIfAborted();
    hash.update(chunk as Uint8Array);
  }
  return hash.digest("hex");
}

/** How a search for the newest checkpoint reports. */
export interface LatestOptions extends CheckOptions {
  /** Called for each damaged checkpoint that is skipped. Show it: the run goes back further than expected. */
  readonly onDamaged: (message: string) => void;
}

/** The newest intact checkpoint, or undefined if there is none at all. Throws CheckpointError if all are damaged. */
export async function latestCheckpoint(
  folder: string,
  options: LatestOptions,
): Promise<(Found & { readonly state: CheckpointState }) | undefined> {
  const all = await findCheckpoints(folder);
  let damage: CheckpointError | undefined;
  for (const found of all.toReversed()) {
    try {
      return { ...found, state: await checkCheckpoint(found.path, options) };
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
      damage ??= error;
      options.onDamaged(`${found.path} is damaged and was skipped: ${error.message}`);
    }
  }
  if (damage)
    throw new CheckpointError(`${folder}: expected an intact checkpoint, got ${all.length} damaged`, undefined, {
      cause: damage,
    });
  return undefined;
}

/**
 * The checkpoint that `--resume` means: `latest` of the folder, or a checkpoint folder, or a folder of checkpoints.
 * Throws ConfigError if there is none, CheckpointError if it is damaged.
 */
export async function resumeFrom(
  folder: string,
  resume: string,
  options: LatestOptions,
): Promise<Found & { readonly state: CheckpointState }> {
  const isOne = resume !== "latest" && (await statOf(join(resume, STATE_FILE)));
  if (isOne) {
    const state = await checkCheckpoint(resume, options);
    return { step: state.step, path: resume, state };
  }
  const from = resume === "latest" ? folder : resume;
  const found = await latestCheckpoint(from, options);
  if (found) return found;
  throw new ConfigError(`--resume ${resume}: expected checkpoints in ${from}, got none`, "start without --resume");
}

/** An open checkpoint. Close it, or bind it with `await using`. */
export interface OpenCheckpoint extends AsyncDisposable {
  readonly state: CheckpointState;
  readonly model: Safetensors;
  readonly optimizer: Safetensors;
  close(): Promise<void>;
}

/** Opens the files of a checkpoint that was checked before. */
export async function openCheckpoint(path: string): Promise<OpenCheckpoint> {
  const state = await readState(path);
  const model = await openSafetensors(join(path, MODEL_FILE));
  const optimizer = await openSafetensors(join(path, OPTIMIZER_FILE)).catch(async (error: unknown) => {
    await model.close();
    throw error;
  });
  const close = async (): Promise<void> => {
    await model.close();
    await optimizer.close();
  };
  return { state, model, optimizer, close, [Symbol.asyncDispose]: close };
}

/**
 * Puts in order what an interrupted process left in a folder of checkpoints: unfinished files and folders are removed, a
 * checkpoint that had stepped aside comes back. Only the one process that writes there may call it. Returns what it did.
 */
export async function tidyFolder(folder: string): Promise<string[]> {
  const names = await namesIn(folder);
  const done: string[] = [];
  for (const name of names.filter((old) => old.endsWith(".old") && stepOf(old.slice(0, -4)) !== undefined)) {
    const path = join(folder, name);
    if (names.includes(name.slice(0, -4))) await rm(path, { recursive: true, force: true });
    else await rename(path, path.slice(0, -4));
    done.push(name);
  }
  return names.length > 0 ? [...done, ...(await removePartials(folder))] : done;
}
