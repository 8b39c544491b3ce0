import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { collect, fakeImage, keysOf } from "../../../test/support/data-fixtures.ts";
import { type RawMember, rawTar } from "../../../test/support/tar-bytes.ts";
import { concatBytes } from "../../io/index.ts";
import { openSource } from "./open.ts";
import type { BadSample, Source } from "./source.ts";

const files = new Map<string, Uint8Array>();
let server: Server;
let address: string;

beforeAll(async () => {
  server = createServer((request, response) => {
    const body = files.get(request.url!.slice(1))!;
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
    const start = Number(from ?? 0);
    const end = Math.min(to ? Number(to) + 1 : body.length, body.length);
    response.setHeader("etag", '"1"');
    if (from !== undefined) response.setHeader("content-range", `bytes ${start}-${end - 1}/${body.length}`);
    response.setHeader("content-length", end - start);
    response.writeHead(from === undefined ? 200 : 206);
    response.end(request.method === "HEAD" ? undefined : body.subarray(start, end));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.close());

function serve(name: string, archive: Uint8Array): Promise<Source> {
  files.set(name, archive);
  return openSource(`${address}/${name}`);
}

const pair = (i: number): RawMember[] => [
  { name: `${i}.jpg`, body: fakeImage(i) },
  { name: `${i}.txt`, body: `caption ${i}` },
];

describe("tarSource over HTTP", () => {
  it("reads samples in order, links to what came before and archives put together, and goes on from any cursor", async () => {
    const link: RawMember[] = [
      { name: "5.jpg", type: "1", link: "0.jpg" },
      { name: "5.txt", body: "linked" },
    ];
    const archive = concatBytes([
      rawTar([{ name: "._0.jpg", body: "mac" }, ...pair(0), ...pair(1), ...link, ...pair(2)]),
      rawTar([...pair(0), ...pair(3)]),
    ]);
    const source = await serve("a.tar", archive);
    const all = await collect(source);
    expect(keysOf(all)).toEqual(["0", "1", "5", "2", "#2/0", "#2/3"].map((name) => `a.tar/${name}`));
    expect(all[2]!.sample.image).toEqual(fakeImage(0));
    for (const [i, { cursor }] of all.entries()) expect(await collect(source, { cursor })).toEqual(all.slice(i + 1));
  });

  it("stops, and says what to do, where a member stands apart from its sample, also behind a cursor", async () => {
    const [first, late] = pair(0);
    const source = await serve("mixed.tar", rawTar([first!, ...pair(1), ...pair(2), late!]));
    const message = /got 0.txt apart from the others of its name\n.*--sort=name, or download it/;
    await expect(collect(source)).rejects.toThrow(message);
    const iterator = source.samples()[Symbol.asyncIterator]();
    const { value } = await iterator.next();
    await iterator.return?.();
    await expect(collect(source, { cursor: value.cursor })).rejects.toThrow(message);
  });

  it("lists the last sample of an archive without an end, where it has less than the first", async () => {
    const source = await serve("cut.tar", rawTar([...pair(0), ...pair(1), pair(2)[0]!], "no end"));
    const said: BadSample[] = [];
    expect(keysOf(await collect(source, { onBad: (bad) => said.push(bad) }))).toEqual(["cut.tar/0", "cut.tar/1"]);
    expect(said.map(({ key, kept }) => [key, kept])).toEqual([
      ["cut.tar", true],
      ["cut.tar/2", undefined],
    ]);
  });
});
