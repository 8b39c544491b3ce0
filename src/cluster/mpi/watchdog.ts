/**
 * Finds a worker that hangs. Who has waited for half of the patience at a collective says so to worker 0, by a message beside it; worker 0, once it has
 * waited for all of it, knows who has not come, and ends the job. So a worker that only came later than worker 0 is not taken for the one that hangs.
 * Where it is worker 0 that hangs, the others end it.
 */
import type { FunctionName, MpiLibrary } from "./library.ts";

/** Called when a collective begins; what it returns, when it has ended. */
export type Watch = (name: FunctionName) => () => void;

interface WatchOptions {
  readonly rank: number;
  readonly size: number;
  /** Seconds. */
  readonly patience: number;
  readonly onHang?: ((message: string) => void) | undefined;
  /** Whether the library takes calls from several threads at once: without it nobody can be asked, and no name is known. */
  readonly threaded: boolean;
}

/** Seconds that worker 0 waits for the messages of the others, and the others for worker 0. */
const [ASK, TELL] = [2, 6];

const TAG = 4711;

/** No library's MPI_Status is larger. */
export const STATUS_BYTES = 64;

export function watchdog({ abi, fn }: MpiLibrary, { rank, size, patience, onHang, threaded }: WatchOptions): Watch {
  let call = 0;
  const end = (message: string): void => {
    onHang?.(message);
    fn.MPI_Abort(abi.world, 1);
  };
  const late = (name: string): string => `${name}, where the others have waited for ${patience} s`;
  const say = (): void => {
    if (rank > 0 && threaded) fn.MPI_Send(Int32Array.of(call), 1, abi.types.int32, 0, TAG, abi.world);
  };
  /** Ranks that have not said that they wait at this call. */
  const missing = (): number[] => {
    const absent: number[] = [];
    const [flag, status, said] = [new Int32Array(1), new Uint8Array(STATUS_BYTES), new Int32Array(1)];
    for (let other = 1; other < size; other++) {
      let here = false;
      for (;;) {
        fn.MPI_Iprobe(other, TAG, abi.world, flag, status);
        if (flag[0] === 0) break;
        fn.MPI_Recv(said, 1, abi.types.int32, other, TAG, abi.world, status);
        here ||= said[0] === call;
      }
      if (!here) absent.push(other);
    }
    return absent;
  };
  const find = (name: string): void => {
    if (!threaded) end(`a worker has not come to ${late(name)}`);
    else if (rank === 0) end(`worker ${missing().join(", ")} of ${size} has not come to ${late(name)}`);
    else end(`worker 0 of ${size} has not come to ${late(name)}`);
  };
  return (name) => {
    call++;
    const timers = [
      setTimeout(say, 500 * patience),
      setTimeout(() => find(name), 1000 * (patience + (rank === 0 ? ASK : TELL))),
    ];
    return () => timers.forEach(clearTimeout);
  };
}
