import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, it } from "vitest";
import { collect, keysOf, shardFiles, tarOf } from "../../test/support/data-fixtures.ts";
import { openSource } from "../data/sources/open.ts";
import { FileError } from "../errors.ts";
import { openBytes, readBytes } from "./index.ts";

const body = Uint8Array.from({ length: 200_000 }, (_, i) => (i * 7 + (i >> 8)) & 255);
const quick = { retries: 3, retryDelayMs: 1 };
const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

interface Site {
  readonly url: string;
  readonly ranges: (string | undefined)[];
}

interface Serving {
  /** After how many bytes the connection drops for the n-th GET; never unless said. */
  cut?: (n: number) => number;
  ranges?: boolean;
  status?: number;
  /** More headers of the n-th GET. */
  headers?: (n: number) => Record<string, string>;
  /** Compresses, although identity is asked for: answers to HEAD and to plain GETs, or to all. */
  gzip?: "whole" | "all";
}

/** Serves `content` (of the n-th GET; the question for the length is not counted). A HEAD says 0, as some servers do. */
async function serve(content: Uint8Array | ((n: number) => Uint8Array), serving: Serving = {}): Promise<Site> {
  const { cut = () => Number.POSITIVE_INFINITY, gzip } = serving;
  const headers: (n: number) => Record<string, string> = serving.headers ?? (() => ({}));
  const ranges: (string | undefined)[] = [];
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    if (serving.status) return void response.writeHead(serving.status).end();
    if (request.method === "HEAD") return void response.writeHead(200, { "content-length": 0 }).end();
    const n = ranges.length;
    const asked = request.headers.range;
    const body = typeof content === "function" ? content(n) : content;
    const more = headers(n);
    const condition = request.headers["if-range"];
    const stale = condition !== undefined && condition !== more.etag && condition !== more["last-modified"];
    const range = serving.ranges === false || stale ? undefined : /bytes=(\d+)-(\d+)/.exec(asked ?? "");
    const isProbe = asked === "bytes=0-0";
    const limit = isProbe ? Number.POSITIVE_INFINITY : cut(n);
    if (!isProbe) ranges.push(asked);
    const [start, end] = range ? [Number(range[1]), Math.min(Number(range[2]) + 1, body.length)] : [0, body.length];
    if (range && start >= body.length)
      return void response.writeHead(416, { "content-range": `bytes */${body.length}` }).end();
    const encoded = gzip === "all" || (gzip === "whole" && !range) ? gzipSync(body.subarray(start, end)) : undefined;
    const full = encoded ?? body.subarray(start, end);
    response.writeHead(range ? 206 : 200, {
      "content-length": full.length,
      ...(range && { "content-range": `bytes ${start}-${end - 1}/${body.length}` }),
      ...(encoded && { "content-encoding": "gzip" }),
      ...more,
    });
    const sent = full.subarray(0, limit);
    if (sent.length === full.length) response.end(sent);
    else response.write(sent, () => setTimeout(() => response.destroy(), 5));
  };
  return { url: await listen(answer), ranges };
}

async function listen(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/data.tar`;
}

/** (toEqual takes a second for so many bytes.) */
const expectBody = async (read: Promise<Uint8Array>): Promise<void> => expect(Buffer.compare(await read, body)).toBe(0);

const failureOf = async (promise: Promise<unknown>): Promise<FileError> => {
  const error: unknown = await promise.catch((e) => e);
  expect(error).toBeInstanceOf(FileError);
  return error as FileError;
};

describe("openHttp", () => {
  it("reads ranges and the whole", async () => {
    const { url } = await serve(body);
    const file = await openBytes(url, quick);
    expect(file.byteLength).toBe(body.length);
    expect(new Uint8Array(await file.slice(1000, 1010))).toEqual(body.slice(1000, 1010));
    await expectBody(readBytes(url, 1 << 20, quick));
    await expect(file.slice(0, body.length + 1)).rejects.toThrow(FileError);
  });

  it("reads the whole, and a beginning, where the server knows no ranges", async () => {
    const { url } = await serve(body, { ranges: false });
    const file = await openBytes(url, quick);
    expect(new Uint8Array(await file.slice(0, 10))).toEqual(body.slice(0, 10));
    await expectBody(readBytes(url, 1 << 20, quick));
  });

  it("reads an empty file as empty", async () => {
    const { url } = await serve(new Uint8Array(0));
    expect(await readBytes(url, 10, quick)).toEqual(new Uint8Array(0));
  });

  it("goes on by a range request where the connection dropped, and says so", async () => {
    const { url, ranges } = await serve(body, { cut: (n) => (n < 2 ? 70_000 : 1e9) });
    const notes: string[] = [];
    await expectBody(readBytes(url, 1 << 20, { ...quick, note: (line) => notes.push(line) }));
    expect(ranges[0]).toBe("bytes=0-199999");
    expect(ranges).toContain("bytes=70000-199999");
    expect(ranges).toContain("bytes=140000-199999");
    expect(notes).toHaveLength(2);
    expect(notes[0]).toMatch(/data\.tar: .*; attempt 2 of 4$/);
  });

  it("gives up with a clear error when the transfer never completes", async () => {
    const { url, ranges } = await serve(body, { cut: () => 1000, headers: () => ({ etag: '"a"' }) });
    const error = await failureOf(readBytes(url, 1 << 20, quick));
    expect(error.message).toMatch(/expected 200000 bytes, got 4000 before the transfer failed 4 times in a row/);
    expect(error.help).toMatch(/download/);
    expect(ranges).toHaveLength(4);
  });

  it("asks by range where plain answers are encoded although identity was asked for", async () => {
    const { url } = await serve(body, { gzip: "whole" });
    await expectBody(readBytes(url, 1 << 20, quick));
  });

  it("refuses bytes that are encoded all the same: no length counts then", async () => {
    for (const serving of [{ gzip: "all" }, { gzip: "whole", ranges: false }] as const) {
      const { url } = await serve(body, serving);
      expect((await failureOf(readBytes(url, 1 << 20, quick))).message).toMatch(/got them encoded \(gzip\)/);
    }
  });

  it("refuses a body of another length than was said, longer or shorter, without ranges or Content-Length", async () => {
    const lengths = [10, 20, 5];
    const url = await listen((_request, response) => {
      const length = lengths.shift() ?? 5;
      response.writeHead(200, lengths.length === 2 ? { "content-length": length } : {});
      for (let i = 0; i < length; i++) response.write("x");
      response.end();
    });
    const file = await openBytes(url, { retries: 0 });
    expect((await failureOf(file.slice(0))).message).toMatch(/expected 10 bytes, got more/);
    expect((await failureOf(file.slice(0))).message).toMatch(/expected 10 bytes, got 5 before/);
  });

  it("refuses at once what cannot get better: 404, no ranges, no length, too many bytes", async () => {
    const missing = await serve(body, { status: 404 });
    await expect(openBytes(missing.url, quick)).rejects.toThrow(/got 404/);
    const plain = await serve(body, { cut: () => 70_000, ranges: false });
    await expect(readBytes(plain.url, 1 << 20, quick)).rejects.toThrow(/cannot resume/);
    const chunked = await listen((_request, response) => response.write("x", () => response.end()));
    await expect(openBytes(chunked, quick)).rejects.toThrow(/expected a Content-Length or a range answer/);
    await expect(readBytes((await serve(body)).url, 1000, quick)).rejects.toThrow(/at most 1000 bytes, got 200000/);
  });

  const other = body.map((byte) => byte ^ 1);
  it.each<[name: string, Serving["headers"]]>([
    ["ETag", (n) => ({ etag: n === 0 ? '"a"' : '"b"' })],
    ["a weak ETag", (n) => ({ etag: n === 0 ? 'W/"a"' : 'W/"b"' })],
    ["Last-Modified", (n) => ({ "last-modified": `Sat, 28 Nov 2026 19:0${Math.min(n, 1)}:00 GMT` })],
    ["neither", undefined],
  ])("refuses a file that is replaced while it is read, served with %s", async (_name, headers) => {
    const serving = { cut: (n: number) => (n === 0 ? 70_000 : 1e9), ...(headers && { headers }) };
    const dropped = await serve((n) => (n === 0 ? body : other), serving);
    expect((await failureOf(readBytes(dropped.url, 1 << 20, quick))).message).toMatch(/changed on the server/);
    const replaced = await serve((n) => (n === 0 ? body : other), headers ? { headers } : {});
    const file = await openBytes(replaced.url, quick);
    await file.slice(100, 200);
    expect((await failureOf(file.slice(300, 400))).message).toMatch(/changed on the server/);
  });

  it("refuses a file that became shorter or longer", async () => {
    for (const length of [50_000, 250_000]) {
      const { url } = await serve((n) => (n === 0 ? body : new Uint8Array(length)), { cut: (n) => (n ? 1e9 : 70_000) });
      expect((await failureOf(readBytes(url, 1 << 20, quick))).message).toMatch(
        new RegExp(`changed on the server.*200000 bytes, now ${length}`),
      );
    }
  });

  it("tries again where the server is busy, a bounded number of times", async () => {
    const { url } = await serve(body, { status: 503 });
    await expect(openBytes(url, quick)).rejects.toThrow(/no answer after 4 attempts.*503/);
  });

  it("counts a silent connection as dropped, and says what is waited for", async () => {
    const url = await listen((request, response) => {
      const headers = { "content-length": 1, "content-range": "bytes 0-0/10" };
      if (request.headers.range === "bytes=0-0") response.writeHead(206, headers).end("x");
      else response.writeHead(200, { "content-length": 10 }).flushHeaders();
    });
    const notes: string[] = [];
    const options = {
      retries: 1,
      retryDelayMs: 1,
      timeoutMs: 30,
      quietMs: 10,
      note: (line: string) => notes.push(line),
    };
    expect((await failureOf(readBytes(url, 100, options))).message).toMatch(/no data for 30 ms/);
    expect(notes.map((line) => line.slice(url.length))).toEqual([
      ": waiting for the server, no data for 10 ms",
      ": no data for 30 ms; attempt 2 of 2",
      ": waiting for the server, no data for 10 ms",
    ]);
  });

  it("does not wait for ever for a connection that drips", async () => {
    const url = await listen((request, response) => {
      const whole = 1 << 20;
      const start = Number(/bytes=(\d+)/.exec(request.headers.range ?? "")?.[1] ?? 0);
      if (request.headers.range === "bytes=0-0")
        return void response.writeHead(206, { "content-range": `bytes 0-0/${whole}`, "content-length": 1 }).end("x");
      response.writeHead(206, { "content-range": `bytes ${start}-${whole - 1}/${whole}`, etag: '"a"' });
      const drip = setInterval(() => response.write("x"), 10);
      response.on("close", () => clearInterval(drip));
    });
    const error = await failureOf(readBytes(url, 1 << 30, { retries: 1, retryDelayMs: 1, timeoutMs: 150 }));
    expect(error.message).toMatch(/failed 2 times in a row: \d+ bytes for 150 ms/);
  });

  it("stops at an abort, with the caller's reason", async () => {
    const { url } = await serve(body, { cut: () => 1000 });
    const abort = new AbortController();
    const reading = readBytes(url, 1 << 20, { retries: 1000, retryDelayMs: 20, signal: abort.signal });
    setTimeout(() => abort.abort(new Error("enough")), 30);
    await expect(reading).rejects.toThrow("enough");
  });

  it("carries a tar source over a dropping connection, and says so to who opened it", async () => {
    const archive = await tarOf(shardFiles(0, 40));
    const headers = () => ({ etag: '"a"' });
    const { url, ranges } = await serve(archive, { cut: (n) => (n === 0 ? 9_000 : 1e9), headers });
    const notes: string[] = [];
    const source = await openSource(`tar:${url}`, { note: (line) => notes.push(line) });
    const all = await collect(source, { signal: new AbortController().signal });
    expect(ranges).toHaveLength(2);
    expect(notes).toEqual([expect.stringMatching(/data\.tar: .*; attempt 2 of 6$/)]);
    expect(keysOf(all)).toEqual(Array.from({ length: 40 }, (_, i) => `data.tar/${i}`));
  });
});
