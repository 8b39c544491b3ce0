/** A package index on this computer, and wheels made for it. */
import { createHash } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { crc32, deflateRawSync } from "node:zlib";
import { afterEach } from "vitest";

const bytesOf = (content: string | Uint8Array): Buffer => Buffer.from(content as Uint8Array);

/** A zip archive, deflated. */
export function zipOf(files: readonly (readonly [name: string, content: string | Uint8Array])[]): Buffer {
  const [local, central]: Buffer[][] = [[], []];
  let at = 0;
  for (const [name, content] of files) {
    const raw = bytesOf(content);
    const packed = deflateRawSync(raw);
    const head = Buffer.alloc(26);
    head.writeUInt16LE(20, 0);
    head.writeUInt16LE(8, 4);
    head.writeUInt32LE(crc32(raw), 10);
    head.writeUInt32LE(packed.length, 14);
    head.writeUInt32LE(raw.length, 18);
    head.writeUInt16LE(Buffer.byteLength(name), 22);
    const record = Buffer.concat([Buffer.from("PK\x03\x04"), head, Buffer.from(name), packed]);
    const rest = Buffer.alloc(16);
    rest.writeUInt32LE(at, 12);
    central!.push(
      Buffer.concat([Buffer.from("PK\x01\x02"), Buffer.from([20, 0]), head, rest.subarray(2), Buffer.from(name)]),
    );
    local!.push(record);
    at += record.length;
  }
  const table = Buffer.concat(central!);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", "latin1");
  end.writeUInt16LE(files.length, 8);
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(table.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...local!, table, end]);
}

type Files = Readonly<Record<string, string | Uint8Array>>;

/** A wheel of some files, with the list of their hashes; `record` changes that list. */
export function wheelOf(name: string, files: Files, record: (lines: string) => string = (lines) => lines): Buffer {
  const list = `${name.split("-").slice(0, 2).join("-")}.dist-info/RECORD`;
  const lines = Object.entries(files).map(([path, content]) => {
    const hash = createHash("sha256").update(bytesOf(content)).digest("base64url");
    return `${path},sha256=${hash},${bytesOf(content).length}`;
  });
  return zipOf([...Object.entries(files), [list, record(`${lines.join("\n")}\n${list},,\n`)]]);
}

/** How an index behaves; all may be changed while it runs. */
export interface IndexMood {
  html?: boolean;
  /** `user:password` that opens it. */
  login?: string;
  /** Drops the connection of a file after so many bytes, the n-th time it is asked for its content. */
  cut?: (n: number) => number;
  /** What is sent in place of a file. */
  content?: (file: string) => Buffer | undefined;
  hashes?: boolean;
  /** What is sent in place of a project's page. */
  page?: (text: string) => string;
  yanked?: readonly string[];
}

export interface FakeIndex {
  /** Of the simple index. */
  readonly url: string;
  readonly mood: IndexMood;
  /** File name → bytes. */
  readonly files: Map<string, Buffer>;
  /** Requests: path and range. */
  readonly seen: string[];
}

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

export async function fakeIndex(files: Readonly<Record<string, Buffer>>): Promise<FakeIndex> {
  const index = { mood: {} as IndexMood, files: new Map(Object.entries(files)), seen: [] as string[] };
  let contents = 0;
  const server = createServer(({ url = "", headers }, response) => {
    index.seen.push(`${url} ${headers.range ?? ""}`.trim());
    const { login } = index.mood;
    if (login && headers.authorization !== `Basic ${Buffer.from(login).toString("base64")}`)
      return void response.writeHead(401).end();
    const project = /^\/simple\/([^/]+)\/$/.exec(url)?.[1];
    if (project !== undefined) {
      const page = pageOf(project, index);
      return page
        ? void response.writeHead(200, { "content-type": page.type }).end(index.mood.page?.(page.text) ?? page.text)
        : void response.writeHead(404).end();
    }
    const name = url.split("/").at(-1)!;
    const bytes = index.mood.content?.(name) ?? index.files.get(name);
    if (!bytes) return void response.writeHead(404).end();
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? "") ?? [];
    const [start, end] = [Number(from ?? 0), to ? Number(to) + 1 : bytes.length];
    response.writeHead(206, {
      "content-range": `bytes ${start}-${end - 1}/${bytes.length}`,
      "content-length": end - start,
      etag: `"${bytes.length}"`,
    });
    const cut = end - start > 1 ? index.mood.cut?.(++contents) : undefined;
    if (cut === undefined) return void response.end(bytes.subarray(start, end));
    response.write(bytes.subarray(start, start + cut), () => setTimeout(() => response.destroy(), 20));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { ...index, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/simple` };
}

function pageOf(project: string, { files, mood }: Omit<FakeIndex, "url">): { type: string; text: string } | undefined {
  const own = [...files].filter(([file]) => file.split("-")[0]!.replaceAll("_", "-") === project);
  if (own.length === 0) return undefined;
  const hashOf = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
  const { html = false, hashes = true, yanked = [] } = mood;
  if (html)
    return {
      type: "text/html",
      text: own
        .map(([file, bytes]) => {
          const hash = hashes ? `#sha256=${hashOf(bytes)}` : "";
          return `<a href="../../files/a&amp;b/${file}${hash}"${yanked.includes(file) ? ' data-yanked=""' : ""}>${file}</a><br/>`;
        })
        .join("\n"),
    };
  const list = own.map(([filename, bytes]) => ({
    filename,
    url: `../../files/${filename}`,
    hashes: hashes ? { sha256: hashOf(bytes) } : {},
    size: bytes.length,
    yanked: yanked.includes(filename),
  }));
  return {
    type: "application/vnd.pypi.simple.v1+json",
    text: JSON.stringify({ meta: { "api-version": "1.1" }, files: list }),
  };
}
