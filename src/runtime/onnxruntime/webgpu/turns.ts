/** One call at a time on a GPU, and what it says of each: errors that it logs become exceptions. */
import { EngineError } from "../../../errors.ts";
import type { Slot } from "../native/api.ts";
import type { Ort, Pointer } from "../native/ort.ts";

/** Who may call the GPU, and when. */
export interface Turns {
  /** Waits for the others, then works. Throws EngineError for what the GPU said of it, and once it is lost. */
  inTurn<T>(work: () => Promise<T>): Promise<T>;
  /** Calls a release function when the others are done. */
  release(slot: Slot, pointer: Pointer): void;
}

const SAID = /WebGPU device error\((\d)\): (.*)/s;
const OUT_OF_MEMORY = "3";
const LOST = /\[Device\b.*\bis lost/;

/** Throws EngineError where the GPU has reported an error since the last look. */
export function checkLog(ort: Ort, where: string): void {
  const said = ort.takeErrors().flatMap((message) => SAID.exec(message) ?? []);
  const [, kind, text] = said;
  if (text === undefined) return;
  const first = text.split("\n")[0]!;
  if (kind === OUT_OF_MEMORY)
    throw new EngineError(
      `${where}: the GPU has no memory for this: ${first}`,
      "lower the batch (in training: raise gradientAccumulationSteps), and go on from the last checkpoint: what this run was to replace is not whole",
    );
  throw new EngineError(`${where}: the GPU refused it: ${first}`, "use the device cpu, and report the graph");
}

/** Turns on the GPU of a library. */
export function takeTurns(ort: Ort): Turns {
  let last: Promise<unknown> = Promise.resolve();
  let lost: EngineError | undefined;
  const one = async <T>(work: () => Promise<T>): Promise<T> => {
    if (lost) throw lost;
    ort.takeErrors();
    try {
      const result = await work();
      checkLog(ort, "webgpu");
      return result;
    } catch (error) {
      if (error instanceof EngineError && LOST.test(error.message)) {
        lost = lostBy(error);
        throw lost;
      }
      checkLog(ort, "webgpu");
      throw error;
    }
  };
  const inTurn: Turns["inTurn"] = (work) => {
    const mine = last.then(() => one(work));
    last = mine.catch(() => undefined);
    return mine;
  };
  return {
    inTurn,
    release: (slot, pointer) => {
      last = last.then(() => ort.release(slot, pointer));
    },
  };
}

const lostBy = (cause: EngineError): EngineError =>
  new EngineError(
    `webgpu: the GPU was lost, and what lay on it is gone (${cause.message.split("\n")[0]})`,
    "start again: training goes on from its last checkpoint (--resume latest); where it happens again, lower the batch or use the device cpu",
    { cause },
  );
