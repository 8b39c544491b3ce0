import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { temporaryFolder, utf8, writeFiles } from "../../../test/support/data-fixtures.ts";
import { listInputs } from "./list.ts";
import { loadInput } from "./load.ts";
import type { Inputs } from "./types.ts";

let folder: string;
let server: Server;
let address: string;
beforeAll(async () => {
  folder = await temporaryFolder();
  await writeFiles(folder, {
    "b.png": "b",
    "a.jpg": "a",
    "sub/c.webp": "c",
    "sub/.hidden.png": "x",
    "notes.md": "x",
    "odd[1].png": "x",
    "empty/readme": "x",
    "rows.jsonl": [
      '{"image": "a.jpg", "text": "an a"}',
      "",
      '{"id": 7, "text": "only words"}',
      '{"file_name": "https://host/x.png"}',
      "{broken",
      '{"image": 3}',
      "[1]",
      '{"title": ""}',
      "{}",
    ].join("\n"),
  });
  server = createServer((request, response) => {
    if (request.url === "/rows.jsonl") response.end('{"image":"pic.png"}\n{"image":"/etc/passwd"}\n');
    else if (request.url === "/pic.png") response.end("bytes");
    else response.writeHead(404).end();
  }).listen(0);
  address = `http://localhost:${(server.address() as AddressInfo).port}`;
});
afterAll(() => void server.close());

const list = (...words: string[]): Promise<Inputs> => listInputs(words);
const keys = ({ inputs }: Inputs): string[] => inputs.map(({ key }) => key.replace(`${folder}/`, ""));
async function* chunks(...texts: string[]) {
  for (const text of texts) yield utf8(text);
}

describe("listInputs", () => {
  it("takes folders with all below them, sorted, and counts what it passes", async () => {
    const found = await list(`${folder}/`);
    expect(keys(found)).toEqual(["a.jpg", "b.png", "odd[1].png", "sub/c.webp"]);
    expect(found.passed).toEqual({ hidden: 1, others: 3 });
    expect(found.bad).toEqual([]);
  });

  it("takes files as they are, also those that look like patterns, and patterns", async () => {
    expect(keys(await list(join(folder, "odd[1].png"), "missing.jpg"))).toEqual(["odd[1].png", "missing.jpg"]);
    const found = await list(join(folder, "**/*.{webp,jpg,md}"));
    expect(keys(found)).toEqual(["a.jpg", "sub/c.webp"]);
    expect(found.passed.others).toBe(1);
  });

  it("takes addresses, and file: addresses", async () => {
    const found = await list("https://host/a.png?x=1", `file://${folder}/a.jpg`);
    expect(found.inputs).toEqual([
      { key: "https://host/a.png?x=1", image: "https://host/a.png?x=1" },
      { key: `file://${folder}/a.jpg`, image: join(folder, "a.jpg") },
    ]);
  });

  it("lists addresses that are none as bad, and goes on", async () => {
    const found = await list("http://", "file://elsewhere/a.jpg", "file:///a%2fb.jpg", "x.png");
    expect(keys(found)).toEqual(["x.png"]);
    expect(found.bad.map(({ key, reason }) => `${key} ${reason}`)).toEqual([
      "http:// expected an address, got one that is none",
      expect.stringMatching(/^file:\/\/elsewhere\/a.jpg expected the address of a local file/),
      expect.stringMatching(/^file:\/\/\/a%2fb.jpg expected the address of a local file/),
    ]);
  });

  it("takes rows of JSON Lines, and says which cannot be used", async () => {
    const { inputs, bad } = await list(join(folder, "rows.jsonl"));
    expect(inputs).toEqual([
      { key: join(folder, "rows.jsonl:1"), image: join(folder, "a.jpg"), text: "an a" },
      { key: "7", text: "only words" },
      { key: join(folder, "rows.jsonl:4"), image: "https://host/x.png" },
    ]);
    expect(bad.map(({ key, reason }) => `${key.split(":").at(-1)} ${reason}`)).toEqual([
      expect.stringMatching(/^5 expected JSON, got/),
      "6 image: expected a text, got 3",
      "7 expected an object with image or text, got [1]",
      '8 title: expected a text, got ""',
      "9 expected a field image or text, got none",
    ]);
  });

  it("lets a list from a server name no local file", async () => {
    const { inputs, bad } = await list(`${address}/rows.jsonl`);
    expect(inputs).toEqual([{ key: `${address}/rows.jsonl:1`, image: `${address}/pic.png` }]);
    expect(bad[0]!.reason).toBe("/etc/passwd: a list from a server names a local file");
  });

  it("reads more from stdin, by lines or with NUL between", async () => {
    const lines = await listInputs(["-"], { stdin: chunks(`${folder}/sub\r\n`, `${folder}/a`, ".jpg\n\n") });
    expect(keys(lines)).toEqual(["sub/c.webp", "a.jpg"]);
    const nul = await listInputs(["-"], { stdin: chunks("a b.png\0c\n.png\0d.png") });
    expect(keys(nul)).toEqual(["a b.png", "c\n.png", "d.png"]);
  });

  it("names what holds no pictures, and goes on", async () => {
    const found = await list(join(folder, "empty"), "no*thing", join(folder, "*.md"), `${address}/none.jsonl`, "x.png");
    expect(keys(found)).toEqual(["x.png"]);
    expect(found.bad.map(({ reason }) => reason)).toEqual([
      "expected pictures below this folder, found none (1 other files)",
      "expected a file, a folder or a pattern that fits some file, found none",
      "expected pictures, found 1 files that are none",
      expect.stringMatching(/404/),
    ]);
  });
});

describe("loadInput", () => {
  it("gives bytes, or why there are none", async () => {
    expect(await loadInput(`${address}/pic.png`)).toEqual(utf8("bytes"));
    expect(await loadInput(`${address}/no.png`)).toMatch(/404/);
    expect(await loadInput(join(folder, "missing.png"))).toBe(
      "expected a readable file, got ENOENT: no such file or directory",
    );
    expect(await loadInput(folder)).toBe("expected a file, got a folder");
    expect(await loadInput(`file://${folder}/a.jpg`)).toEqual(utf8("a"));
  });
});
