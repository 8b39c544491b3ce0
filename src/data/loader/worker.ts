/** The entry of a data thread: tasks in, rows out, their buffers moved, not copied. */
import { parentPort, workerData } from "node:worker_threads";
import { FlavaError } from "../../errors.ts";
import { tokenizerFromJson } from "../../text/index.ts";
import { createEncoder, type TaskResult } from "./encode.ts";
import type { ExecutorSetup } from "./executor.ts";
import type { WorkerFailure, WorkerReply, WorkerRequest } from "./worker-pool.ts";

const { builds, tokenizer } = workerData as ExecutorSetup;
const encode = createEncoder(builds, tokenizer && tokenizerFromJson(tokenizer));
let last: Promise<unknown> = Promise.resolve();

parentPort!.on("message", ({ id, task }: WorkerRequest) => {
  last = last.then(async () => {
    try {
      reply({ id, result: await encode(task) });
    } catch (error) {
      reply({ id, error: describe(error) });
    }
  });
});

function reply(message: WorkerReply): void {
  parentPort!.postMessage(message, "result" in message ? buffersOf(message.result) : []);
}

function buffersOf({ rows, pixels }: TaskResult): ArrayBuffer[] {
  const views = [...Object.values(rows), ...pixels.flatMap((picture) => picture?.data ?? [])];
  // A decoder may hand out views into a pool of its own, which must stay.
  const whole = views.filter((view) => view.byteLength === view.buffer.byteLength);
  return [...new Set(whole.map((view) => view.buffer as ArrayBuffer))];
}

function describe(error: unknown): WorkerFailure {
  if (!(error instanceof Error)) return { name: "Error", message: String(error), help: undefined, stack: undefined };
  const help = error instanceof FlavaError ? error.help : undefined;
  const message = help === undefined ? error.message : error.message.slice(0, error.message.indexOf("\n  help: "));
  return { name: error.name, message, help, stack: error.stack };
}
