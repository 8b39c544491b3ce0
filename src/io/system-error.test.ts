import { mkdir, open, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../test/support/data-fixtures.ts";
import { FileError } from "../errors.ts";
import { systemError } from "./system-error.ts";

describe("systemError", () => {
  it("names the place and the reason of whatever the system refused", async () => {
    const folder = await temporaryFolder();
    const [none, there] = [join(folder, "none"), join(folder, "there")];
    await mkdir(there);
    const failures: [() => Promise<unknown>, string][] = [
      [() => readFile(none), `${none}: expected open to succeed, got ENOENT: no such file or directory`],
      [() => readdir(none), `${none}: expected scandir to succeed, got ENOENT: no such file or directory`],
      [() => mkdir(there), `${there}: expected mkdir to succeed, got EEXIST: file already exists`],
      [() => open(there, "w"), `${there}: expected open to succeed, got EISDIR: illegal operation on a directory`],
    ];
    for (const [failing, message] of failures) {
      const error = systemError(await failing().catch((e) => e));
      expect(error).toBeInstanceOf(FileError);
      expect((error as Error).message).toBe(message);
    }
    const full = Object.assign(new Error("ENOSPC: no space left on device, write"), {
      code: "ENOSPC",
      syscall: "write",
    });
    expect((systemError(full) as Error).message).toMatch(/^the system: the disk is full/);
  });

  it("leaves bugs as they are", () => {
    const bug = new TypeError("undefined is not a function");
    expect(systemError(bug)).toBe(bug);
    expect(systemError("text")).toBe("text");
  });
});
