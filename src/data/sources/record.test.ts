import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { symlink } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { collect, fakeImage, temporaryFolder, writeFiles } from "../../../test/support/data-fixtures.ts";
import type { SourceSpec } from "./formats.ts";
import { openSource } from "./open.ts";
import type { BadSample } from "./source.ts";

let root: string;
let server: Server;
let address: string;
beforeAll(async () => {
  root = await temporaryFolder();
  await writeFiles(root, { "secret.jpg": fakeImage(9), "set/img/0.jpg": fakeImage(0) });
  server = createServer((request, response) => {
    const path = new URL(request.url!, "http://x").pathname;
    const body = path.endsWith(".jsonl") ? table(served) : path.endsWith("0.jpg") ? fakeImage(0) : undefined;
    response.writeHead(body ? 200 : 404, { "content-length": body?.length ?? 0 });
    response.end(request.method === "HEAD" ? undefined : body);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.close());

let served: readonly string[] = [];
const table = (places: readonly string[]): string =>
  places.map((image) => `${JSON.stringify({ image, text: "a" })}\n`).join("");

/** What became of each row: "read", or the reason against it. */
async function read(spec: string | SourceSpec, outside?: boolean): Promise<string[]> {
  const bad: BadSample[] = [];
  const placed = await collect(await openSource(spec, { outside }), { onBad: (b) => bad.push(b) });
  return [...placed.map(() => "read"), ...bad.map(({ reason }) => reason)];
}

async function readTable(places: readonly string[], more: Record<string, unknown> = {}): Promise<string[]> {
  await writeFiles(root, { "set/t.jsonl": table(places) });
  return read({ type: "jsonl", path: `${root}/set/t.jsonl`, ...more } as SourceSpec);
}

describe("a table on this machine", () => {
  it("reads from its own folder, by relative paths and absolute ones that stay in it", async () => {
    const inside = ["img/0.jpg", "./img/0.jpg", "img/../img/0.jpg", `${root}/set/img/0.jpg`];
    for (const place of inside) expect(await readTable([place]), place).toEqual(["read"]);
    expect(await readTable(inside.slice(0, 3))).toEqual(["read"]); // one picture, however it is spelled
  });

  it("does not read from elsewhere: absolute paths, .., links; an option allows it, as does a root above", async () => {
    await symlink(join(root, "secret.jpg"), join(root, "set/img/link.jpg"));
    const outside = [`${root}/secret.jpg`, "../secret.jpg", "img/../../secret.jpg", "img/link.jpg"];
    const reasons = await readTable(outside);
    expect(reasons).toHaveLength(4);
    for (const reason of reasons) expect(reason).toMatch(/leads out of .*outside: true/);
    for (const place of outside) expect(await readTable([place], { outside: true }), place).toEqual(["read"]);
    expect(await readTable([`${root}/secret.jpg`], { root })).toEqual(["read"]);
    expect(await readTable(["../secret.jpg"], { root: `${root}/set` })).toEqual([expect.stringMatching(/leads out/)]);
    expect(await read(`jsonl:${root}/set/t.jsonl`, true)).toEqual(["read"]);
  });

  it("reads beside where it really lies: a snapshot of links into a cache, as the Hub's tools make it", async () => {
    await writeFiles(root, { "blobs/t": table(["a/1.jpg"]), "blobs/1": fakeImage(1), "snap/a/x": "" });
    await symlink(join(root, "blobs/t"), join(root, "snap/metadata.jsonl"));
    await symlink(join(root, "blobs/1"), join(root, "snap/a/1.jpg"));
    expect(await read(`${root}/snap`)).toEqual(["read"]);
  });

  it("says what it does not read: other addresses, pipes and devices, without waiting for them", async () => {
    execFileSync("mkfifo", [join(root, "set/img/pipe.jpg")]);
    await symlink("/dev/zero", join(root, "set/img/zero.jpg"));
    const at = "data:image/png;base64,AAAA";
    const reasons = await readTable(["s3://bucket/0.jpg", at, "img/pipe.jpg", "img/zero.jpg", "img"], {
      outside: true,
    });
    expect(reasons).toEqual([
      "s3://bucket/0.jpg: expected a path or an http(s) address, got s3:",
      `${at}: expected a path or an http(s) address, got data:`,
      expect.stringMatching(/pipe\.jpg: expected a file, got a pipe or a device/),
      expect.stringMatching(/zero\.jpg: expected a file, got a pipe or a device/),
      expect.stringMatching(/img: expected a file, got a folder/),
    ]);
  });
});

describe("a table from a server", () => {
  it("reads from its own server and names no file of this machine", async () => {
    served = ["img/0.jpg", `${address}/other/0.jpg`];
    expect(await read(`${address}/data/t.jsonl`)).toEqual(["read", "read"]);
    const elsewhere = address.replace("127.0.0.1", "localhost");
    served = [`${root}/secret.jpg`, "../0.jpg", "%2e%2e/0.jpg", `${elsewhere}/0.jpg`, "C:\\0.jpg"];
    const reasons = await read(`${address}/data/t.jsonl`);
    expect(reasons).toEqual([
      expect.stringMatching(/secret\.jpg: a table from 127\.0\.0\.1:\d+ names a local file/),
      expect.stringMatching(/^\.\.\/0\.jpg: leads out of http/),
      expect.stringMatching(/leads out of http/),
      expect.stringMatching(/localhost.*leads out of http/),
      expect.stringMatching(/names a local file/),
    ]);
    served = [`${root}/secret.jpg`];
    expect(await read(`${address}/data/t.jsonl`, true)).toEqual([expect.stringMatching(/names a local file/)]);
    expect(await read({ type: "jsonl", path: `${address}/data/t.jsonl`, root })).toEqual(["read"]);
  });
});

describe("an address that cannot be read", () => {
  it.each([
    ["s3://bucket/a.tar", /aws s3 cp/],
    ["tar:s3://bucket/{0..3}.tar", /aws s3 presign/],
    [
      "hf://datasets/owner/name/data/train.parquet",
      /https:\/\/huggingface\.co\/datasets\/owner\/name\/resolve\/main\/data\/train\.parquet/,
    ],
    ["gs://bucket/a.csv", /https:\/\/storage\.googleapis\.com\/bucket\/a\.csv/],
    ["file:///data/a.csv", /the path alone: \/data\/a\.csv/],
    ["azure://x/a.tar", /copy it to a folder/],
    ["s3://bucket/folder", /got s3:\/\//],
  ])("%s says what to do", async (spec, help) => {
    await expect(openSource(spec)).rejects.toThrow(help);
    await expect(openSource(spec)).rejects.toThrow(/expected a path or an http\(s\) address/);
  });
});
