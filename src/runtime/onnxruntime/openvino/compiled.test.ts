/** What OpenVINO has compiled, kept on disk; a function stands for the provider. */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { temporaryFolder } from "../../../../test/support/data-fixtures.ts";
import type { Session } from "../../session.ts";
import { type Compiled, createCompiled } from "./compiled.ts";

const session = { name: "a session" } as Session;

describe("createCompiled", () => {
  let folder: string;
  let seen: string[];
  const warnings: string[] = [];
  const onWarning = ({ message }: Error): unknown => warnings.push(message);
  const BLOB = "12.blob";

  /** As OpenVINO: takes the file that is there, else compiles and writes it. */
  const provider = async (at: string | undefined): Promise<Session> => {
    const there = at !== undefined && (await readdir(at)).includes(BLOB);
    seen.push(at === undefined ? "no folder" : there ? "from disk" : "compiled");
    if (at !== undefined && !there) await writeFile(join(at, BLOB), "a compiled graph");
    return session;
  };
  const what = (more: Partial<Compiled> = {}): Compiled => ({
    where: "step",
    model: Uint8Array.of(1, 2, 3),
    besides: "build 1",
    create: provider,
    ...more,
  });
  const make = (more: Partial<Compiled> = {}, options = {}) =>
    createCompiled(what(more), { folder, minMs: 0, ...options });
  const kept = async (): Promise<string[]> => (await readdir(folder)).filter((name) => name.endsWith(".openvino"));

  beforeEach(async () => {
    folder = join(await temporaryFolder(), "compiled");
    seen = [];
    warnings.length = 0;
    process.on("warning", onWarning);
  });
  afterEach(() => void process.off("warning", onWarning));

  it("takes from disk what was compiled before, of the same model, build and options alone", async () => {
    expect(await make()).toBe(session);
    await make();
    await make({ model: Uint8Array.of(1, 2, 4) });
    await make({ besides: "build 2" });
    expect(seen).toEqual(["compiled", "from disk", "compiled", "compiled"]);
    expect(await kept()).toHaveLength(3);
    expect(await readdir(folder)).toHaveLength(3); // and nothing unfinished
  });

  it("keeps nothing that took less time than it is told, and nothing of what failed", async () => {
    await make({}, { minMs: 1e9 });
    const failing = async (at: string | undefined): Promise<Session> => {
      await writeFile(join(at!, BLOB), "half of it");
      throw new Error("refused");
    };
    await expect(make({ create: failing })).rejects.toThrow("refused");
    expect(await readdir(folder)).toEqual([]);
    await createCompiled(what(), false);
    expect(seen.at(-1)).toBe("no folder");
  });

  it("compiles again, with a warning, what is damaged, cut off or has lost its list", async () => {
    await make();
    const [name] = await kept();
    const at = join(folder, name!);
    const list = await readFile(join(at, "files.json"), "utf8");
    for (const [file, content] of [
      [BLOB, "another graph"],
      [BLOB, ""],
      ["files.json", "{"],
      ["files.json", "{}"],
      ["stranger.blob", "?"],
    ] as const) {
      await writeFile(join(at, file), content);
      await make();
      expect(seen.at(-1), file).toBe("compiled");
      expect(await readFile(join(at, "files.json"), "utf8")).toBe(list);
    }
    await new Promise((resolve) => setImmediate(resolve));
    expect(warnings.filter((line) => /files that are damaged: compiling step again/.test(line))).toHaveLength(5);
  });

  it("is shared by two that compile the same, and does not stop where nothing can be kept", async () => {
    await Promise.all([make(), make()]);
    expect(seen).toEqual(["compiled", "from disk"]);
    const file = join(folder, "file");
    await writeFile(file, "");
    expect(await make({}, { folder: file })).toBe(session);
    expect(seen.at(-1)).toBe("no folder");
    await new Promise((resolve) => setImmediate(resolve));
    expect(warnings.join()).toMatch(/step is compiled, and could not be kept/);
  });

  it("keeps to the bytes that it is given: what was not used for longest goes", async () => {
    for (let i = 0; i < 4; i++) await make({ model: Uint8Array.of(i) }, { maxBytes: 300 });
    const left = await kept();
    expect(left.length).toBeGreaterThan(0);
    expect(left.length).toBeLessThan(4);
  });
});
