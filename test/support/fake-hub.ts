/** A server that behaves like the Hugging Face Hub, and a second one that stands for the storage it sends large files to. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach } from "vitest";

/** A request that arrived. */
export interface Seen {
  readonly host: "hub" | "storage";
  readonly method: string;
  readonly path: string;
  readonly token: string | undefined;
  readonly range: string | undefined;
  readonly ifRange: string | undefined;
}

/** How a fake Hub misbehaves. All may be changed while it runs. */
export interface Mood {
  /** After how many bytes the n-th GET of a file drops its connection. */
  cut?: (n: number) => number;
  /** Answers with this status before anything else; counts down `times`. */
  refuse?: { status: number; times: number; headers?: Record<string, string> };
  /** The token that opens it, and what those without hear. */
  gate?: { token: string; status: number; code: string };
  /** No answers under /api, as some mirrors. */
  unlisted?: boolean;
  /** Storage ignores ranges. */
  wholeOnly?: boolean;
  /** What storage and Hub send in place of a file. */
  content?: (name: string, n: number) => Uint8Array | undefined;
  /** What the Hub says a file weighs. */
  size?: (name: string) => number | undefined;
  /** Instead of the hash. */
  etag?: (name: string) => string | undefined;
}

export interface FakeHub {
  readonly url: string;
  readonly storage: string;
  readonly seen: Seen[];
  readonly mood: Mood;
  /** The commit of a revision; "main" is there from the beginning. */
  readonly commits: Map<string, string>;
  readonly files: Map<string, Uint8Array>;
}

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

export const COMMIT = "0123456789abcdef0123456789abcdef01234567";
/** Files of more bytes lie in storage. */
const LARGE = 1000;

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
export const gitSha1 = (bytes: Uint8Array): string =>
  createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");

async function listen(handler: RequestListener): Promise<string> {
  const server = createServer(handler);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A Hub with one repository, `org/name`, of these files. It stops after the test. */
export async function fakeHub(files: Readonly<Record<string, Uint8Array | string>>, mood: Mood = {}): Promise<FakeHub> {
  const seen: Seen[] = [];
  const contents = new Map(
    Object.entries(files).map(([name, body]) => [
      name,
      typeof body === "string" ? new TextEncoder().encode(body) : body,
    ]),
  );
  const commits = new Map([["main", COMMIT]]);
  let gets = 0;
  const note = (host: Seen["host"], { method = "", url = "", headers }: IncomingMessage): void => {
    const { authorization: token, range, "if-range": ifRange } = headers;
    seen.push({ host, method, path: decodeURIComponent(url), token, range, ifRange: ifRange as string | undefined });
  };
  const storage = await listen((request, response) => {
    note("storage", request);
    const name = decodeURIComponent(request.url!.slice(1));
    const body = mood.content?.(name, gets) ?? contents.get(name)!;
    sendBody(request, response, body, { mood, n: gets++, etag: `"storage-${sha256(body).slice(0, 8)}"` });
  });
  const url = await listen((request, response) => {
    note("hub", request);
    const answer = (status: number, headers: Record<string, string> = {}, body = ""): void =>
      void response.writeHead(status, { ...headers, "content-length": Buffer.byteLength(body) }).end(body);
    if (mood.refuse && mood.refuse.times-- > 0) return answer(mood.refuse.status, mood.refuse.headers);
    if (mood.gate && request.headers.authorization !== `Bearer ${mood.gate.token}`)
      return answer(mood.gate.status, { "x-error-code": mood.gate.code, "x-error-message": "no access" });
    const path = decodeURIComponent(request.url!.split("?")[0]!);
    const api = /^\/api\/models\/(.+)\/revision\/(.+)$/.exec(path);
    if (api) {
      if (mood.unlisted) return answer(404);
      const sha = commits.get(api[2]!) ?? ([...commits.values()].includes(api[2]!) ? api[2]! : undefined);
      if (api[1] !== "org/name") return answer(404, { "x-error-code": "RepoNotFound" });
      if (sha === undefined) return answer(404, { "x-error-code": "RevisionNotFound" });
      const siblings = [...contents].map(([rfilename, { length: size }]) => ({ rfilename, size }));
      return answer(200, { "content-type": "application/json" }, JSON.stringify({ sha, siblings }));
    }
    const [, id, revision, name] = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+(?:\/pr\/\d+)?)\/(.+)$/.exec(path) ?? [];
    const commit = commits.get(revision ?? "") ?? revision;
    if (id !== "org/name") return answer(404, { "x-error-code": "RepoNotFound" });
    const own = contents.get(name!);
    if (own === undefined) return answer(404, { "x-error-code": "EntryNotFound", "x-repo-commit": commit! });
    const large = own.length > LARGE;
    const etag = mood.etag?.(name!) ?? `"${large ? sha256(own) : gitSha1(own)}"`;
    const size = mood.size?.(name!) ?? own.length;
    if (large) {
      const linked = { "x-linked-etag": etag, "x-linked-size": String(size), "x-repo-commit": commit! };
      return answer(302, { ...linked, location: `${storage}/${encodeURIComponent(name!)}` });
    }
    response.setHeader("x-repo-commit", commit!);
    const body = mood.content?.(name!, gets) ?? own;
    const n = request.method === "GET" ? gets++ : gets;
    sendBody(request, response, body, { mood, n, etag });
  });
  return { url, storage, seen, mood, commits, files: contents };
}

function sendBody(
  { method, headers }: IncomingMessage,
  response: ServerResponse,
  body: Uint8Array,
  { mood, n, etag }: { mood: Mood; n: number; etag: string },
): void {
  const stale = headers["if-range"] !== undefined && headers["if-range"] !== etag;
  const asked = mood.wholeOnly || stale ? null : /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? "");
  const start = asked ? Number(asked[1]) : 0;
  const end = asked?.[2] ? Math.min(Number(asked[2]) + 1, body.length) : body.length;
  response.setHeader("etag", etag);
  if (asked && start >= body.length)
    return void response.writeHead(416, { "content-range": `bytes */${body.length}` }).end();
  if (asked) response.setHeader("content-range", `bytes ${start}-${end - 1}/${body.length}`);
  response.writeHead(asked ? 206 : 200, { "content-length": end - start });
  if (method === "HEAD") return void response.end();
  const limit = start + (mood.cut?.(n) ?? Number.POSITIVE_INFINITY);
  if (limit >= end) return void response.end(body.subarray(start, end));
  // A reader that has not taken what came loses it as the connection breaks: a busy machine needs the time.
  response.write(body.subarray(start, limit), () => setTimeout(() => response.destroy(), 50));
}
