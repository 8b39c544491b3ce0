/** A static server with ranges and, where asked for, the headers that let threads of WebAssembly share memory. */
import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".json": "application/json",
  ".wasm": "application/wasm",
  ".svg": "image/svg+xml",
};
const ISOLATED = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };

/** A running server. */
export interface Served extends AsyncDisposable {
  readonly address: string;
  /** Paths that were asked for, with their ranges. */
  readonly asked: string[];
}

/** Serves folders under the paths they are given by; the longest path that fits is taken. `fallback`: the page of "/" for what is missing. */
export async function serve(
  folders: Readonly<Record<string, string>>,
  { isolated = true, fallback = false } = {},
): Promise<Served> {
  const asked: string[] = [];
  const paths = Object.keys(folders).sort((a, b) => b.length - a.length);
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url!, "http://x").pathname));
    const { range } = request.headers;
    asked.push(range ? `${path} ${range}` : path);
    const under = paths.find((start) => path === start || path.startsWith(start.endsWith("/") ? start : `${start}/`));
    let file = under === undefined ? "" : join(folders[under]!, path.slice(under.length));
    if (file !== "" && existsSync(file) && statSync(file).isDirectory()) file = join(file, "index.html");
    if (fallback && !existsSync(file)) file = join(folders["/"]!, "index.html");
    if (file === "" || !existsSync(file)) return void response.writeHead(404).end();
    const { size, mtimeMs } = statSync(file);
    const headers: Record<string, string | number> = {
      "content-type": TYPES[extname(file)] ?? "application/octet-stream",
      etag: `"${size}-${Math.round(mtimeMs)}"`,
      "accept-ranges": "bytes",
      ...(isolated ? ISOLATED : {}),
    };
    const match = /^bytes=(\d+)-(\d*)$/.exec(range ?? "");
    const [start, end] = match ? [Number(match[1]), Math.min(Number(match[2] || size - 1), size - 1)] : [0, size - 1];
    if (match) headers["content-range"] = `bytes ${start}-${end}/${size}`;
    response.writeHead(match ? 206 : 200, { ...headers, "content-length": end - start + 1 });
    createReadStream(file, { start, end }).pipe(response);
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}
