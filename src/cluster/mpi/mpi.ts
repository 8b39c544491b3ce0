/** Workers that are processes of an MPI job: the library moves the numbers, on whatever network it knows. */
import { EngineError } from "../../errors.ts";
import { type Cluster, inOrder, type Memory, type Numbers } from "../cluster.ts";
import { type Abi, dtypeOf } from "./abi.ts";
import { type Launch, launchOf } from "./launcher.ts";
import { type FunctionName, loadMpi, type MpiLibrary } from "./library.ts";
import { beside } from "./under-way.ts";
import { type Watch, watchdog } from "./watchdog.ts";

export interface MpiOptions {
  /** Path of the library; it is looked for unless said. */
  readonly library?: string | undefined;
  /** How many seconds workers wait for each other before the job is ended; 0, the default: for ever. */
  readonly patience?: number | undefined;
  /** Called before the job is ended for want of a worker: which it is, and what the others wait at. */
  readonly onHang?: ((message: string) => void) | undefined;
}

/** An open cluster, and the library behind it. */
export interface MpiCluster extends Cluster {
  readonly library: MpiLibrary;
}

/** Counts are ints: longer memory goes in pieces of so many elements. */
const MAX_COUNT = 2 ** 30;

let opened: Promise<MpiCluster> | undefined;

/**
 * The workers of this process's job; the library is loaded and initialised once a process. Throws EngineError where there is no library, it is not that of the
 * launcher, or it takes no calls from threads.
 */
export function openMpi(options: MpiOptions = {}): Promise<MpiCluster> {
  opened ??= start(options);
  return opened;
}

async function start({ patience = 0, onHang, ...given }: MpiOptions): Promise<MpiCluster> {
  const launch = launchOf(process.env);
  const library = await loadMpi(given.library, launch?.library);
  const { abi, fn } = library;
  const [level, rank, size] = [new Int32Array(1), new Int32Array(1), new Int32Array(1)];
  check("MPI_Init_thread", fn.MPI_Init_thread(null, null, abi.multiple, level));
  check("MPI_Comm_rank", fn.MPI_Comm_rank(abi.world, rank));
  check("MPI_Comm_size", fn.MPI_Comm_size(abi.world, size));
  checkStart(library, launch, size[0]!, level[0]!);
  const threaded = level[0]! >= abi.multiple;
  const watch =
    patience > 0 ? watchdog(library, { rank: rank[0]!, size: size[0]!, patience, onHang, threaded }) : undefined;
  return cluster(library, { rank: rank[0]!, size: size[0]!, watch, threaded });
}

function check(name: FunctionName, code: number): void {
  if (code !== 0) throw new EngineError(`mpi: ${name} failed with code ${code}`);
}

function checkStart(
  { path, version, abi, fn }: MpiLibrary,
  launch: Launch | undefined,
  size: number,
  level: number,
): void {
  const fail = (message: string, help: string): never => {
    fn.MPI_Finalize();
    throw new EngineError(message, help);
  };
  if (launch && launch.size !== size)
    fail(
      `mpi: ${launch.launcher} has started ${launch.size} processes, and ${version} (${path}) sees ${size}`,
      launch.library
        ? `start with the launcher of this library, or name the library of ${launch.library} with --mpi PATH`
        : "srun --mpi=list shows what Slurm can start: pmix for Open MPI, pmi2 for MPICH",
    );
  if (level < abi.serialized)
    fail(
      `mpi: ${version} (${path}): expected a library that takes calls from several threads, got level ${level}`,
      "it was built without threads: install another",
    );
}

export type Argument = bigint | number | null | ArrayBufferView;

/** Calls under way: koffi does not keep their arrays. */
const pending = new Set<unknown>();

interface Place {
  readonly rank: number;
  readonly size: number;
  readonly watch: Watch | undefined;
  /** Whether the library takes calls from several threads at once. */
  readonly threaded: boolean;
}

function cluster(library: MpiLibrary, { rank, size, watch, threaded }: Place): MpiCluster {
  const { abi, fn, version } = library;
  let last: Promise<void> = Promise.resolve();
  let [closed, busy] = [false, false];
  // One at a time, in the order of the calls: the pool's threads would start two of them in any order.
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    const mine = last.then(() => {
      busy = true;
      return work();
    });
    last = mine
      .catch(() => undefined)
      .then(() => {
        busy = false;
      });
    return mine;
  };
  const watched = async (name: FunctionName, native: FunctionName, args: readonly Argument[]): Promise<void> => {
    const done = watch?.(name);
    await run(fn[native], native, args).finally(done);
  };
  const call = (name: FunctionName, args: readonly Argument[]): Promise<void> =>
    inTurn(() => watched(name, name, args));
  const begin = beside({
    ...{ library, inTurn, free: () => !closed && (threaded || !busy) },
    wait: (name, args) => watched(name, "MPI_Wait", args),
  });
  const close = async (): Promise<void> => {
    if (closed) return;
    closed = true;
    await call("MPI_Finalize", []);
  };
  return {
    library,
    description: `${version} (${abi.name === "MPI-5 ABI" ? "MPI-5 ABI, " : ""}${library.path})`,
    rank,
    size,
    takesAddresses: true,
    allGather(all, own) {
      const each = short(lengthOf(all) / size);
      const type = typeOf(abi, all);
      const from = own ? [pointer(own), each] : [abi.inPlace, 0];
      return call("MPI_Allgather", [...from, type, pointer(all), each, type, abi.world]);
    },
    reduceScatter: (all, own) =>
      call("MPI_Reduce_scatter", [
        pointer(all),
        pointer(own),
        new Int32Array(size).fill(short(lengthOf(own))),
        typeOf(abi, all),
        abi.sum,
        abi.world,
      ]),
    async allReduce(all) {
      for (const [piece, length] of pieces(all))
        await call("MPI_Allreduce", [abi.inPlace, piece, length, typeOf(abi, all), abi.sum, abi.world]);
    },
    beginReduceScatter(all, own) {
      const [each, type] = [short(lengthOf(own)), typeOf(abi, all)];
      const args = [abi.inPlace, 0, type, pointer(all), each, type, abi.world];
      return begin("MPI_Ialltoall", args, () => addUp(arrayOf(library, all), arrayOf(library, own)));
    },
    beginAllReduce(all) {
      const type = typeOf(abi, all);
      const parts = [...pieces(all)].map(([piece, length]) =>
        begin("MPI_Iallreduce", [abi.inPlace, piece, length, type, abi.sum, abi.world]),
      );
      return inOrder(parts);
    },
    async broadcast(all, root) {
      for (const [piece, length] of pieces(all))
        await call("MPI_Bcast", [piece, length, typeOf(abi, all), root, abi.world]);
    },
    barrier: () => call("MPI_Barrier", [abi.world]),
    abort: () => void fn.MPI_Abort(abi.world, 1),
    close,
    [Symbol.asyncDispose]: close,
  };
}

const run = (native: MpiLibrary["fn"][FunctionName], name: FunctionName, args: readonly Argument[]): Promise<void> =>
  new Promise((resolve, reject) => {
    pending.add(args);
    native.async(...args, (error: Error | null, code: number) => {
      pending.delete(args);
      if (error) reject(new EngineError(`mpi: ${name}: ${error.message}`, undefined, { cause: error }));
      else if (code !== 0) reject(new EngineError(`mpi: ${name} failed with code ${code}`));
      else resolve();
    });
  });

/** `all` holds a part of every worker's: `own` becomes their sum, in the order of ranks. */
function addUp(all: Numbers, own: Numbers): void {
  for (let i = 0; i < own.length; i++) own[i] = all[i]!;
  for (let from = own.length; from < all.length; from += own.length)
    for (let i = 0; i < own.length; i++) own[i]! += all[from + i]!;
}

/** Memory as an array, where it lies. */
function arrayOf({ view }: MpiLibrary, memory: Memory): Numbers {
  if (ArrayBuffer.isView(memory)) return memory;
  const { address, length, dtype } = memory;
  return new ARRAYS[dtype](view(address, length * BYTES[dtype]), 0, length);
}

const ARRAYS = { float32: Float32Array, float64: Float64Array, int32: Int32Array, uint8: Uint8Array } as const;

const lengthOf = (memory: Memory): number => memory.length;

const pointer = (memory: Memory): bigint | ArrayBufferView => (ArrayBuffer.isView(memory) ? memory : memory.address);

const typeOf = (abi: Abi, memory: Memory): bigint | number =>
  abi.types[ArrayBuffer.isView(memory) ? dtypeOf(memory) : memory.dtype];

/** The length of what cannot go in pieces. */
function short(length: number): number {
  if (length <= MAX_COUNT && Number.isInteger(length)) return length;
  throw new EngineError(`mpi: ${length} elements for each worker cannot be exchanged at once`, "use smaller batches");
}

const BYTES = { float32: 4, float64: 8, int32: 4, uint8: 1 } as const;

/** Memory in pieces whose length is an int. */
function* pieces(memory: Memory): Generator<[bigint | ArrayBufferView, number]> {
  for (let start = 0; start === 0 || start < memory.length; start += MAX_COUNT) {
    const end = Math.min(start + MAX_COUNT, memory.length);
    if (ArrayBuffer.isView(memory)) yield [memory.subarray(start, end), end - start];
    else yield [memory.address + BigInt(start * BYTES[memory.dtype]), end - start];
  }
}
