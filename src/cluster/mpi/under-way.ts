/**
 * Collectives that travel beside what a worker computes. Libraries move them on only within calls: one is asked about now and then, which moves all, and
 * whoever waits for one lets the library move it as fast as it can.
 */
import { EngineError } from "../../errors.ts";
import type { UnderWay } from "../cluster.ts";
import type { FunctionName, MpiLibrary } from "./library.ts";
import type { Argument } from "./mpi.ts";
import { STATUS_BYTES } from "./watchdog.ts";

interface BesideOptions {
  readonly library: MpiLibrary;
  /** Runs work when all calls before it have ended. */
  inTurn(work: () => Promise<void>): Promise<void>;
  /** Whether the library may be called now, from this thread. */
  free(): boolean;
  /** Waits for a request on another thread; `name` is what a watchdog calls it. */
  wait(name: FunctionName, args: readonly Argument[]): Promise<void>;
}

interface Request {
  /** The library's handle, which it sets to none when all has come. */
  readonly handle: Uint8Array;
  /** Kept until then: the library reads and writes what they point to. */
  readonly args: readonly Argument[];
}

/** A handle is an int or a pointer. */
const HANDLE_BYTES = 8;

/** Between two questions, in milliseconds. */
const EVERY = 1;

/** Begins a collective; `then` is called once it has come, before its `arrive` resolves. */
export type Begin = (name: FunctionName, args: readonly Argument[], then?: () => void) => UnderWay;

export function beside({ library: { fn }, inTurn, free, wait }: BesideOptions): Begin {
  const open = new Set<Request>();
  let asking = false;
  const [flag, status] = [new Int32Array(1), new Uint8Array(STATUS_BYTES)];
  const ask = (): void => {
    asking = false;
    for (const request of open) {
      if (!free()) break;
      fn.MPI_Test(request.handle, flag, status); // what fails says so when it is waited for
      if (flag[0] === 0) break;
      open.delete(request);
    }
    askLater();
  };
  const askLater = (): void => {
    if (open.size === 0 || asking) return;
    asking = true;
    setTimeout(ask, EVERY).unref();
  };
  return (name, args, then) => {
    const request: Request = { handle: new Uint8Array(HANDLE_BYTES), args };
    const begun = inTurn(async () => {
      const code: number = fn[name](...args, request.handle);
      if (code !== 0) throw new EngineError(`mpi: ${name} failed with code ${code}`);
      open.add(request);
      askLater();
    });
    void begun.catch(() => undefined); // rejects where it is waited for
    return {
      async arrive() {
        await begun;
        await inTurn(() => {
          open.delete(request);
          return wait(name, [request.handle, new Uint8Array(STATUS_BYTES)]);
        });
        then?.();
      },
    };
  };
}
