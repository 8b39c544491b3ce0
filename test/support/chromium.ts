/** Runs a module of ours in a headless Chromium and gives back what it answers. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const FLAGS =
  "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync";
const TYPES: Readonly<Record<string, string>> = { ".js": "text/javascript", ".json": "application/json" };
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const LIMIT_MS = 100_000;

/** The Chromium on the PATH, if there is one. */
export function findChromium(): string | undefined {
  const folders = (process.env.PATH ?? "").split(delimiter);
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => existsSync(path));
}

/**
 * Calls the default function that `source` (JavaScript) exports, in a page that finds the build under /dist and `#decode` as
 * browsers do; the input and what it resolves to are JSON.
 */
export async function runInChromium<T>(chromium: string, source: string, input: unknown): Promise<T> {
  const profile = await mkdtemp(join(tmpdir(), "flava-chromium-"));
  let browser: ChildProcess | undefined;
  let server: Server | undefined;
  try {
    const answer = new Promise<string>((resolve, reject) => {
      server = createServer((request, response) => {
        if (request.method === "POST") {
          response.end();
          return void bodyOf(request).then(resolve, reject);
        }
        fileFor(request.url ?? "/", source, input).then(
          ([type, body]) => response.writeHead(200, { "content-type": type }).end(body),
          () => response.writeHead(404).end(),
        );
      });
      server.listen(0, "127.0.0.1", () => {
        const url = `http://127.0.0.1:${(server!.address() as AddressInfo).port}/`;
        browser = spawn(chromium, [...FLAGS.split(" "), `--user-data-dir=${profile}`, url], { stdio: "ignore" });
        browser.on("error", reject);
        browser.on("exit", (code) => reject(new Error(`Chromium ended with code ${code} before it answered`)));
      });
      setTimeout(() => reject(new Error(`Chromium gave no answer in ${LIMIT_MS} ms`)), LIMIT_MS).unref();
    });
    const { value, error } = JSON.parse(await answer) as { value: T; error?: string };
    if (error !== undefined) throw new Error(`in Chromium: ${error}`);
    return value;
  } finally {
    server?.close();
    server?.closeAllConnections();
    if (browser?.exitCode === null) {
      browser.kill("SIGKILL");
      await new Promise((resolve) => browser!.once("exit", resolve));
    }
    await rm(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

const PAGE = `<!doctype html><meta charset="utf-8">
<script type="importmap">{"imports":{"#decode":"/dist/data/image/decode.web.js"}}</script>
<script type="module">
  const answer = (value) => fetch("/answer", { method: "POST", body: JSON.stringify(value) });
  try {
    const { default: main } = await import("/source.js");
    await answer({ value: await main(await (await fetch("/input.json")).json()) });
  } catch (error) {
    await answer({ error: String(error?.stack ?? error) });
  }
</script>`;

async function fileFor(url: string, source: string, input: unknown): Promise<[type: string, body: string | Buffer]> {
  if (url === "/") return ["text/html", PAGE];
  if (url === "/source.js") return ["text/javascript", source];
  if (url === "/input.json") return ["application/json", JSON.stringify(input)];
  const path = normalize(url);
  if (!path.startsWith("/dist/")) throw new Error("no such file");
  return [TYPES[extname(path)] ?? "application/octet-stream", await readFile(join(ROOT, path))];
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}
