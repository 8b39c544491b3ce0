import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FileError } from "../errors.ts";
import { lockFolder } from "./lock.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "flava-lock-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const DIST = new URL("../../dist/io/lock.js", import.meta.url).href;

/** A process that locks the folder, says so and stays until it is killed. */
async function holder(): Promise<ReturnType<typeof spawn>> {
  const code = `const { lockFolder } = await import(${JSON.stringify(DIST)}); await lockFolder(${JSON.stringify(folder)}); console.log("locked"); setInterval(() => {}, 1000)`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout!, "data");
  return child;
}

const text = (): Promise<string> => readFile(join(folder, ".lock"), "utf8");

describe("lockFolder", () => {
  it("gives the folder to one at a time, and leaves nothing behind", async () => {
    {
      await using _lock = await lockFolder(folder);
      const error = await lockFolder(folder).catch((e) => e);
      expect(error).toBeInstanceOf(FileError);
      expect(error.message).toContain(`process ${process.pid} on `);
    }
    expect(await readdir(folder)).toEqual([]);
    await using _again = await lockFolder(folder);
  });

  it("waits where it is asked to, and says for whom", async () => {
    const notes: string[] = [];
    const first = await lockFolder(folder);
    const second = lockFolder(folder, { wait: true, note: (line) => notes.push(line) });
    await new Promise((resolve) => setTimeout(resolve, 50));
    await first[Symbol.asyncDispose]();
    await using _lock = await second;
    expect(notes).toEqual([expect.stringMatching(/\.lock: waiting for process \d+ on /)]);
    await expect(lockFolder(folder, { wait: true, signal: AbortSignal.timeout(20) })).rejects.toThrow(/abort|timeout/i);
  });

  it("is refused to a second process, and taken over once the first was killed", async () => {
    const child = await holder();
    await expect(lockFolder(folder)).rejects.toThrow(new RegExp(`process ${child.pid} on .* holds`));
    child.kill("SIGKILL");
    await once(child, "exit");
    await using _lock = await lockFolder(folder);
    expect(JSON.parse(await text())).toMatchObject({ pid: process.pid });
  });

  it.runIf(process.platform === "linux")(
    "is taken over from a killed process whose parent does not ask for it",
    async () => {
      const code = `const { lockFolder } = await import(${JSON.stringify(DIST)}); await lockFolder(${JSON.stringify(folder)}); console.log("locked"); process.kill(process.pid, "SIGKILL")`;
      const script = `"$0" --input-type=module -e "$1" & exec sleep 30`;
      const parent = spawn("sh", ["-c", script, process.execPath, code], { stdio: ["ignore", "pipe", "inherit"] });
      await once(parent.stdout!, "data");
      await new Promise((done) => setTimeout(done, 200));
      try {
        await using _lock = await lockFolder(folder);
        expect(JSON.parse(await text())).toMatchObject({ pid: process.pid });
      } finally {
        parent.kill("SIGKILL");
      }
    },
  );

  it("is taken over from a process whose id another one has now", async () => {
    const child = await holder();
    await writeFile(join(folder, ".lock"), (await text()).replace(/"started":"\d+"/, '"started":"1"'));
    await using _lock = await lockFolder(folder);
    child.kill();
  });

  it("is taken over from another machine only after three minutes without a sign", async () => {
    const owner = JSON.stringify({ id: "x", pid: 1, started: "1", machine: "elsewhere pid:[1]" });
    await writeFile(join(folder, ".lock"), owner);
    await expect(lockFolder(folder)).rejects.toThrow(/process 1 on elsewhere holds\n {2}help: .* three minutes/);
    const before = new Date(Date.now() - 181_000);
    await utimes(join(folder, ".lock"), before, before);
    await using _lock = await lockFolder(folder);
  });

  it("a file cut off by a crash counts as a lock until it is old", async () => {
    await writeFile(join(folder, ".lock"), '{"id');
    await expect(lockFolder(folder)).rejects.toThrow(/another process holds/);
    await utimes(join(folder, ".lock"), new Date(0), new Date(0));
    await using _lock = await lockFolder(folder);
  });

  it("of many that take over one lock at once, one gets it", async () => {
    await writeFile(join(folder, ".lock"), "");
    await utimes(join(folder, ".lock"), new Date(0), new Date(0));
    const results = await Promise.allSettled(Array.from({ length: 20 }, () => lockFolder(folder)));
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(await readdir(folder)).toEqual([".lock"]);
  });

  it("names a folder that is missing", async () => {
    await expect(lockFolder(join(folder, "none"))).rejects.toThrow(/none\/\.lock: .* got ENOENT \(open\)/);
  });
});
