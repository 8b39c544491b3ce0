/** Where batches are made: in this thread, or in worker threads (worker-pool.ts). */
import { DataError, settled } from "../../errors.ts";
import { type TokenizerJson, tokenizerFromJson } from "../../text/index.ts";
import type { BatchBuild } from "../batch/index.ts";
import { createEncoder, type Task, type TaskResult } from "./encode.ts";

export interface Executor {
  /** Tasks that it works on at the same time. */
  readonly size: number;
  run(task: Task): Promise<TaskResult>;
  close(): Promise<void>;
}

/** What an executor knows before it works: plain data, for worker threads. */
export interface ExecutorSetup {
  readonly builds: Readonly<Record<string, BatchBuild>>;
  readonly tokenizer: TokenizerJson | undefined;
}

/** Does the tasks in this thread, one after another. */
export function inlineExecutor({ builds, tokenizer }: ExecutorSetup, signal?: AbortSignal): Executor {
  const encode = createEncoder(builds, tokenizer && tokenizerFromJson(tokenizer));
  const closed = new AbortController();
  const stop = signal ? AbortSignal.any([signal, closed.signal]) : closed.signal;
  let last: Promise<unknown> = Promise.resolve();
  const run = (task: Task): Promise<TaskResult> => {
    const result = last.then(() => {
      stop.throwIfAborted();
      return encode(task, stop);
    });
    last = settled(result);
    return result;
  };
  const close = async (): Promise<void> => {
    closed.abort(new DataError("the data loader was closed"));
    await last;
  };
  return { size: 1, run, close };
}
