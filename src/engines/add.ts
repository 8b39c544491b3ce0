/** `flava engine add`: from the package index into the folder of engines, whole or not at all. */
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { EngineError, FileError } from "../errors.ts";
import type { HttpOptions } from "../io/http-attempts.ts";
import { isOffline, lockFile, makeFolder, PARTIAL, saveJson, syncFolder, writeError } from "../io/index.ts";
import { type Engine, engineNamed } from "./catalogue.ts";
import { type Choice, chooseWheels, type Wheel } from "./choose.ts";
import { downloadWheel } from "./download.ts";
import { damageOf, type EngineManifest, MANIFEST, readManifest } from "./manifest.ts";
import { type PipConfig, readPipConfig } from "./pip-config.ts";
import { enginesFolder, subfolders } from "./places.ts";
import { foreignFiles, removeFolder } from "./remove.ts";
import { type UnpackedFile, unpackWheel } from "./unpack.ts";
import { compareVersions } from "./version.ts";
import { type Machine, thisMachine } from "./wheel-name.ts";

/** What is going on, in bytes. */
export interface AddProgress {
  readonly stage: "download" | "unpack";
  readonly file: string;
  readonly done: number;
  readonly total: number;
}

/** How an engine is added. */
export interface AddOptions {
  /** Of the engine's own package; unless said the newest. */
  readonly version?: string | undefined;
  /** Also what the engine needs besides, such as the libraries of CUDA. Default true. */
  readonly needs?: boolean | undefined;
  /** An index instead of those of pip's configuration. */
  readonly indexUrl?: string | undefined;
  /** Where engines are kept. Default: `engines/` in the cache folder. */
  readonly folder?: string | undefined;
  readonly machine?: Machine | undefined;
  readonly env?: NodeJS.ProcessEnv | undefined;
  readonly pip?: PipConfig | undefined;
  readonly onProgress?: ((at: AddProgress) => void) | undefined;
  readonly note?: ((line: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What adding an engine would fetch. */
export interface AddPlan {
  readonly engine: Engine;
  readonly choice: Choice;
  /** Where it goes. */
  readonly folder: string;
}

/** What was added, or found there. */
export interface Added {
  readonly folder: string;
  readonly manifest: EngineManifest;
  /** Nothing was fetched: it was there, and whole. */
  readonly wasThere: boolean;
  /** Folders of other versions, which have gone. */
  readonly replaced: readonly string[];
}

/** Looks up what would be fetched. Throws NameError, EngineError (nothing for this machine), FileError (no index answers). */
export async function planEngine(name: string, options: AddOptions = {}): Promise<AddPlan> {
  const engine = engineNamed(name);
  const { env = process.env, machine = thisMachine(), version, needs } = options;
  const pip = await pipOf(options);
  if (isOffline(env) && pip.findLinks.length === 0)
    throw new FileError(
      `engine ${name}: HF_HUB_OFFLINE forbids the network`,
      "unset it, or name a folder of wheels with PIP_FIND_LINKS",
    );
  const online = isOffline(env) ? { ...pip, indexes: [] } : pip;
  const choice = await chooseWheels(engine, { version, needs, machine }, { pip: online, http: httpOf(pip, options) });
  return { engine, choice, folder: join(options.folder ?? enginesFolder(env), `${name}-${choice.version}`) };
}

async function pipOf({ pip, env, indexUrl }: AddOptions): Promise<PipConfig> {
  const found = pip ?? (await readPipConfig(env));
  return indexUrl === undefined ? found : { ...found, indexes: [indexUrl] };
}

const httpOf = ({ timeoutMs, retries }: PipConfig, { note, signal }: AddOptions): HttpOptions => ({
  timeoutMs,
  retries,
  note,
  signal,
});

/**
 * Fetches an engine into the folder of engines. Two processes at once share the work: one does it, the other waits. What is interrupted
 * leaves half a wheel, which the next call goes on with, and no half engine. Throws as `planEngine`, and FileError, DataError.
 */
export async function addEngine(name: string, options: AddOptions = {}): Promise<Added> {
  const root = options.folder ?? enginesFolder(options.env);
  const here = await wholeOne(root, engineNamed(name), options);
  if (here && options.version !== undefined) return here;
  const plan = await planEngine(name, options).catch((error: unknown) => {
    options.signal?.throwIfAborted();
    if (!here || !(error instanceof FileError)) throw error;
    options.note?.(`no index says whether there is a newer one: ${error.message.split("\n")[0]}`);
  });
  if (plan === undefined) return here!;
  const { folder, choice } = plan;
  await makeFolder(root);
  const { note, signal } = options;
  await using _lock = await lockFile(join(root, `.${name}.lock`), { wait: true, note, signal });
  const there = readManifest(folder);
  const damage = there && (await damageOf(folder, there));
  if (there && damage === undefined && hasAll(there, choice))
    return { folder, manifest: there, wasThere: true, replaced: [] };
  await checkPlace(folder, there);
  if (damage) note?.(`${folder}: ${damage}: fetching it again`);
  const manifest = await make(root, plan, options);
  const older = subfolders(root).filter((other) => other !== folder && readManifest(other)?.engine === name);
  for (const other of older) {
    const kept = await removeFolder(other);
    if (kept.length > 0) note?.(`${other}: kept what engine add had not made: ${kept.join(", ")}`);
  }
  return { folder, manifest, wasThere: false, replaced: older };
}

/** Throws FileError where the engine's folder holds what `add` has not made: nobody's files are taken away, and nothing is fetched in vain. */
async function checkPlace(folder: string, manifest: EngineManifest | undefined): Promise<void> {
  const foreign = await foreignFiles(folder, manifest);
  if (foreign.length > 0)
    throw new FileError(
      `${folder}: expected an engine that engine add has made, ${manifest ? "" : `without a whole ${MANIFEST} `}got ${foreign.slice(0, 3).join(", ")}${foreign.length > 3 ? ` and ${foreign.length - 3} more` : ""} in it`,
      "move this folder away, or remove it",
    );
}

/** What is there, whole and of the version that is asked for. */
async function wholeOne(
  root: string,
  { name, needs = [] }: Engine,
  { version, needs: withNeeds = true }: AddOptions,
): Promise<Added | undefined> {
  for (const folder of subfolders(root)) {
    const manifest = readManifest(folder);
    if (manifest?.engine !== name || manifest.packages.length < 1 + (withNeeds ? needs.length : 0)) continue;
    if (version !== undefined && compareVersions(version, manifest.version) !== 0) continue;
    if ((await damageOf(folder, manifest)) === undefined) return { folder, manifest, wasThere: true, replaced: [] };
  }
  return undefined;
}

/** Whether every wheel that was chosen is in there; with --no-deps more may be. */
const hasAll = ({ packages }: EngineManifest, { wheels }: Choice): boolean =>
  wheels.every(({ file }) => packages.some((one) => one.file === file));

async function make(root: string, plan: AddPlan, options: AddOptions): Promise<EngineManifest> {
  const { engine, choice, folder } = plan;
  const wheels = join(root, `.wheels-${engine.name}`);
  const work = folder + PARTIAL;
  try {
    await makeFolder(wheels);
    await rm(work, { recursive: true, force: true }); // of a process that was killed
    await makeFolder(work);
    const files = await fetchAll(choice.wheels, { wheels, work }, options);
    if (!files.some(({ path }) => path === choice.library))
      throw new EngineError(
        `${choice.wheels[0]!.file}: expected ${choice.library} in it, got none`,
        "this version is made otherwise: choose another with --version",
      );
    const manifest: EngineManifest = {
      engine: engine.name,
      version: choice.version,
      device: engine.device,
      library: choice.library,
      packages: choice.wheels.map(packageOf),
      files,
    };
    await saveJson(join(work, MANIFEST), manifest);
    if (readManifest(folder)) await removeFolder(folder);
    await rename(work, folder).catch((error: unknown) => Promise.reject(writeError(folder, error)));
    await syncFolder(root);
    await rm(wheels, { recursive: true, force: true });
    return manifest;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

const packageOf = ({ project, version, file, address, sha256 }: Wheel): EngineManifest["packages"][number] => {
  const { origin, pathname, protocol } = new URL(address.url);
  return {
    name: project,
    version,
    file,
    url: `${protocol === "file:" ? "file://" : origin}${pathname}`,
    sha256: sha256 ?? null,
  };
};

async function fetchAll(
  list: readonly Wheel[],
  { wheels, work }: { readonly wheels: string; readonly work: string },
  options: AddOptions,
): Promise<UnpackedFile[]> {
  const { onProgress, signal, note } = options;
  const http = httpOf(await pipOf(options), options);
  const files: UnpackedFile[] = [];
  for (const wheel of list) {
    const { file } = wheel;
    const path = join(wheels, file);
    const onBytes = (stage: AddProgress["stage"]) => (done: number, total: number) =>
      onProgress?.({ stage, file, done, total });
    if (wheel.sha256 === undefined)
      note?.(`${file}: the index names no hash: checked against its own list of files alone`);
    await downloadWheel({ wheel, path, http, onBytes: onBytes("download") });
    const unpacked = await unpackWheel(path, work, { signal, onBytes: onBytes("unpack") });
    files.push(...unpacked);
    await rm(path, { force: true });
  }
  return files;
}
