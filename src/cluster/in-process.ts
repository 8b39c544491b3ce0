/** Several workers in one process, for tests: each collective waits until all have called it, and is then done in the order of ranks. */
import { EngineError } from "../errors.ts";
import type { Cluster, Memory, Numbers, UnderWay } from "./cluster.ts";

type Kind = "allGather" | "reduceScatter" | "allReduce" | "broadcast" | "barrier";

/** One worker's part of a collective. */
interface Call {
  readonly kind: Kind;
  readonly all: Numbers;
  readonly own: Numbers;
  readonly root: number;
}

interface Meeting {
  readonly calls: (Call | undefined)[];
  readonly done: PromiseWithResolvers<void>;
}

type PromiseWithResolvers<T> = { promise: Promise<T>; resolve: (value: T) => void; reject: (error: Error) => void };

const NOTHING = new Uint8Array(0);

/** Clusters of `size` workers of this process, by rank. A worker that closes or aborts early fails the calls of the others. */
export function workersInProcess(size: number): Cluster[] {
  let meeting = newMeeting(size);
  let ended: Error | undefined;
  void meeting.done.promise.catch(() => undefined);

  const meet = (rank: number, call: Call): Promise<void> => {
    if (ended) return Promise.reject(ended);
    const now = meeting;
    now.calls[rank] = call;
    if (now.calls.every((one) => one !== undefined)) {
      meeting = newMeeting(size);
      try {
        collect(now.calls as Call[]);
        now.done.resolve();
      } catch (error) {
        now.done.reject(error as Error);
      }
    }
    return now.done.promise;
  };
  const end = (rank: number, how: string): void => {
    ended ??= new EngineError(`worker ${rank} of ${size} has ${how}`);
    if (meeting.calls.some((one) => one !== undefined)) meeting.done.reject(ended);
  };
  return Array.from({ length: size }, (_, rank) => {
    let last: Promise<void> = Promise.resolve();
    const go = (kind: Kind, all: Memory = NOTHING, own: Memory = NOTHING, root = 0): Promise<void> => {
      const mine = last.then(() => meet(rank, { kind, all: array(all), own: array(own), root }));
      last = mine.catch(() => undefined);
      return mine;
    };
    const begin = (kind: Kind, all: Memory, own?: Memory): UnderWay => {
      const done = go(kind, all, own);
      void done.catch(() => undefined); // rejects where it is waited for
      return { arrive: () => done };
    };
    const close = async (): Promise<void> => end(rank, "closed");
    return {
      description: `${size} workers in one process`,
      rank,
      size,
      takesAddresses: false,
      allGather: (all, own) => go("allGather", all, own),
      reduceScatter: (all, own) => go("reduceScatter", all, own),
      allReduce: (all) => go("allReduce", all),
      beginReduceScatter: (all, own) => begin("reduceScatter", all, own),
      beginAllReduce: (all) => begin("allReduce", all),
      broadcast: (all, root) => go("broadcast", all, NOTHING, root),
      barrier: () => go("barrier"),
      abort: () => end(rank, "aborted"),
      close,
      [Symbol.asyncDispose]: close,
    };
  });
}

function newMeeting(size: number): Meeting {
  let [resolve, reject]: [() => void, (error: Error) => void] = [() => undefined, () => undefined];
  const promise = new Promise<void>((yes, no) => {
    [resolve, reject] = [yes, no];
  });
  return { calls: new Array(size).fill(undefined), done: { promise, resolve, reject } };
}

function array(memory: Memory): Numbers {
  if (ArrayBuffer.isView(memory)) return memory;
  throw new EngineError("workers in one process exchange arrays, not addresses");
}

function collect(calls: readonly Call[]): void {
  const [{ kind, all: first, root }] = calls as [Call];
  for (const [rank, call] of calls.entries())
    if (call.kind !== kind || call.all.length !== first.length || call.root !== root)
      throw new EngineError(
        `workers disagree: worker 0 calls ${kind} of ${first.length}, worker ${rank} ${call.kind} of ${call.all.length}`,
      );
  if (kind === "barrier") return;
  if (kind === "broadcast") for (const { all } of calls) set(all, calls[root]!.all);
  if (kind === "allGather") gather(calls);
  if (kind === "allReduce" || kind === "reduceScatter") reduce(calls, kind);
}

function gather(calls: readonly Call[]): void {
  const each = calls[0]!.all.length / calls.length;
  for (const [rank, { all, own: given }] of calls.entries()) {
    const own = all.subarray(rank * each, (rank + 1) * each);
    if (given.length > 0) set(own, given);
    for (const other of calls) if (other.all !== all) set(other.all.subarray(rank * each, (rank + 1) * each), own);
  }
}

function reduce(calls: readonly Call[], kind: Kind): void {
  const sum = calls[0]!.all.slice();
  for (const { all } of calls.slice(1)) for (let i = 0; i < sum.length; i++) sum[i]! += all[i]!;
  const each = sum.length / calls.length;
  for (const [rank, { all, own }] of calls.entries())
    if (kind === "allReduce") set(all, sum);
    else set(own, sum.subarray(rank * each, (rank + 1) * each));
}

const set = (to: Numbers, from: Numbers): void => (to as Float64Array).set(from as Float64Array);
