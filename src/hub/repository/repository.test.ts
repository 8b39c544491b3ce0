import { mkdir, readdir, readFile, readlink, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { temporaryFolder, writeFiles } from "../../../test/support/data-fixtures.ts";
import { COMMIT, type FakeHub, fakeHub, gitSha1, type Mood, sha256 } from "../../../test/support/fake-hub.ts";
import { FileError, NoSuchFile } from "../../errors.ts";
import { tensor } from "../../tensor/index.ts";
import { openModel } from "../open-model.ts";
import { saveSafetensors } from "../safetensors/file.ts";
import { entriesOf } from "../safetensors/write.ts";
import { CachedRepository, placeBlob } from "./cache.ts";
import { downloadBlob } from "./download.ts";
import { factsOfFile } from "./facts.ts";
import type { ProgressEvent } from "./progress.ts";
import type { RepositoryOptions } from "./repository.ts";
import { resolveRepository } from "./resolve.ts";

const weights = Uint8Array.from({ length: 700_000 }, (_, i) => (i * 7 + (i >> 8)) & 255);
const config = '{"model_type":"flava"}';
const FILES = { "config.json": config, "model.safetensors": weights, "onnx/model.onnx": weights.subarray(5, 9000) };

let cacheDir: string;
beforeEach(async () => {
  cacheDir = join(await temporaryFolder(), "hub");
});

const options = (hub: FakeHub, more: RepositoryOptions = {}): RepositoryOptions => ({
  endpoint: hub.url,
  cacheDir,
  env: {},
  token: false,
  retries: 3,
  retryDelayMs: 1,
  ...more,
});
const open = (hub: FakeHub, more?: RepositoryOptions) => resolveRepository("org/name", options(hub, more));
const folder = (): string => join(cacheDir, "models--org--name");
const gets = (hub: FakeHub) => hub.seen.filter(({ method, path }) => method === "GET" && !path.startsWith("/api/"));

describe("resolveRepository of the Hub", () => {
  it("lays files out as huggingface_hub does", async () => {
    const hub = await fakeHub(FILES);
    const repository = await open(hub);
    expect(await repository.files()).toEqual([
      { name: "config.json", size: config.length },
      { name: "model.safetensors", size: 700_000 },
      { name: "onnx/model.onnx", size: 8995 },
    ]);
    const paths = await repository.paths(Object.keys(FILES));
    expect(sha256(await readFile(paths[1]!))).toBe(sha256(weights));
    expect(repository).toMatchObject({ kind: "hub", revision: COMMIT, dir: join(folder(), "snapshots", COMMIT) });
    expect(await readFile(join(folder(), "refs", "main"), "utf8")).toBe(COMMIT);
    expect((await readdir(join(folder(), "blobs"))).sort()).toEqual(
      [gitSha1(Buffer.from(config)), sha256(weights), sha256(FILES["onnx/model.onnx"])].sort(),
    );
    expect(await readlink(paths[2]!)).toBe(join("..", "..", "..", "blobs", sha256(FILES["onnx/model.onnx"])));
    expect(await readdir(join(cacheDir, ".locks", "models--org--name"))).toEqual([]);
  });

  it("loads nothing twice, works without the network afterwards, and shares what Python left", async () => {
    const hub = await fakeHub(FILES);
    await (await open(hub)).path("config.json");
    const before = gets(hub).length;
    await (await open(hub)).path("config.json");
    expect(gets(hub)).toHaveLength(before);
    const offline = await resolveRepository("org/name", {
      cacheDir,
      env: { HF_HUB_OFFLINE: "1", HF_ENDPOINT: "http://127.0.0.1:1" },
    });
    expect(await readFile(await offline.path("config.json"), "utf8")).toBe(config);
    expect(await offline.files()).toEqual([{ name: "config.json", size: config.length }]);
    await expect(offline.path("model.safetensors")).rejects.toThrow(
      /in the cache, got none\n {2}help: HF_HUB_OFFLINE is set/,
    );
    await expect(resolveRepository("org/other", { cacheDir, localFilesOnly: true })).rejects.toThrow(/localFilesOnly/);
  });

  it("uses the cache and says so where the Hub cannot be reached", async () => {
    const hub = await fakeHub(FILES);
    await (await open(hub)).path("config.json");
    const notes: string[] = [];
    const repository = await open(hub, { endpoint: "http://127.0.0.1:1", note: (line) => notes.push(line) });
    expect(await readFile(await repository.path("config.json"), "utf8")).toBe(config);
    expect(notes.at(-1)).toMatch(/^org\/name: using what the cache has of main: .*no answer after/);
    await expect(open(hub, { endpoint: "http://127.0.0.1:1", cacheDir: `${cacheDir}2` })).rejects.toThrow(
      /no answer after 4 attempts/,
    );
  });

  it("keeps to one commit, and to the revision and subfolder that were asked for", async () => {
    const hub = await fakeHub(FILES);
    const other = "f".repeat(40);
    hub.commits.set("refs/pr/1", other);
    const repository = await open(hub, { revision: "refs/pr/1", subfolder: "onnx" });
    expect(await repository.path("model.onnx")).toBe(join(folder(), "snapshots", other, "onnx", "model.onnx"));
    expect(await readFile(join(folder(), "refs", "refs", "pr", "1"), "utf8")).toBe(other);
    expect(await repository.files()).toEqual([{ name: "model.onnx", size: 8995 }]);
    expect(
      hub.seen
        .filter(({ path }) => path.includes("/resolve/"))
        .every(({ path }) => path.includes(other) || path.startsWith("/onnx")),
    ).toBe(true);
    await expect(open(hub, { revision: "none" })).rejects.toThrow(/no such branch, tag or commit/);
    await expect(open(hub, { revision: "../x" })).rejects.toThrow(/expected a branch, tag or commit/);
  });

  it("remembers which files there are not", async () => {
    const hub = await fakeHub(FILES, { unlisted: true });
    const repository = await open(hub);
    expect(repository.revision).toBe(COMMIT);
    expect(await repository.has("config.json")).toBe(true);
    expect(await repository.has("vocab.txt")).toBe(false);
    expect(await readFile(join(folder(), ".no_exist", COMMIT, "vocab.txt"), "utf8")).toBe("");
    const before = hub.seen.length;
    expect(await repository.has("vocab.txt")).toBe(false);
    expect(hub.seen).toHaveLength(before);
    const listed = await open(await fakeHub(FILES));
    await expect(listed.path("confg.json")).rejects.toThrow(/got none\n {2}help: did you mean "config.json"/);
    await expect(listed.path("confg.json")).rejects.toThrow(NoSuchFile);
  });

  it("tells of progress as transformers.js does", async () => {
    const events: ProgressEvent[] = [];
    const repository = await open(await fakeHub(FILES), { onProgress: (event) => events.push(event) });
    await repository.path("model.safetensors");
    const statuses = events.map(({ status }) => status);
    expect([...new Set(statuses)]).toEqual(["initiate", "download", "progress", "done"]);
    const last = {
      status: "progress",
      name: "org/name",
      file: "model.safetensors",
      progress: 100,
      loaded: 700_000,
      total: 700_000,
    };
    expect(events.at(-2)).toEqual(last);
    events.length = 0;
    await repository.paths(["model.safetensors", "config.json"]);
    const total = events.filter(({ status }) => status === "progress_total").at(-1);
    expect(total).toMatchObject({
      progress: 100,
      total: 700_000 + config.length,
      files: { "config.json": { loaded: config.length } },
    });
  });
});

describe("what goes wrong on the way", () => {
  it("continues a dropped transfer where it stopped", async () => {
    const hub = await fakeHub(FILES, { cut: (n) => (n < 2 ? 300_000 : Number.POSITIVE_INFINITY) });
    const path = await (await open(hub)).path("model.safetensors");
    expect(sha256(await readFile(path))).toBe(sha256(weights));
    const ranges = hub.seen.filter(({ host }) => host === "storage").map(({ range }) => range);
    expect(ranges).toEqual([undefined, "bytes=300000-", "bytes=600000-"]);
  });

  it("goes on from what another process left, with If-Range where the server names its bytes", async () => {
    const hub = await fakeHub({ ...FILES, "vocab.txt": "a\n".repeat(400) }, { cut: () => 500 });
    await expect((await open(hub, { retries: 0 })).path("vocab.txt")).rejects.toThrow(
      /got 500 before[\s\S]*what came is kept/,
    );
    hub.mood.cut = () => Number.POSITIVE_INFINITY;
    const path = await (await open(hub)).path("vocab.txt");
    expect(await readFile(path, "utf8")).toBe("a\n".repeat(400));
    expect(hub.seen.at(-1)).toMatchObject({
      range: "bytes=500-",
      ifRange: `"${gitSha1(Buffer.from("a\n".repeat(400)))}"`,
    });
    await expect(stat(join(folder(), "blobs", `${sha256(weights)}.incomplete`))).rejects.toThrow();
  });

  it("drops a part that does not belong to the rest, and a part that is too long", async () => {
    for (const part of [new Uint8Array(300_000), new Uint8Array(800_000), weights]) {
      const hub = await fakeHub(FILES);
      await rm(cacheDir, { recursive: true, force: true });
      await mkdir(join(folder(), "blobs"), { recursive: true });
      await writeFile(join(folder(), "blobs", `${sha256(weights)}.incomplete`), part);
      expect(sha256(await readFile(await (await open(hub)).path("model.safetensors")))).toBe(sha256(weights));
    }
  });

  it("loads all of it again where a server knows no ranges", async () => {
    const hub = await fakeHub(FILES, { wholeOnly: true, cut: (n) => (n === 0 ? 300_000 : Number.POSITIVE_INFINITY) });
    expect(sha256(await readFile(await (await open(hub)).path("model.safetensors")))).toBe(sha256(weights));
  });

  const changed = weights.map((byte, i) => (i === 650_000 ? byte ^ 1 : byte));
  it.each<[string, Mood, RegExp]>([
    ["other bytes of the same length", { content: () => changed }, /expected sha256 [0-9a-f]{64}, got/],
    [
      "other bytes after a break",
      { cut: (n) => (n === 0 ? 300_000 : 1e9), content: (_, n) => (n > 0 ? changed : weights) },
      /expected sha256/,
    ],
    [
      "too few bytes",
      { content: () => weights.subarray(0, 1000) },
      /expected 700000 bytes, as the Hub says, got a file of 1000/,
    ],
    [
      "too many bytes",
      { content: () => new Uint8Array(700_001) },
      /expected 700000 bytes, as the Hub says, got a file of 700001/,
    ],
  ])("refuses %s", async (_, mood, message) => {
    const hub = await fakeHub(FILES, mood);
    await expect((await open(hub)).path("model.safetensors")).rejects.toThrow(message);
    expect((await readdir(join(folder(), "blobs"))).filter((name) => !name.endsWith(".incomplete"))).toEqual([]);
  });

  it("checks small files by git's hash", async () => {
    const hub = await fakeHub(FILES, {
      content: (name) => (name === "config.json" ? Buffer.from(config.replace("flava", "glava")) : undefined),
    });
    await expect((await open(hub)).path("config.json")).rejects.toThrow(/expected sha1/);
  });

  it("notices a file that was replaced while it came", async () => {
    const hub = await fakeHub(FILES, { cut: (n) => (n === 0 ? 300_000 : Number.POSITIVE_INFINITY) });
    let asked = 0;
    hub.mood.etag = (name) => (name === "model.safetensors" && asked++ > 1 ? `"${"a".repeat(64)}"` : undefined);
    await expect((await open(hub)).path("model.safetensors")).rejects.toThrow(
      /the file changed on the server while it was read/,
    );
  });

  it("waits as long as a busy server asks, and gives up after a while", async () => {
    const hub = await fakeHub(FILES, { refuse: { status: 429, times: 1, headers: { "retry-after": "1" } } });
    const notes: string[] = [];
    const begun = performance.now();
    await open(hub, { note: (line) => notes.push(line) });
    expect(performance.now() - begun).toBeGreaterThan(990);
    expect(notes).toEqual([expect.stringMatching(/429.*attempt 2 of 4 in 1 s$/)]);
    hub.mood.refuse = { status: 503, times: 99 };
    await expect(open(hub, { cacheDir: `${cacheDir}2` })).rejects.toThrow(/no answer after 4 attempts: .*503/);
  });

  it.each<[string, Mood["gate"], string | false, RegExp]>([
    [
      "gated, no token",
      { token: "t", status: 401, code: "GatedRepo" },
      false,
      /help: this repository asks for consent: accept .*HF_TOKEN/,
    ],
    [
      "gated, a token without access",
      { token: "t", status: 403, code: "GatedRepo" },
      "other",
      /help: the token is known but has no access/,
    ],
    [
      "private or missing, no token",
      { token: "t", status: 401, code: "RepoNotFound" },
      false,
      /help: there is no repository org\/name, or it is private.*HF_TOKEN/,
    ],
    ["a wrong token", { token: "t", status: 401, code: "" }, "other", /help: the token was refused/],
  ])("says what to do: %s", async (_, gate, token, message) => {
    const hub = await fakeHub(FILES, gate ? { gate } : {});
    const failed = await open(hub, { token }).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(FileError);
    expect((failed as Error).message).toMatch(message);
    expect((failed as Error).message).not.toContain("other");
  });

  it("sends the token to the Hub and to no other host", async () => {
    const hub = await fakeHub(FILES, { gate: { token: "secret", status: 401, code: "GatedRepo" } });
    const repository = await open(hub, { token: undefined, env: { HF_TOKEN: " secret\n" } });
    await repository.path("model.safetensors");
    const bytes = await repository.peek("onnx/model.onnx");
    expect(new Uint8Array(await bytes.slice(10, 20))).toEqual(weights.slice(15, 25));
    const told = (host: string) =>
      new Set(hub.seen.filter((request) => request.host === host).map(({ token }) => token));
    expect([told("hub"), told("storage")]).toEqual([new Set(["Bearer secret"]), new Set([undefined])]);
  });

  it("stops at an abort, and goes on from there", async () => {
    const hub = await fakeHub(FILES, { cut: () => 300_000 });
    const stop = new AbortController();
    const note = () => stop.abort(new Error("enough"));
    await expect((await open(hub, { signal: stop.signal, note })).path("model.safetensors")).rejects.toThrow("enough");
    expect((await stat(join(folder(), "blobs", `${sha256(weights)}.incomplete`))).size).toBe(300_000);
    hub.mood.cut = () => Number.POSITIVE_INFINITY;
    await (await open(hub)).path("model.safetensors");
    expect(hub.seen.at(-1)!.range).toBe("bytes=300000-");
    expect(await readdir(join(cacheDir, ".locks", "models--org--name"))).toEqual([]);
  });

  it("stops at an abort as the last bytes arrive", async () => {
    const stop = new AbortController();
    const onProgress = (event: ProgressEvent) =>
      event.status === "progress" && event.loaded > 0 && stop.abort(new Error("enough"));
    const repository = await open(await fakeHub(FILES), { signal: stop.signal, onProgress });
    await expect(repository.path("model.safetensors")).rejects.toThrow("enough");
  });

  it("loads a file once for several that ask at the same time", async () => {
    const hub = await fakeHub(FILES);
    const [one, other] = [await open(hub), await open(hub)];
    await Promise.all([one, other, one].map((repository) => repository.path("model.safetensors")));
    expect(hub.seen.filter(({ host }) => host === "storage")).toHaveLength(1);
  });

  it("takes over what a Python that is gone has left half done", async () => {
    const [blobs, locks] = [join(folder(), "blobs"), join(cacheDir, ".locks", "models--org--name")];
    for (const dir of [blobs, locks]) await mkdir(dir, { recursive: true });
    const files = [join(blobs, `${sha256(weights)}.incomplete`), join(locks, `${sha256(weights)}.lock`)] as const;
    await writeFile(files[0], weights.subarray(0, 1000));
    await writeFile(files[1], "");
    const then = new Date(Date.now() - 20_000);
    for (const file of files) await utimes(file, then, then);
    const hub = await fakeHub(FILES);
    await (await open(hub)).path("model.safetensors");
    expect(hub.seen.at(-1)!.range).toBe("bytes=1000-");
    expect(await readdir(locks)).toEqual([]);
  });

  it("loads a damaged blob again", async () => {
    const hub = await fakeHub(FILES);
    const path = await (await open(hub)).path("model.safetensors");
    await writeFile(path, "cut");
    expect((await stat(await (await open(hub)).path("model.safetensors"))).size).toBe(700_000);
  });

  it("finds a full disk before it loads anything", async () => {
    const hub = await fakeHub(FILES);
    const remote = { endpoint: hub.url, token: undefined, id: "org/name" };
    const facts = await factsOfFile(remote, COMMIT, "model.safetensors", {});
    const blob = join(await temporaryFolder(), facts.etag);
    const job = { remote, commit: COMMIT, name: "model.safetensors", facts, blob, http: {}, onBytes: () => undefined };
    await expect(downloadBlob({ ...job, free: async () => 1000 })).rejects.toThrow(
      /the disk is full: expected 700000 bytes of space, got 1000\n {2}help: free some space/,
    );
    expect(gets(hub)).toEqual([]);
    await downloadBlob(job);
    expect(sha256(await readFile(blob))).toBe(facts.etag);
  });

  it("refuses names that lead out of the cache, also a server's", async () => {
    const repository = await open(await fakeHub(FILES));
    for (const name of ["../x", "/etc/passwd", "a/../../b", "", "a\\..\\b", "C:x", "nul"])
      await expect(repository.path(name)).rejects.toThrow(/expected the name of a file inside/);
    await expect(open(await fakeHub({ "../../evil": "x" }))).rejects.toThrow(/expected the name of a file inside/);
    const odd = await fakeHub(FILES, { etag: (name) => (name === "config.json" ? '"../../evil"' : undefined) });
    await (await open(odd)).path("config.json");
    expect(await readdir(join(folder(), "blobs"))).toEqual([expect.stringMatching(/^etag-[0-9a-f]{64}$/)]);
  });
});

describe("resolveRepository of this computer", () => {
  it("reads folders, subfolders and single files", async () => {
    const root = await temporaryFolder();
    await writeFiles(root, { "config.json": config, "onnx/model.onnx": "x", ".hidden": "x", "a.partial": "x" });
    const repository = await resolveRepository(root);
    expect(repository).toMatchObject({ kind: "folder", dir: root, revision: undefined });
    expect((await repository.files()).map(({ name }) => name)).toEqual(["config.json", "onnx/model.onnx"]);
    expect([await repository.has("config.json"), await repository.has("vocab.txt")]).toEqual([true, false]);
    await expect(repository.path("confg.json")).rejects.toThrow(/did you mean "config.json"/);
    await expect(repository.path("../x")).rejects.toThrow(/inside/);
    expect(await (await resolveRepository(`${root}/`, { subfolder: "onnx/" })).path("model.onnx")).toBe(
      join(root, "onnx/model.onnx"),
    );
    const single = await resolveRepository(join(root, "config.json"));
    expect(single).toMatchObject({ kind: "file", dir: root, file: "config.json" });
    const bytes = await single.open("config.json");
    expect(Buffer.from(await bytes.slice(0)).toString()).toBe(config);
    await bytes.close();
  });

  it.each([
    "./nothing/here",
    "/nowhere",
    "a/b/c",
    "model.safetensors",
    "runs/model.pt",
    "with space/x",
    "../../..x",
    "-x/y",
    "a--b/c",
  ])("says that there is no %s, without asking the network", async (path) => {
    const failed = resolveRepository(path, { env: { HF_ENDPOINT: "http://127.0.0.1:1" }, retries: 0 });
    await expect(failed).rejects.toThrow(/expected a folder, a file, or a repository of the Hub/);
  });

  it.each([
    ["org/name@v1", "v1"],
    ["hf://org/name@v1", "v1"],
    ["https://huggingface.co/org/name/tree/v1", "v1"],
    ["https://huggingface.co/org/name", "main"],
  ])("reads the Hub's spelling %s", async (text, revision) => {
    const hub = await fakeHub(FILES);
    hub.commits.set("v1", "e".repeat(40));
    const repository = await resolveRepository(text, options(hub));
    expect(repository).toMatchObject({ name: "org/name", revision: hub.commits.get(revision) });
  });
});

describe("placeBlob", () => {
  const refuse = (code: string) => async () => {
    throw Object.assign(new Error(code), { code });
  };
  it("takes a second name or a copy where there are no symbolic links", async () => {
    const root = await temporaryFolder();
    await writeFiles(root, { "blobs/b": "new", "snapshots/c/file": "old" });
    const [blob, path] = [join(root, "blobs/b"), join(root, "snapshots/c/file")];
    const { link } = await import("node:fs/promises");
    await placeBlob(blob, path, { symlink: refuse("EPERM"), link });
    expect((await stat(path)).ino).toBe((await stat(blob)).ino);
    await placeBlob(blob, path, { symlink: refuse("EPERM"), link: refuse("ENOTSUP") });
    expect((await stat(path)).ino).not.toBe((await stat(blob)).ino);
    expect(await readFile(path, "utf8")).toBe("new");
    await expect(placeBlob(blob, path, { symlink: refuse("ENOSPC"), link })).rejects.toThrow("ENOSPC");
    expect(await readdir(join(root, "snapshots/c"))).toEqual(["file"]);
  });

  it("replaces a link to a blob that is gone", async () => {
    const root = await temporaryFolder();
    await writeFiles(root, { "blobs/b": "new", "snapshots/c/other": "" });
    await symlink("../../blobs/gone", join(root, "snapshots/c/file"));
    await placeBlob(join(root, "blobs/b"), join(root, "snapshots/c/file"));
    expect(await readFile(join(root, "snapshots/c/file"), "utf8")).toBe("new");
  });

  it("reads no revision out of the repository", async () => {
    const cached = new CachedRepository(cacheDir, "org/name");
    await cached.saveCommit("main", COMMIT);
    expect(await cached.commitOf("main")).toBe(COMMIT);
    expect(await cached.commitOf("other")).toBeUndefined();
    await writeFile(join(folder(), "refs", "broken"), "not a commit");
    expect(await cached.commitOf("broken")).toBeUndefined();
  });
});

describe("openModel with peek", () => {
  it("reads what tensors there are without loading them", async () => {
    const entries = entriesOf({ "a.weight": tensor("float32", [600, 500], new Float32Array(3e5)) });
    const path = join(await temporaryFolder(), "m.safetensors");
    await saveSafetensors(path, entries);
    const hub = await fakeHub({ "config.json": config, "model.safetensors": await readFile(path) });
    await using model = await openModel("org/name", { ...options(hub), peek: true });
    expect([...model.weights.tensors.keys()]).toEqual(["a.weight"]);
    expect(model.config).toEqual({ model_type: "flava" });
    expect(await readdir(join(folder(), "blobs"))).toEqual([gitSha1(Buffer.from(config))]);
    const asked = hub.seen.filter(({ host }) => host === "storage").map(({ range }) => range);
    expect(asked.every((range) => Number(range!.split("-")[1]) < 2 ** 17)).toBe(true);
  });
});
