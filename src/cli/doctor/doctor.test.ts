import { spawnSync } from "node:child_process";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeEach, describe, expect, it } from "vitest";
import { temporaryFolder, writeFiles } from "../../../test/support/data-fixtures.ts";
import { fakeHub } from "../../../test/support/fake-hub.ts";
import { type Finding, findingsText } from "./finding.ts";
import { memoryFinding, processorFinding } from "./machine.ts";
import { cacheFindings, hubFindings, type PlaceCalls } from "./places.ts";

const MAIN = fileURLToPath(new URL("../../../dist/cli/bin.js", import.meta.url));
let root: string;
beforeEach(async () => {
  root = await temporaryFolder();
});

/** Node without some packages, or with packages that do not load. */
const without = (names: readonly string[]): Record<string, string> => {
  const hook = `export async function resolve(s, c, next) { if (${JSON.stringify(names)}.includes(s)) throw new Error(s + " has no binary here"); return next(s, c); }`;
  const register = `import { register } from "node:module"; register("data:text/javascript," + ${JSON.stringify(encodeURIComponent(hook))});`;
  return { NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(register)}` };
};

function doctor(env: Readonly<Record<string, string>>): {
  code: number | null;
  findings: Map<string, Finding>;
  stderr: string;
} {
  const all = { ...process.env, HF_HUB_OFFLINE: "1", HF_HOME: join(root, "hf"), ...env };
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, "doctor", "--quick", "--json"], {
    env: all,
    encoding: "utf8",
  });
  const { findings } = JSON.parse(stdout) as { findings: Finding[] };
  return { code: status, findings: new Map(findings.map((finding) => [finding.name, finding])), stderr };
}

describe("flava doctor", () => {
  it("says that everything works where it does", () => {
    const { code, findings } = doctor({});
    expect([...findings.values()].filter(({ status }) => status === "broken")).toEqual([]);
    expect(code).toBe(0);
    expect(findings.get("Hub")).toMatchObject({
      status: "note",
      found: expect.stringContaining("HF_HUB_OFFLINE is set"),
    });
    expect(findings.get("cpu")!.found).toMatch(/^ONNX Runtime/);
  });

  it("without the binary of koffi, without sharp and with a cache that is no folder: says so and what to do, and ends with 1", async () => {
    await writeFile(join(root, "file"), "");
    const { code, findings } = doctor({ ...without(["koffi", "sharp"]), HF_HUB_CACHE: join(root, "file", "hub") });
    expect(code).toBe(1);
    expect(findings.get("cpu")).toMatchObject({
      status: "broken",
      found: expect.stringMatching(/koffi does not load here/),
      help: "npm install koffi",
    });
    expect(findings.get("pictures")).toMatchObject({
      status: "broken",
      found: expect.stringMatching(/sharp has no binary here/),
      help: "npm install sharp",
    });
    expect(findings.get("cache")).toMatchObject({
      status: "broken",
      found: expect.stringMatching(/file.*ENOTDIR/),
      help: expect.stringMatching(/HF_HUB_CACHE/),
    });
    expect(findings.get("tokenizer")!.status).toBe("ok");
  });
});

const calls = (more: Partial<PlaceCalls> = {}): PlaceCalls => ({
  freeBytes: async () => 1e12,
  writeFile: (path, data) => writeFile(path, data),
  fetch,
  ...more,
});

describe("the cache", () => {
  it("is measured", async () => {
    await writeFiles(root, { "hub/models--a--b/blobs/x": "12345", "hub/models--a--b/blobs/y.incomplete": "1" });
    const [cache, disk] = await cacheFindings({ HF_HOME: root }, calls());
    expect(cache).toEqual({
      name: "cache",
      status: "ok",
      found: `${root}/hub: 1 model, 6 B; not complete: 1`,
    });
    expect(disk).toMatchObject({ status: "ok", found: expect.stringMatching(/931 GiB free/) });
  });

  it("on a full disk is broken, and on a nearly full one a warning", async () => {
    await mkdir(join(root, "hub"));
    const full = Object.assign(new Error("ENOSPC: no space left on device, write"), {
      code: "ENOSPC",
      syscall: "write",
    });
    const refuse = async () => Promise.reject(full);
    const [cache, disk] = await cacheFindings(
      { HF_HOME: root },
      calls({ freeBytes: async () => 0, writeFile: refuse }),
    );
    expect(cache).toMatchObject({
      status: "broken",
      found: expect.stringMatching(/the disk is full \(ENOSPC/),
      help: expect.stringMatching(/free some space/),
    });
    expect(disk).toMatchObject({
      status: "broken",
      found: expect.stringMatching(/^0 B free/),
      help: expect.stringMatching(/HF_HUB_CACHE/),
    });
    const [, low] = await cacheFindings({ HF_HOME: root }, calls({ freeBytes: async () => 1e9 }));
    expect(low!.status).toBe("warning");
  });

  it("that may not be written is broken", async () => {
    await mkdir(join(root, "hub"));
    const denied = Object.assign(new Error("EACCES: permission denied, open"), { code: "EACCES", syscall: "open" });
    const [cache] = await cacheFindings({ HF_HOME: root }, calls({ writeFile: async () => Promise.reject(denied) }));
    expect(cache).toMatchObject({
      status: "broken",
      found: expect.stringMatching(/EACCES/),
      help: "choose a place that this user may use",
    });
  });

  it.skipIf(process.getuid?.() === 0)("that may not be read is broken", async () => {
    await mkdir(join(root, "hub"), { mode: 0 });
    const [cache] = await cacheFindings({ HF_HOME: root }, calls());
    await chmod(join(root, "hub"), 0o700);
    expect(cache).toMatchObject({ status: "broken", found: expect.stringMatching(/EACCES/) });
  });
});

describe("the Hub", () => {
  const hub = async (env: NodeJS.ProcessEnv) =>
    new Map((await hubFindings({ HF_HOME: root, ...env }, calls())).map((each) => [each.name, each]));

  it("that does not answer is a warning that names a proxy Node passes over", async () => {
    const found = await hub({ HF_ENDPOINT: "http://127.0.0.1:9", HTTPS_PROXY: "http://proxy" });
    expect(found.get("Hub")).toMatchObject({
      status: "warning",
      help: expect.stringMatching(/^HTTPS_PROXY is set.*HF_HUB_OFFLINE=1/),
    });
    expect(found.get("token")).toMatchObject({ status: "note", found: "none" });
  });

  it("that refuses the token is a warning which does not show it", async () => {
    const { url } = await fakeHub({}, { gate: { token: "right", status: 401, code: "" } });
    const found = await hub({ HF_ENDPOINT: url, HF_TOKEN: "hf_secret" });
    expect(found.get("Hub")).toMatchObject({
      status: "warning",
      found: expect.stringMatching(/refuses the token from HF_TOKEN$/),
    });
    expect(JSON.stringify([...found.values()])).not.toContain("hf_secret");
  });

  it("is fine where it answers; a token's file that cannot be read is a warning", async () => {
    const { url } = await fakeHub({});
    const found = await hub({ HF_ENDPOINT: url, HF_TOKEN_PATH: root });
    expect(found.get("Hub")).toMatchObject({ status: "ok", found: expect.stringMatching(/answers in \d+ ms/) });
    expect(found.get("token")).toMatchObject({ status: "warning", found: expect.stringMatching(/EISDIR/) });
  });
});

describe("the limits of a container", () => {
  it("are said with what to do", () => {
    expect(processorFinding("CPU", 8, 1.5)).toMatchObject({
      status: "warning",
      found: expect.stringMatching(/1\.5 of them/),
      help: expect.stringMatching(/threads=1 in/),
    });
    expect(processorFinding("CPU", 8, undefined).status).toBe("ok");
    expect(memoryFinding(32 * 2 ** 30, 2 ** 30)).toMatchObject({
      status: "warning",
      found: expect.stringMatching(/32 GiB, of which .* 1\.0 GiB/),
    });
    expect(memoryFinding(32 * 2 ** 30, 2 ** 63).status).toBe("ok");
  });
});

describe("findingsText", () => {
  it("puts names in a column and what to do below", () => {
    const text = findingsText([
      { name: "a", status: "ok", found: "fine" },
      { name: "longer", status: "broken", found: "gone", help: "fetch it" },
    ]);
    expect(text).toBe("✓ a       fine\n✗ longer  gone\n          help: fetch it\n\n1 broken");
  });
});
