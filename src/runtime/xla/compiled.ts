/**
 * Compiled programs on disk, so that the next process need not compile: what PJRT_Executable_Serialize gives, under the hash of everything
 * that it depends on. A file is written whole or not at all, and its bytes are checked before the plugin sees them.
 */
import { createHash } from "node:crypto";
import { readFile, rm, utimes } from "node:fs/promises";
import { join } from "node:path";
import { EngineError, settled } from "../../errors.ts";
import { flavaCache, makeFolder, saveFile } from "../../io/index.ts";
import { MAX_BYTES, MIN_MS, makeRoom, processor, warnOfCompiled } from "../compiled-folder.ts";
import type { CompiledOptions } from "../device-options.ts";
import type { Client, Program } from "./client.ts";
import { PjrtError, RESOURCE_EXHAUSTED } from "./pjrt.ts";

/** What is compiled. */
export interface Source {
  /** For messages. */
  readonly where: string;
  /** StableHLO. */
  readonly text: string;
  readonly replicas: number;
}

const MAGIC = "flava compiled XLA 1\n";
const HASH_BYTES = 32;
const HEAD_BYTES = MAGIC.length + HASH_BYTES;
const SUFFIX = ".xla";

/** From disk where it is there, else compiled, and kept if that took long. Throws PjrtError, EngineError where the device has no room for it. */
export async function compileCached(
  client: Client,
  source: Source,
  options: CompiledOptions | false,
): Promise<Program> {
  const { where, text, replicas } = source;
  if (options === false || !client.canSerialize) return client.compile(where, text, replicas);
  const { folder = join(flavaCache(), "compiled", "xla"), minMs = MIN_MS } = options;
  const path = join(folder, `${keyOf(client, source)}${SUFFIX}`);
  const kept = await load(client, where, path);
  if (kept) return kept;
  const begun = performance.now();
  const program = await client.compile(where, text, replicas);
  if (performance.now() - begun >= minMs) await keep(client, where, program, path, options);
  return program;
}

/** Everything that a compiled program depends on. */
function keyOf({ identity }: Client, { text, replicas }: Source): string {
  const parts = [MAGIC, identity, processor(), process.env.XLA_FLAGS ?? "", replicas, text];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

async function load(client: Client, where: string, path: string): Promise<Program | undefined> {
  const bytes = await readFile(path).catch(() => undefined);
  if (bytes === undefined) return undefined;
  const content = bytes.subarray(HEAD_BYTES);
  const whole =
    bytes.toString("latin1", 0, MAGIC.length) === MAGIC &&
    createHash("sha256").update(content).digest().equals(bytes.subarray(MAGIC.length, HEAD_BYTES));
  try {
    if (!whole) throw new Error("it is damaged");
    const program = await client.deserialize(where, content);
    await settled(utimes(path, new Date(), new Date())); // used now
    return program;
  } catch (error) {
    if (isOfMemory(error)) throw error; // compiled again it would need as much
    warnOfCompiled(`${path}: expected a compiled program, got ${(error as Error).message}: compiling ${where} again`);
    await settled(rm(path, { force: true }));
    return undefined;
  }
}

/** Whether a program is whole and the device has no room for it. */
const isOfMemory = (error: unknown): boolean =>
  error instanceof PjrtError ? error.status === RESOURCE_EXHAUSTED : error instanceof EngineError;

/** A program that cannot be kept has been compiled all the same. */
async function keep(
  client: Client,
  where: string,
  program: Program,
  path: string,
  { maxBytes = MAX_BYTES }: CompiledOptions,
): Promise<void> {
  try {
    const content = client.serialize(where, program);
    if (content.length > maxBytes) return;
    const folder = join(path, "..");
    await makeFolder(folder);
    const hash = createHash("sha256").update(content).digest();
    await saveFile(path, [Buffer.from(MAGIC, "latin1"), hash, content]);
    await makeRoom(folder, SUFFIX, maxBytes);
  } catch (error) {
    if (error instanceof PjrtError) return; // this plugin does not write such a program
    warnOfCompiled(`${path}: ${where} is compiled, and could not be kept: ${(error as Error).message.split("\n")[0]}`);
  }
}
