/** What a program of XLA needs of a device's memory, and what to say where that is more than there is. */
import { totalmem } from "node:os";
import { EngineError } from "../../errors.ts";

/** Bytes of device memory. */
export interface MemoryStats {
  readonly inUse: number;
  readonly peak: number | undefined;
  readonly limit: number | undefined;
}

/** Bytes that a compiled program takes on each device while it runs. */
export interface ProgramMemory {
  readonly inputs: number;
  readonly outputs: number;
  /** Of the outputs, in memory of the inputs. */
  readonly shared: number;
  readonly temporary: number;
}

/** All of it together. */
export const totalOf = ({ inputs, outputs, shared, temporary }: ProgramMemory): number =>
  inputs + outputs - shared + temporary;

/** What to lower. */
export const MEMORY_HELP =
  "lower the batch (more gradientAccumulationSteps), set recompute, close what else uses the device, or raise memoryFraction";

/** What a platform has in all: the device's limit; for processors the memory of this machine, or of its container. */
export function limitOf(platform: string, stats: MemoryStats | undefined): number | undefined {
  if (stats?.limit !== undefined) return stats.limit;
  if (platform !== "cpu") return undefined;
  const contained = process.constrainedMemory?.() ?? 0;
  return contained > 0 ? Math.min(totalmem(), contained) : totalmem();
}

/** Throws EngineError where a program needs more than the whole of a device: it would fail, or be killed, in its first run. */
export function checkFits(
  where: string,
  program: ProgramMemory,
  platform: string,
  stats: MemoryStats | undefined,
): void {
  const [needed, limit] = [totalOf(program), limitOf(platform, stats)];
  if (limit === undefined || needed <= limit) return;
  const parts = `${gib(program.inputs)} of inputs, ${gib(program.outputs - program.shared)} of results, ${gib(program.temporary)} in between`;
  throw new EngineError(
    `${where}: expected a program that fits ${platform}'s memory of ${gib(limit)}, got one that takes ${gib(needed)}: ${parts}`,
    MEMORY_HELP,
  );
}

const UNITS: Readonly<Record<string, number>> = { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/** What a plugin says that it was asked for: "trying to allocate 2.00GiB", "allocating 4294967296 bytes". */
export function askedBytes(said: string): number | undefined {
  const found = /(?:allocat\w*|reserv\w*|request\w*)\D{0,40}?(\d+(?:\.\d+)?)\s*(?:bytes?|([KMGT])i?B?\b)/i.exec(said);
  return found ? Number(found[1]) * UNITS[found[2]?.toUpperCase() ?? ""]! : undefined;
}

/** "the device's memory is full: 2.0 GiB asked for, 1.5 GiB of 16 GiB free; …" */
export function fullMessage(said: string, platform: string, stats: MemoryStats | undefined): string {
  const [asked, limit] = [askedBytes(said), limitOf(platform, stats)];
  const there =
    limit === undefined
      ? undefined
      : stats
        ? `${gib(Math.max(0, limit - stats.inUse))} of ${gib(limit)} free`
        : `${gib(limit)} in all`;
  const facts = [asked === undefined ? undefined : `${gib(asked)} asked for`, there].filter(Boolean).join(", ");
  return `the memory of ${platform} is full${facts ? `: ${facts}` : ""} (${said.split("\n")[0]!.slice(0, 300)})`;
}

const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(bytes < 10 * 2 ** 30 ? 2 : 0)} GiB`;
