/**
 * Graphs that OpenVINO has compiled, on disk, so that the next process need not compile them: its own cache (`CACHE_DIR`), a folder a graph.
 * OpenVINO writes where it reads, so it gets a folder of its own, which takes its name when the session stands: a process that is killed
 * leaves nothing that another would read.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, rename, rm, utimes } from "node:fs/promises";
import { join } from "node:path";
import { settled } from "../../../errors.ts";
import { flavaCache, isRecord, makeFolder, PARTIAL, readJson, saveJson, statOf } from "../../../io/index.ts";
import { MAX_BYTES, MIN_MS, makeRoom, processor, warnOfCompiled } from "../../compiled-folder.ts";
import type { CompiledOptions } from "../../device-options.ts";
import type { Session } from "../../session.ts";

/** What is compiled. */
export interface Compiled {
  /** For messages. */
  readonly where: string;
  /** ONNX. */
  readonly model: Uint8Array;
  /** What the result depends on besides: the provider's build and its options. */
  readonly besides: string;
  /** Makes the session; OpenVINO's files go to the folder where one is given, and are taken from there. */
  readonly create: (folder: string | undefined) => Promise<Session>;
}

const SUFFIX = ".openvino";
/** SHA-256 of each file, written when all are there. */
const MANIFEST = "files.json";
/** OpenVINO writes the weights that are inside of a model along: with a ViT-B's that takes longer than compiling. */
const MAX_MODEL_BYTES = 32 * 2 ** 20;
const VERSION = "flava compiled OpenVINO 1";

let counter = 0;
let turn: Promise<unknown> = Promise.resolve();

/** A session, its compiled graph from disk where it is there, else kept if it took long. One at a time: OpenVINO has one `CACHE_DIR` a process. */
export function createCompiled(compiled: Compiled, options: CompiledOptions | false): Promise<Session> {
  if (options === false || compiled.model.length > MAX_MODEL_BYTES) return compiled.create(undefined);
  const mine = turn.then(() => createInTurn(compiled, options));
  turn = settled(mine);
  return mine;
}

async function createInTurn(compiled: Compiled, options: CompiledOptions): Promise<Session> {
  const { where, create } = compiled;
  const { folder = join(flavaCache(), "compiled", "openvino"), minMs = MIN_MS, maxBytes = MAX_BYTES } = options;
  const path = join(folder, keyOf(compiled) + SUFFIX);
  if (await isWhole(path, where)) {
    await settled(utimes(path, new Date(), new Date())); // used now
    return create(path);
  }
  const work = `${path}.${process.pid}-${counter++}${PARTIAL}`;
  const notKept = (error: Error): void =>
    warnOfCompiled(`${path}: ${where} is compiled, and could not be kept: ${error.message.split("\n")[0]}`);
  const made = await makeFolder(work).then(() => true, notKept);
  if (!made) return create(undefined);
  try {
    const begun = performance.now();
    const session = await create(work);
    if (performance.now() - begun >= minMs)
      await keep(work, path)
        .then(() => makeRoom(folder, SUFFIX, maxBytes))
        .catch(notKept);
    return session;
  } finally {
    await settled(rm(work, { recursive: true, force: true }));
  }
}

function keyOf({ model, besides }: Compiled): string {
  const hash = createHash("sha256").update(JSON.stringify([VERSION, processor(), besides]));
  return hash.update(model).digest("hex");
}

/** The folder takes its name, with the hashes of what is in it; where another process was first, that one's stays. */
async function keep(work: string, path: string): Promise<void> {
  const names = await readdir(work);
  if (names.length === 0) return; // this provider keeps nothing
  await saveJson(join(work, MANIFEST), await hashes(work, names));
  await rename(work, path).catch(async (error: Error) => {
    if (!(await statOf(path))) throw error;
  });
}

const hashes = async (folder: string, names: readonly string[]): Promise<Record<string, string>> =>
  Object.fromEntries(await Promise.all(names.map(async (name) => [name, await hashOf(join(folder, name))] as const)));

async function hashOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

/** Whether a folder holds what was kept, to the byte; one that does not is removed with a warning. */
async function isWhole(path: string, where: string): Promise<boolean> {
  if (!(await statOf(path))) return false;
  try {
    const expected: unknown = await readJson(join(path, MANIFEST));
    const names = (await readdir(path)).filter((name) => name !== MANIFEST);
    const found = await hashes(path, names);
    const same = isRecord(expected) && Object.keys(expected).length === names.length;
    if (same && names.length > 0 && names.every((name) => expected[name] === found[name])) return true;
  } catch {
    // as one that is damaged
  }
  warnOfCompiled(`${path}: expected a compiled graph, got files that are damaged: compiling ${where} again`);
  await settled(rm(path, { recursive: true, force: true }));
  return false;
}
