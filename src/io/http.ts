/**
 * Byte ranges over HTTP. A transfer that drops is continued by a range request, a bounded number of times; every answer must be a part
 * of one and the same file, in the file's own bytes.
 */
import { FileError } from "../errors.ts";
import { type Bytes, checkRange } from "./bytes.ts";
import { again, attempts, Busy, type HttpOptions, messageOf, patience, RETRY_STATUS } from "./http-attempts.ts";
import { checkSame, type Identity, ifRange, isNamed } from "./http-identity.ts";

/** An attempt that brought this much is no failure: the count of retries starts again. */
const PROGRESS_BYTES = 1 << 18;
/** How much of what came last is compared where the server names no version of the file. */
const HELD_BYTES = 1024;

/** Opens a URL for reading by range. Throws FileError if it is missing, its length cannot be learnt, or it comes encoded. */
export async function openHttp(url: string, options: HttpOptions = {}): Promise<Bytes> {
  const { identity, byteLength } = await probe(url, options);
  const part = (start: number, end: number): AsyncGenerator<Uint8Array> =>
    transfer(url, start, end, { identity, byteLength, options });
  const slice = async (start: number, end = byteLength): Promise<ArrayBuffer> => {
    checkRange(url, start, end, byteLength);
    const out = new Uint8Array(end - start);
    let filled = 0;
    for await (const chunk of part(start, end)) {
      out.set(chunk, filled);
      filled += chunk.length;
    }
    return out.buffer;
  };
  const version = identity.etag ?? identity.lastModified;
  const stream = (start = 0): AsyncIterable<Uint8Array> => part(start, byteLength);
  return { name: url, byteLength, version, slice, stream, close: async () => {} };
}

/** A file on a server, and how to ask for it. */
interface Remote {
  readonly identity: Identity;
  readonly byteLength: number;
  readonly options: HttpOptions;
}

/** Asks for one byte: the answer says how long the file is. (A HEAD often says 0, or the length of a compressed answer.) */
const probe = (url: string, options: HttpOptions): Promise<Pick<Remote, "identity" | "byteLength">> =>
  attempts(url, options, async ({ signal }) => {
    const response = await request(url, { range: "bytes=0-0" }, signal, options);
    await response.body?.cancel();
    const byteLength = lengthOf(url, response);
    const identity: Identity = {};
    checkSame(url, response, identity);
    return { identity, byteLength };
  });

function lengthOf(url: string, response: Response): number {
  const total = totalOf(response);
  if (response.status === 416 && total === 0) return 0; // an empty file has no first byte
  checkAnswer(url, response);
  if (total !== undefined && Number.isSafeInteger(total) && total >= 0) return total;
  throw new FileError(`${url}: expected a Content-Length or a range answer, got neither`, "download it first");
}

/** Streams start..end−1, asking again for what is missing when the connection drops. */
async function* transfer(url: string, start: number, end: number, remote: Remote): AsyncGenerator<Uint8Array> {
  const { identity, options } = remote;
  let position = start;
  for (let attempt = 0; position < end; ) {
    const from = position;
    const wait = patience(url, options);
    try {
      const response = await ranged(url, position, end, remote, wait.signal);
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
        wait.got(chunk.length);
        const wanted = chunk.subarray(0, end - position);
        if (wanted.length < chunk.length && end === remote.byteLength)
          throw new FileError(`${url}: expected ${end} bytes, got more`, "download it first");
        position += wanted.length;
        if (!isNamed(identity)) hold(identity, position, wanted);
        wait.stop();
        if (wanted.length > 0) yield wanted;
        if (position === end && end < remote.byteLength) return;
        options.signal?.throwIfAborted(); // an abort while the last bytes were used would leave fetch waiting for ever
        wait.start();
      }
      if (position < end) throw new Error("the connection was closed early");
    } catch (error) {
      wait.stop();
      if (position === end && !(error instanceof FileError)) return; // all came; how the connection ends is no matter
      attempt = position - from >= PROGRESS_BYTES ? 0 : attempt;
      await again(url, error, attempt++, options, (cause) => {
        const lost = `got ${position - start} before the transfer failed ${attempt} times in a row`;
        const help = "the server drops connections; try again, or download the file and give its local path";
        throw new FileError(`${url}: expected ${end - start} bytes, ${lost}: ${messageOf(cause)}`, help, { cause });
      });
    } finally {
      wait.stop();
    }
  }
}

function hold(identity: Identity, position: number, chunk: Uint8Array): void {
  const bytes = chunk.slice(-HELD_BYTES);
  if (bytes.length > 0) identity.held = { start: position - bytes.length, bytes };
}

/** One GET of position..end−1 whose answer is the wanted range of the same file. */
async function ranged(
  url: string,
  position: number,
  end: number,
  { identity, byteLength, options }: Remote,
  signal: AbortSignal,
): Promise<Response> {
  const headers = { range: `bytes=${position}-${end - 1}`, ...(position > 0 && ifRange(identity)) };
  const response = await request(url, headers, signal, options);
  try {
    if (response.status !== 416) checkAnswer(url, response);
    checkSame(url, response, identity, { expected: byteLength, total: totalOf(response) });
    checkAnswer(url, response);
    if (response.status === 206 && contentRange(response)?.start !== position)
      throw new FileError(`${url}: expected the range from ${position}, got ${response.headers.get("content-range")}`);
    if (response.status !== 206 && position > 0)
      throw new FileError(
        `${url}: expected an answer to a range request, got the whole file`,
        "this server cannot resume; download the file and give its local path",
      );
    if (response.body === null) throw new Error("an answer without a body");
    if (response.status === 206 && !isNamed(identity)) await checkHeld(url, identity, signal, options);
    return response;
  } catch (error) {
    await response.body?.cancel();
    throw error;
  }
}

/** Where nothing names the file's version, what came before must still be there. */
async function checkHeld(url: string, { held }: Identity, signal: AbortSignal, options: HttpOptions): Promise<void> {
  if (held === undefined) return;
  const range = `bytes=${held.start}-${held.start + held.bytes.length - 1}`;
  const response = await request(url, { range }, signal, options);
  checkAnswer(url, response);
  if (response.status !== 206) return void (await response.body?.cancel());
  const now = new Uint8Array(await response.arrayBuffer());
  if (now.length !== held.bytes.length || now.some((byte, i) => byte !== held.bytes[i]))
    throw new FileError(`${url}: the file changed on the server while it was read`);
}

const request = (
  url: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
  options: HttpOptions,
): Promise<Response> =>
  fetch(url, { headers: { "accept-encoding": "identity", ...options.headers, ...headers }, signal });

/** Refuses what is no answer, and bytes that are not the file's own: they are decoded on arrival, so that no length counts. */
function checkAnswer(url: string, response: Response): void {
  const { ok, status, statusText, headers } = response;
  if (!ok) {
    const message = `${url}: expected status 200 or 206, got ${status} ${statusText}`;
    if (RETRY_STATUS.has(status)) throw new Busy(message, response);
    throw new FileError(message);
  }
  const encoding = headers.get("content-encoding") ?? "identity";
  if (!/^(identity)?$/i.test(encoding))
    throw new FileError(
      `${url}: expected the bytes of the file, got them encoded (${encoding}), although identity was asked for`,
      "turn compression off on the server for this file, or download it and give its local path",
    );
}

/** The length of the whole file, from a response. */
function totalOf(response: Response): number | undefined {
  if (response.status !== 200) return contentRange(response)?.total;
  const length = response.headers.get("content-length");
  return length === null ? undefined : Number(length);
}

function contentRange(response: Response): { start: number; total: number | undefined } | undefined {
  const match = /^bytes (?:(\d+)-\d+|\*)\/(\d+|\*)$/.exec(response.headers.get("content-range") ?? "");
  return match
    ? { start: Number(match[1] ?? Number.NaN), total: match[2] === "*" ? undefined : Number(match[2]) }
    : undefined;
}
