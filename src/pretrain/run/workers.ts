/** What the workers of one run tell each other: what they must have alike, what the first decides, when they stop. */
import { createHash } from "node:crypto";
import { type Cluster, gatherTexts, textOfFirst } from "../../cluster/index.ts";
import type { BadSample } from "../../data/index.ts";
import { ConfigError, EngineError } from "../../errors.ts";
import type { Json } from "../../io/index.ts";
import { type CheckpointState, environment, hashOf } from "../../record/index.ts";
import type { Device, State } from "../../runtime/index.ts";
import type { TokenizerJson } from "../../text/index.ts";
import type { Recipe } from "../recipe/types.ts";

/**
 * Throws ConfigError where another worker has other facts than the first, with what differs. On one worker there is nothing to compare.
 */
export async function checkAlike(cluster: Cluster, facts: Readonly<Record<string, string>>): Promise<void> {
  if (cluster.size === 1) return;
  const all = (await gatherTexts(cluster, JSON.stringify(facts))).map((text) => JSON.parse(text) as typeof facts);
  const lines = all.flatMap((other, rank) =>
    Object.entries(all[0]!)
      .filter(([name, value]) => other[name] !== value)
      .map(([name, value]) => `  ${name}: worker 0 has ${value}, worker ${rank} has ${other[name]}`),
  );
  if (lines.length > 0)
    throw new ConfigError(
      `${cluster.size} workers: expected the same on all, got\n${lines.join("\n")}`,
      "start all of them with one recipe, one version of flava and its engine, and the same data",
    );
}

/** What must be alike before the first step. Where a run writes and how many threads it has may differ. */
export async function factsOf(recipe: Recipe, device: Device, cluster: Cluster): Promise<Record<string, string>> {
  const { flava, node, engine } = await environment(device.description, recipe.threads);
  const recipeHash = hashOf({ ...JSON.parse(JSON.stringify(recipe)), runDir: "", threads: 0 } as Json).slice(0, 12);
  return {
    flava,
    node,
    engine,
    MPI: cluster.description,
    platform: `${process.platform}-${process.arch}`,
    "hash of the recipe": recipeHash,
  };
}

/** What the first worker finds in the run's folder, which the others need not see. */
export interface Decided {
  readonly stages: readonly string[];
  readonly resumed: { readonly step: number; readonly state: CheckpointState } | undefined;
  /** The text of tokenizer.json. */
  readonly tokenizer: TokenizerJson;
}

/** Tells the others; called by the first worker. */
export async function tell(cluster: Cluster, decided: Decided): Promise<void> {
  if (cluster.size > 1) await textOfFirst(cluster, JSON.stringify(decided));
}

/** What the first worker tells. */
export const hear = async (cluster: Cluster): Promise<Decided> => JSON.parse(await textOfFirst(cluster, "")) as Decided;

/** Gives the others the state of the first. */
export async function shareState(cluster: Cluster, state: State): Promise<void> {
  if (cluster.size === 1) return;
  for (const name of state.names().sort()) {
    const buffer = state.buffer(name);
    const { address, dtype, sizeBytes } = buffer;
    if (cluster.takesAddresses && address !== undefined && dtype === "float32")
      await cluster.broadcast({ dtype, address, length: sizeBytes / 4 }, 0);
    else {
      const t = await buffer.read();
      await cluster.broadcast(t.data as Float32Array, 0);
      buffer.write(t);
    }
  }
}

/** Throws EngineError, with the names of the workers, where these tensors are not the same to the bit on all. */
export async function checkState(
  cluster: Cluster,
  state: State,
  names: readonly string[],
  step: number,
): Promise<void> {
  if (cluster.size === 1) return;
  const sum = createHash("sha256");
  for (const name of names) {
    const { data } = await state.read(name);
    sum.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  const all = await gatherTexts(cluster, sum.digest("hex"));
  const other = [...all.keys()].filter((rank) => all[rank] !== all[0]);
  if (other.length > 0)
    throw new EngineError(
      `step ${step}: the parameters of worker ${other.join(", ")} are no longer those of worker 0`,
      "processors, memory or libraries that compute differently: resume from a checkpoint on machines of one kind",
    );
}

/** What workers agree on after every step. */
export interface Agreement {
  /** Fires on all workers after the same step. */
  readonly signal: AbortSignal | undefined;
  /** Takes what this worker has left out: the first worker lists what all have. */
  onBad(bad: BadSample): void;
  /** Called by every worker after every step, and at the end. */
  meet(): Promise<void>;
}

/** So many samples are told of at a time. */
const TOLD = 1000;

/** The agreed form of this worker's signal; `list` is called on the first worker for what any of them has left out. */
export function agreement(
  cluster: Cluster,
  own: AbortSignal | undefined,
  list: (bad: BadSample) => void = () => undefined,
): Agreement {
  if (cluster.size === 1) return { signal: own, onBad: list, meet: async () => undefined };
  const agreed = new AbortController();
  const untold = unlisted();
  return {
    signal: agreed.signal,
    onBad: cluster.rank === 0 ? list : untold.add,
    async meet() {
      for (let more = true; more; ) {
        const asked = Int32Array.of(own?.aborted ? 1 : 0, untold.count());
        await cluster.allReduce(asked);
        if (asked[0]! > 0 && !agreed.signal.aborted) agreed.abort(own?.reason);
        more = asked[1]! > 0;
        if (!more) return;
        const told = await gatherTexts(cluster, JSON.stringify(untold.take(TOLD)));
        if (cluster.rank === 0) for (const text of told) for (const bad of JSON.parse(text) as BadSample[]) list(bad);
      }
    },
  };
}

/** What a worker has left out and not told yet, each sample once. */
function unlisted() {
  const seen = new Set<string>();
  const waiting: BadSample[] = [];
  return {
    add(bad: BadSample): void {
      const id = JSON.stringify([bad.source, bad.key, bad.kept === true]);
      if (!seen.has(id)) waiting.push(bad);
      seen.add(id);
    },
    count: () => waiting.length,
    take: (most: number): BadSample[] => waiting.splice(0, most),
  };
}
