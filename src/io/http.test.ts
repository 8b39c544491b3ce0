import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
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

/** Serves `content`; `cut` says after how many bytes the connection drops for the n-th GET. */
async function serve(
  content: Uint8Array,
  cut: (n: number) => number,
  options: { ranges?: boolean; head?: boolean; status?: number; etag?: (n: number) => string } = {},
): Promise<Site> {
  const ranges: (string | undefined)[] = [];
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    if (options.status) return void response.writeHead(options.status).end();
    const etag = options.etag?.(ranges.length);
    if (request.method === "HEAD") {
      if (options.head === false) return void response.writeHead(405).end();
      return void response.writeHead(200, { "content-length": content.length, ...(etag && { etag }) }).end();
    }
    const range = options.ranges === false ? undefined : /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? "");
    const limit = cut(ranges.length);
    ranges.push(request.headers.range);
    const [start, end] = range ? [Number(range[1]), Number(range[2]) + 1] : [0, content.length];
    response.writeHead(range ? 206 : 200, {
      "content-length": end - start,
      ...(range && { "content-range": `bytes ${start}-${end - 1}/${content.length}` }),
      ...(etag && { etag }),
    });
    const sent = content.subarray(start, Math.min(end, start + limit));
    if (sent.length === end - start) response.end(sent);
    else response.write(sent, () => setTimeout(() => response.destroy(), 5));
  };
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/data.tar`, ranges };
}

describe("openHttp", () => {
  it("reads ranges and the whole", async () => {
    const { url } = await serve(body, () => Number.POSITIVE_INFINITY);
    const file = await openBytes(url, quick);
    expect(file.byteLength).toBe(body.length);
    expect(new Uint8Array(await file.slice(1000, 1010))).toEqual(body.slice(1000, 1010));
    expect(await readBytes(url, 1 << 20, quick)).toEqual(body);
    await expect(file.slice(0, body.length + 1)).rejects.toThrow(FileError);
  });

  it("goes on by a range request where the connection dropped", async () => {
    const { url, ranges } = await serve(body, (n) => (n < 2 ? 70_000 : Number.POSITIVE_INFINITY));
    expect(await readBytes(url, 1 << 20, quick)).toEqual(body);
    expect(ranges).toEqual([undefined, "bytes=70000-199999", "bytes=140000-199999"]);
  });

  it("gives up with a clear error when the transfer never completes", async () => {
    const { url, ranges } = await serve(body, () => 1000);
    const error = await readBytes(url, 1 << 20, quick).catch((e) => e);
    expect(error).toBeInstanceOf(FileError);
    expect(error.message).toMatch(/expected 200000 bytes, got 4000 before the transfer failed 4 times in a row/);
    expect(error.help).toMatch(/download/);
    expect(ranges).toHaveLength(4);
  });

  it("learns the length from a range where HEAD is refused", async () => {
    const { url } = await serve(body, () => Number.POSITIVE_INFINITY, { head: false });
    expect((await openBytes(url, quick)).byteLength).toBe(body.length);
  });

  it("refuses at once what cannot get better: 404, no ranges, a changed file, too many bytes", async () => {
    const missing = await serve(body, () => 0, { status: 404 });
    await expect(openBytes(missing.url, quick)).rejects.toThrow(/got 404/);
    const plain = await serve(body, () => 70_000, { ranges: false });
    await expect(readBytes(plain.url, 1 << 20, quick)).rejects.toThrow(/cannot resume/);
    const changing = await serve(body, (n) => (n === 0 ? 70_000 : 1e9), { etag: (n) => (n === 0 ? "a" : "b") });
    await expect(readBytes(changing.url, 1 << 20, quick)).rejects.toThrow(/changed on the server/);
    await expect(readBytes(changing.url, 1000, quick)).rejects.toThrow(/at most 1000 bytes, got 200000/);
  });

  it("tries again where the server is busy, a bounded number of times", async () => {
    const { url } = await serve(body, () => 0, { status: 503 });
    await expect(openBytes(url, quick)).rejects.toThrow(/no answer after 4 attempts.*503/);
  });

  it("counts a silent connection as dropped", async () => {
    const silent = createServer(
      (_request, response) => void response.writeHead(200, { "content-length": 10 }).flushHeaders(),
    );
    servers.push(silent);
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/`;
    const error = await readBytes(url, 100, { retries: 1, retryDelayMs: 1, timeoutMs: 30 }).catch((e) => e);
    expect(error).toBeInstanceOf(FileError);
    expect(error.message).toMatch(/no data for 30 ms/);
  });

  it("stops at an abort, with the caller's reason", async () => {
    const { url } = await serve(body, () => 1000);
    const abort = new AbortController();
    const reading = readBytes(url, 1 << 20, { retries: 1000, retryDelayMs: 20, signal: abort.signal });
    setTimeout(() => abort.abort(new Error("enough")), 30);
    await expect(reading).rejects.toThrow("enough");
  });

  it("carries a tar source over a dropping connection", async () => {
    const archive = await tarOf(shardFiles(0, 40));
    const { url, ranges } = await serve(archive, (n) => (n === 0 ? 9_000 : Number.POSITIVE_INFINITY));
    const source = await openSource(`tar:${url}`);
    const all = await collect(source, { signal: new AbortController().signal });
    expect(ranges).toHaveLength(2);
    expect(keysOf(all)).toEqual(Array.from({ length: 40 }, (_, i) => `data.tar/${i}`));
  });
});
