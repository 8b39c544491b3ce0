/** Byte ranges over HTTP: a transfer that drops goes on by a range request, a bounded number of times. */
import { FileError } from "../errors.ts";
import { type Bytes, checkRange } from "./bytes.ts";

export interface HttpOptions {
  /** Attempts after a failure that brought less than `PROGRESS_BYTES`. */
  readonly retries?: number | undefined;
  /** Pause before the first new attempt; doubles up to 32 times. */
  readonly retryDelayMs?: number | undefined;
  /** A connection that is silent for this long counts as dropped. */
  readonly timeoutMs?: number | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What must not change between the parts of one file. */
interface Identity {
  byteLength: number | undefined;
  etag: string | null;
}

/** An attempt that brought this much is no failure: the count of retries starts again. */
const PROGRESS_BYTES = 1 << 18;
const RETRY_STATUS: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

/** Opens a URL for reading by range. Throws FileError if it is missing or its length cannot be learnt. */
export async function openHttp(url: string, options: HttpOptions = {}): Promise<Bytes> {
  const identity: Identity = { byteLength: undefined, etag: null };
  await probe(url, identity, options);
  const byteLength = identity.byteLength;
  if (byteLength === undefined)
    throw new FileError(`${url}: expected a Content-Length or a range answer, got neither`, "download it first");

  const slice = async (start: number, end = byteLength): Promise<ArrayBuffer> => {
    checkRange(url, start, end, byteLength);
    const out = new Uint8Array(end - start);
    let filled = 0;
    for await (const chunk of transfer(url, start, end, identity, options)) {
      out.set(chunk, filled);
      filled += chunk.length;
    }
    return out.buffer;
  };
  const stream = (start = 0): AsyncIterable<Uint8Array> => transfer(url, start, byteLength, identity, options);
  return { name: url, byteLength, slice, stream, close: async () => {} };
}

/** Learns length and etag: from HEAD, or from the answer to a one-byte range where HEAD is refused. */
async function probe(url: string, identity: Identity, options: HttpOptions): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    const timer = idleTimer(options);
    try {
      const head = await request(url, { method: "HEAD" }, timer.signal, options);
      const length = head.headers.get("content-length");
      if (head.ok && length !== null) return remember(url, head, Number(length), identity);
      const one = await request(url, { headers: { range: "bytes=0-0" } }, timer.signal, options);
      await one.body?.cancel();
      checkStatus(url, one);
      const total =
        one.status === 206 ? parseRange(one)?.total : Number(one.headers.get("content-length") ?? Number.NaN);
      return remember(url, one, total ?? Number.NaN, identity);
    } catch (error) {
      await again(error, attempt, options, (cause) => {
        throw new FileError(`${url}: no answer after ${attempt + 1} attempts: ${messageOf(cause)}`, undefined, {
          cause,
        });
      });
    } finally {
      timer.stop();
    }
  }
}

function remember(url: string, response: Response, length: number, identity: Identity): void {
  if (!Number.isSafeInteger(length) || length < 0) return;
  checkIdentity(url, response, length, identity);
  identity.byteLength = length;
  identity.etag = response.headers.get("etag");
}

/** Streams start..end−1, asking again for what is missing when the connection drops. */
async function* transfer(
  url: string,
  start: number,
  end: number,
  identity: Identity,
  options: HttpOptions,
): AsyncGenerator<Uint8Array> {
  let position = start;
  for (let attempt = 0; position < end; ) {
    const from = position;
    const timer = idleTimer(options);
    try {
      const response = await ranged(url, position, end, identity, timer.signal, options);
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
        const wanted = chunk.subarray(0, end - position);
        position += wanted.length;
        timer.stop();
        if (wanted.length > 0) yield wanted;
        if (position === end) return;
        timer.start();
      }
      throw new Error("the connection was closed early");
    } catch (error) {
      attempt = position - from >= PROGRESS_BYTES ? 0 : attempt;
      await again(error, attempt++, options, (cause) => {
        const lost = `got ${position - start} before the transfer failed ${attempt} times in a row`;
        const help = "the server drops connections; try again, or download the file and give its local path";
        throw new FileError(`${url}: expected ${end - start} bytes, ${lost}: ${messageOf(cause)}`, help, { cause });
      });
    } finally {
      timer.stop();
    }
  }
}

/** One GET of position..end−1 whose answer is the wanted range of the same file. */
async function ranged(
  url: string,
  position: number,
  end: number,
  identity: Identity,
  signal: AbortSignal,
  options: HttpOptions,
): Promise<Response> {
  const whole = position === 0 && end === identity.byteLength;
  const headers: Record<string, string> = whole ? {} : { range: `bytes=${position}-${end - 1}` };
  const response = await request(url, { headers }, signal, options);
  try {
    checkStatus(url, response);
    if (response.status === 206) {
      const range = parseRange(response);
      if (range?.start !== position)
        throw new FileError(
          `${url}: expected the range from ${position}, got ${response.headers.get("content-range")}`,
        );
      checkIdentity(url, response, range.total, identity);
    } else if (position > 0) {
      throw new FileError(
        `${url}: expected an answer to a range request, got the whole file`,
        "this server cannot resume; download the file and give its local path",
      );
    }
    if (response.body === null) throw new Error("an answer without a body");
    return response;
  } catch (error) {
    await response.body?.cancel();
    throw error;
  }
}

function request(url: string, init: RequestInit, signal: AbortSignal, options: HttpOptions): Promise<Response> {
  const headers = { "accept-encoding": "identity", ...options.headers, ...(init.headers as Record<string, string>) };
  return fetch(url, { ...init, headers, signal });
}

function checkStatus(url: string, response: Response): void {
  if (response.ok) return;
  const message = `${url}: expected status 200 or 206, got ${response.status} ${response.statusText}`;
  if (RETRY_STATUS.has(response.status)) throw new Error(message);
  throw new FileError(message);
}

function checkIdentity(url: string, response: Response, total: number | undefined, identity: Identity): void {
  const etag = response.headers.get("etag");
  const changed =
    (identity.byteLength !== undefined && total !== undefined && total !== identity.byteLength) ||
    (identity.etag !== null && etag !== null && etag !== identity.etag);
  if (changed) throw new FileError(`${url}: the file changed on the server while it was read`);
}

function parseRange(response: Response): { start: number; total: number | undefined } | undefined {
  const match = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get("content-range") ?? "");
  return match ? { start: Number(match[1]), total: match[2] === "*" ? undefined : Number(match[2]) } : undefined;
}

/** Waits before another attempt; calls `giveUp` where none is left. Aborts and FileErrors pass through. */
async function again(
  error: unknown,
  attempt: number,
  options: HttpOptions,
  giveUp: (e: unknown) => never,
): Promise<void> {
  options.signal?.throwIfAborted();
  if (error instanceof FileError) throw error;
  if (attempt >= (options.retries ?? 5)) giveUp(error);
  const pause = (options.retryDelayMs ?? 250) * 2 ** Math.min(attempt, 5);
  await new Promise<void>((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(options.signal?.reason);
    };
    const timer = setTimeout(() => {
      options.signal?.removeEventListener("abort", stop);
      resolve();
    }, pause);
    options.signal?.addEventListener("abort", stop, { once: true });
  });
}

/** Aborts a request that has been silent for too long, or whose caller has given up. Stopped while the reader works. */
function idleTimer(options: HttpOptions): { signal: AbortSignal; start(): void; stop(): void } {
  const silent = new AbortController();
  const limit = options.timeoutMs ?? 30_000;
  let timer: NodeJS.Timeout | undefined;
  const start = (): void => {
    timer = setTimeout(() => silent.abort(new Error(`no data for ${limit} ms`)), limit);
  };
  start();
  const signal = options.signal ? AbortSignal.any([options.signal, silent.signal]) : silent.signal;
  return { signal, start, stop: () => clearTimeout(timer) };
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
}
