/** `flava engine` as it is typed, against an index on this computer. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeEach, describe, expect, it } from "vitest";
import { temporaryFolder } from "../../test/support/data-fixtures.ts";
import { fakeIndex, wheelOf } from "../../test/support/fake-index.ts";

const MAIN = fileURLToPath(new URL("../../dist/cli/bin.js", import.meta.url));
const FILE = "libtpu-0.9.1-py3-none-manylinux_2_17_x86_64.manylinux_2_17_aarch64.whl";
const LIBRARY = randomBytes(300_000); // does not get smaller in an archive

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

describe.skipIf(process.platform !== "linux")("flava engine", () => {
  let root: string;
  let env: NodeJS.ProcessEnv;
  beforeEach(async () => {
    root = await temporaryFolder();
    env = {
      ...process.env,
      HOME: root,
      HF_HOME: "~/hf",
      PIP_CONFIG_FILE: "/dev/null",
      PIP_FIND_LINKS: "",
      HF_HUB_OFFLINE: "",
    };
  });

  function flava(
    args: readonly string[],
    onStderr: (text: string, kill: () => void) => void = () => undefined,
  ): Promise<Ended> {
    const child = spawn(process.execPath, [MAIN, "engine", ...args], { env });
    let [stdout, stderr, killed] = ["", "", false];
    const kill = (): void => {
      if (!killed) child.kill("SIGINT");
      killed = true;
    };
    child.stdout.on("data", (chunk) => {
      stdout += String(chunk);
    });
    child.stderr.on("data", (chunk) => {
      stderr += String(chunk);
      onStderr(stderr, kill);
    });
    return new Promise((resolve) => child.on("close", (code) => resolve({ code, stdout, stderr })));
  }

  it("says what it would fetch, fetches it into the cache below ~, lists it and removes it", async () => {
    const index = await fakeIndex({ [FILE]: wheelOf(FILE, { "libtpu/libtpu.so": LIBRARY }) });
    env.PIP_INDEX_URL = index.url;
    const plan = await flava(["add", "xla-tpu", "--version", "0.9.1", "--dry-run"]);
    expect(plan.stdout).toMatch(/libtpu-0\.9\.1.*\n.*to fetch, for .*xla-tpu-0\.9\.1; nothing was fetched/);
    expect(existsSync(join(root, "hf"))).toBe(false);
    const added = JSON.parse((await flava(["add", "xla-tpu", "--json", "--quiet"])).stdout);
    const folder = join(root, "hf", "flava", "engines", "xla-tpu-0.9.1");
    expect(added).toMatchObject({ folder, wasThere: false, version: "0.9.1", device: "xla:tpu" });
    const listed = JSON.parse((await flava(["list", "--json"])).stdout) as {
      engines: { name: string; installed: unknown[] }[];
    };
    const tpu = listed.engines.find(({ name }) => name === "xla-tpu")!;
    expect(tpu.installed[0]).toMatchObject({
      where: "cache",
      version: "0.9.1",
      bytes: LIBRARY.length,
      library: join(folder, "libtpu/libtpu.so"),
    });
    expect((await flava(["remove", "xla-tpu"])).stdout).toMatch(/^removed .*xla-tpu-0\.9\.1: 293 KiB\n$/);
    expect(await readdir(join(folder, ".."))).toEqual([]);
    expect(await flava(["remove", "xla-tpu"])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/nothing of it in/),
    });
  });

  it("ends with 130 at Ctrl-C and leaves no engine; what has come is gone on with", async () => {
    const index = await fakeIndex({ [FILE]: wheelOf(FILE, { "libtpu/libtpu.so": LIBRARY }) });
    env.PIP_INDEX_URL = index.url;
    index.mood.cut = () => 200_000;
    const { code, stderr } = await flava(["add", "xla-tpu"], (text, kill) => text.includes("attempt 2") && kill());
    expect(stderr).toMatch(/cancelled; what has come is kept/);
    expect(code).toBe(130);
    expect(await readdir(join(root, "hf", "flava", "engines"))).toEqual([".wheels-xla-tpu"]);
    delete index.mood.cut;
    index.seen.length = 0;
    expect((await flava(["add", "xla-tpu"])).code).toBe(0);
    expect(index.seen.at(-1)).toMatch(/ bytes=[1-9]\d+-/);
  });

  it("offers the names that there are", async () => {
    expect(await flava(["add", "xla-cuda"])).toMatchObject({ code: 2, stderr: expect.stringMatching(/xla-cuda13/) });
  });
});
