/** Makes batches in worker threads. Which thread does a task changes nothing in its result. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { DataError, EngineError } from "../../errors.ts";
import type { Task, TaskResult } from "./encode.ts";
import type { Executor, ExecutorSetup } from "./executor.ts";

export interface WorkerRequest {
  readonly id: number;
  readonly task: Task;
}

/** An error as it crosses threads. */
export interface WorkerFailure {
  readonly name: string;
  readonly message: string;
  readonly help: string | undefined;
  readonly stack: string | undefined;
}

export type WorkerReply =
  | { readonly id: number; readonly result: TaskResult }
  | { readonly id: number; readonly error: WorkerFailure };

interface Pending {
  resolve(result: TaskResult): void;
  reject(error: unknown): void;
}

interface Thread {
  readonly worker: Worker;
  readonly pending: Map<number, Pending>;
}

/** A second task waits in each thread while the first is done. */
const TASKS_A_THREAD = 2;

/** Starts `count` threads. They end with `close`, at an abort, or when one of them fails. */
export async function workerExecutor(setup: ExecutorSetup, count: number, signal?: AbortSignal): Promise<Executor> {
  signal?.throwIfAborted();
  await import("sharp"); // libvips must not be unloaded with the last thread that uses it
  return new WorkerPool(setup, count, signal);
}

class WorkerPool implements Executor {
  readonly size: number;
  readonly #threads: Thread[];
  readonly #waiting: { readonly task: Task; readonly pending: Pending }[] = [];
  readonly #signal: AbortSignal | undefined;
  readonly #abort = (): void => this.#fail(this.#signal!.reason);
  #nextId = 0;
  #failure: { readonly error: unknown } | undefined;

  constructor(setup: ExecutorSetup, count: number, signal: AbortSignal | undefined) {
    this.size = count;
    this.#signal = signal;
    this.#threads = Array.from({ length: count }, () => this.#start(setup));
    signal?.addEventListener("abort", this.#abort, { once: true });
  }

  run(task: Task): Promise<TaskResult> {
    return new Promise((resolve, reject) => {
      if (this.#failure) return reject(this.#failure.error);
      this.#waiting.push({ task, pending: { resolve, reject } });
      this.#dispatch();
    });
  }

  async close(): Promise<void> {
    this.#signal?.removeEventListener("abort", this.#abort);
    this.#fail(new DataError("the data loader was closed"));
    await Promise.all(this.#threads.map(({ worker }) => end(worker)));
  }

  #start(setup: ExecutorSetup): Thread {
    const worker = new Worker(workerFile(), { workerData: setup, execArgv: [] });
    const thread: Thread = { worker, pending: new Map() };
    worker.unref(); // an idle pool does not keep the process alive
    worker.on("message", (reply: WorkerReply) => this.#settle(thread, reply));
    worker.on("error", (cause) =>
      this.#fail(new EngineError(`a data thread failed: ${cause.message}`, undefined, { cause })),
    );
    worker.on("exit", (code) =>
      this.#fail(new EngineError(`a data thread ended with code ${code}`, "is there enough memory?")),
    );
    return thread;
  }

  #dispatch(): void {
    while (this.#waiting.length > 0) {
      const thread = this.#threads.reduce((a, b) => (b.pending.size < a.pending.size ? b : a));
      if (thread.pending.size >= TASKS_A_THREAD) return;
      const { task, pending } = this.#waiting.shift()!;
      const id = this.#nextId++;
      thread.pending.set(id, pending);
      thread.worker.ref();
      thread.worker.postMessage({ id, task: { ...task, items: task.items.map(compact) } } satisfies WorkerRequest);
    }
  }

  #settle(thread: Thread, reply: WorkerReply): void {
    const pending = thread.pending.get(reply.id);
    thread.pending.delete(reply.id);
    if (thread.pending.size === 0) thread.worker.unref();
    if (pending === undefined) return;
    if ("result" in reply) pending.resolve(reply.result);
    else pending.reject(revive(reply.error));
    this.#dispatch();
  }

  /** Ends everything with the first failure. */
  #fail(error: unknown): void {
    if (this.#failure) return;
    this.#failure = { error };
    for (const { pending } of this.#waiting.splice(0)) pending.reject(error);
    for (const { worker, pending } of this.#threads ?? []) {
      for (const { reject } of pending.values()) reject(error);
      pending.clear();
      void end(worker);
    }
  }
}

/** Ends a thread. It keeps the process alive until it has ended: whoever waits for that would else not wait to the end. */
function end(worker: Worker): Promise<number> {
  worker.ref();
  return worker.terminate();
}

/** Cloning a view would clone all of the buffer behind it. */
function compact(item: Task["items"][number]): Task["items"][number] {
  const { image } = item;
  return image !== undefined && image.byteLength < image.buffer.byteLength ? { ...item, image: image.slice() } : item;
}

function revive({ name, message, help, stack }: WorkerFailure): Error {
  const error =
    name === "DataError" ? new DataError(message, help) : new EngineError(`a data thread failed: ${message}`, help);
  if (stack !== undefined) error.stack = stack;
  return error;
}

/** The compiled worker: beside this file, or under dist/ where the sources run uncompiled. */
function workerFile(): URL {
  const here = import.meta.url;
  if (!here.endsWith(".ts")) return new URL("./worker.js", here);
  const compiled = new URL(here.replace(/\/src\/(?!.*\/src\/)(.*)\/[^/]*$/, "/dist/$1/worker.js"));
  if (existsSync(fileURLToPath(compiled))) return compiled;
  throw new EngineError(
    `${fileURLToPath(compiled)}: expected the compiled data worker, found none`,
    "npm run build, or use 0 workers",
  );
}
