/** How long an HTTP connection may take, how often it is tried again, and what is said meanwhile. */
import { FileError } from "../errors.ts";

/** How patient reading over HTTP is. */
export interface HttpOptions {
  /** Attempts after a failure that brought little. Default 5. */
  readonly retries?: number | undefined;
  /** Pause before the first new attempt; doubles up to 32 times. Default 250. */
  readonly retryDelayMs?: number | undefined;
  /** A connection that brings less than 1 KiB/s for this long counts as dropped. Default 30,000. */
  readonly timeoutMs?: number | undefined;
  /** After this long without enough bytes it is said that they are waited for. Default 5000. */
  readonly quietMs?: number | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called with a line for people when waiting takes long, and at each new attempt. */
  readonly note?: ((line: string) => void) | undefined;
}

const BYTES_PER_SECOND = 1024;

/** How long one attempt may wait for its server. */
export interface Patience {
  /** Fires when the connection counts as dropped, or the caller has given up. */
  readonly signal: AbortSignal;
  got(bytes: number): void;
  /** Time counts only while the server is waited for, not while the reader works. */
  start(): void;
  stop(): void;
}

/** The patience with one attempt. It runs already; stop it at the end. */
export function patience(url: string, { timeoutMs = 30_000, quietMs = 5000, note, signal }: HttpOptions): Patience {
  const late = new AbortController();
  let [bytes, waited, begun] = [0, 0, 0];
  let timers: NodeJS.Timeout[] = [];
  const found = (ms: number): string => `${bytes === 0 ? "no data" : `${bytes} bytes`} for ${seconds(ms)}`;
  const start = (): void => {
    begun = performance.now();
    timers = [setTimeout(() => late.abort(new Error(found(timeoutMs))), timeoutMs - waited)];
    if (note && waited < quietMs && quietMs < timeoutMs)
      timers.push(setTimeout(() => note(`${url}: waiting for the server, ${found(quietMs)}`), quietMs - waited));
  };
  const stop = (): void => {
    if (timers.length > 0) waited += performance.now() - begun;
    for (const timer of timers) clearTimeout(timer);
    timers = [];
  };
  const got = (count: number): void => {
    bytes += count;
    if (bytes < (BYTES_PER_SECOND * timeoutMs) / 1000) return;
    const running = timers.length > 0;
    stop();
    [bytes, waited] = [0, 0];
    if (running) start();
  };
  start();
  return { signal: signal ? AbortSignal.any([signal, late.signal]) : late.signal, got, start, stop };
}

const seconds = (ms: number): string => (ms < 1000 ? `${ms} ms` : `${Math.round(ms / 1000)} s`);

/** Statuses after which the same request may succeed. */
export const RETRY_STATUS: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);
/** No server is waited for longer, whatever it asks for. */
const MAX_RETRY_AFTER_MS = 300_000;

/** A server that cannot answer now. It may say how long to leave it alone (RFC 9110, §10.2.3). */
export class Busy extends Error {
  override readonly name = "Busy";
  readonly afterMs: number;
  constructor(message: string, { headers }: Response) {
    super(message);
    const said = headers.get("retry-after") ?? "";
    const ms = /^\d+$/.test(said) ? Number(said) * 1000 : Date.parse(said) - Date.now();
    this.afterMs = Number.isFinite(ms) ? Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS) : 0;
  }
}

/** Runs `work` until it succeeds, a bounded number of times. Throws FileError when none succeeds. */
export async function attempts<T>(url: string, options: HttpOptions, work: (wait: Patience) => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    const wait = patience(url, options);
    try {
      return await work(wait);
    } catch (error) {
      wait.stop();
      await again(url, error, attempt, options, (cause) => {
        throw new FileError(`${url}: no answer after ${attempt + 1} attempts: ${messageOf(cause)}`, undefined, {
          cause,
        });
      });
    } finally {
      wait.stop();
    }
  }
}

/** Waits before another attempt; calls `giveUp` where none is left. Aborts and FileErrors pass through. */
export async function again(
  url: string,
  error: unknown,
  attempt: number,
  options: HttpOptions,
  giveUp: (e: unknown) => never,
): Promise<void> {
  const { signal, note, retries = 5, retryDelayMs = 250 } = options;
  signal?.throwIfAborted();
  if (error instanceof FileError) throw error;
  if (attempt >= retries) giveUp(error);
  const asked = error instanceof Busy ? error.afterMs : 0;
  const when = asked >= 1000 ? ` in ${seconds(asked)}` : "";
  note?.(`${url}: ${messageOf(error)}; attempt ${attempt + 2} of ${retries + 1}${when}`);
  await pause(Math.max(asked, retryDelayMs * 2 ** Math.min(attempt, 5)), signal);
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}

/** The message of an error, with that of its cause: fetch says only there what went wrong. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
}
