/** What the page asks of its worker, where the model lives: calls by name, answers as plain data. */
import type { Calls } from "./worker.ts";

/** From the page. */
export interface Request {
  readonly id: number;
  readonly name: keyof Calls;
  readonly args: readonly unknown[];
}

/** To the page. */
export type Reply =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: string }
  | { readonly progress: string }
  | { readonly warning: string };

const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
let last = 0;

worker.onmessage = ({ data }: MessageEvent<Reply>) => {
  if ("progress" in data) return told.progress(data.progress);
  if ("warning" in data) return told.warning(data.warning);
  const call = waiting.get(data.id);
  waiting.delete(data.id);
  if ("error" in data) call?.reject(new Error(data.error));
  else call?.resolve(data.value);
};
worker.onerror = ({ message }) => {
  for (const { reject } of waiting.values()) reject(new Error(message || "the worker has ended; load the page again"));
  waiting.clear();
};

/** Who is told what the worker is doing, and what is not as it should be, in words. */
export const told = { progress: (_: string): void => undefined, warning: (_: string): void => undefined };

/** Asks the worker. Rejects with an error whose message is for people. */
export function call<K extends keyof Calls>(
  name: K,
  ...args: Parameters<Calls[K]>
): Promise<Awaited<ReturnType<Calls[K]>>> {
  const id = ++last;
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
    worker.postMessage({ id, name, args } satisfies Request);
  });
}
