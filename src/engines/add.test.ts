/** Engines from an index on this computer: fetched, checked, unpacked, listed and removed. */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { temporaryFolder, writeFiles } from "../../test/support/data-fixtures.ts";
import { type FakeIndex, fakeIndex, wheelOf, zipOf } from "../../test/support/fake-index.ts";
import { EngineError, FileError, FlavaError } from "../errors.ts";
import { PARTIAL, systemError } from "../io/index.ts";
import { type AddOptions, addEngine, planEngine } from "./add.ts";
import { listEngines } from "./list.ts";
import type { PipConfig } from "./pip-config.ts";
import { findInPackages } from "./places.ts";
import { removeEngine } from "./remove.ts";

const LIBRARY = "lammps_jax_pjrt_cpu/pjrt_c_api_cpu_plugin.so";
const CODE = randomBytes(60_000); // does not get smaller in an archive
const nameOf = (version: string, tag = "manylinux_2_17_x86_64"): string =>
  `lammps_jax_pjrt_cpu-${version}-py3-none-${tag}.whl`;
const pluginOf = (version: string, more: Record<string, string> = {}): Buffer =>
  wheelOf(nameOf(version), {
    [LIBRARY]: CODE,
    "lammps_jax_pjrt_cpu/__init__.py": "import this",
    "lammps_jax_pjrt_cpu/_core.cpython-311-x86_64-linux-gnu.so": "a module of Python",
    [`lammps_jax_pjrt_cpu-${version}.dist-info/licenses/LICENSE`]: "do as you like",
    ...more,
  });
const WHEELS = {
  [nameOf("0.9.2")]: pluginOf("0.9.2"),
  [nameOf("0.11.2")]: pluginOf("0.11.2"),
  [nameOf("0.12.0rc1")]: pluginOf("0.12.0rc1"),
  [nameOf("0.13.0", "manylinux_2_17_aarch64")]: pluginOf("0.13.0"),
  [nameOf("0.14.0", "manylinux_2_99_x86_64")]: pluginOf("0.14.0"),
};

let root: string;
let index: FakeIndex;
let notes: string[];
const machine = { platform: "linux", arch: "x64", glibc: "2.36" };
const pipWith = (more: Partial<PipConfig> = {}): PipConfig => ({
  indexes: [index.url],
  findLinks: [],
  trustedHosts: [],
  cert: undefined,
  proxy: undefined,
  timeoutMs: 5000,
  retries: 3,
  files: [],
  ...more,
});
const options = (more: AddOptions = {}): AddOptions => ({
  folder: root,
  machine,
  pip: pipWith(),
  env: {},
  note: (line) => notes.push(line),
  ...more,
});
const left = async (): Promise<string[]> => (await readdir(root)).sort();

beforeEach(async () => {
  root = join(await temporaryFolder(), "engines");
  notes = [];
  index = await fakeIndex(WHEELS);
});

describe("addEngine", () => {
  it("takes the newest release for this machine, and of its wheel libraries and licences alone", async () => {
    const stages = new Set<string>();
    const { folder, manifest, wasThere } = await addEngine(
      "xla-cpu",
      options({ onProgress: ({ stage }) => stages.add(stage) }),
    );
    expect(folder).toBe(join(root, "xla-cpu-0.11.2"));
    expect(wasThere).toBe(false);
    expect(
      (await readdir(folder, { recursive: true, withFileTypes: true }))
        .filter((e) => e.isFile())
        .map((e) => e.name)
        .sort(),
    ).toEqual(["LICENSE", "engine.json", "pjrt_c_api_cpu_plugin.so"]);
    expect((await readFile(join(folder, LIBRARY))).equals(CODE)).toBe(true);
    expect(manifest).toMatchObject({ engine: "xla-cpu", version: "0.11.2", device: "xla:cpu", library: LIBRARY });
    expect([...stages]).toEqual(["download", "unpack"]);
    expect(await left()).toEqual(["xla-cpu-0.11.2"]);
    expect((await findInPackages([LIBRARY], { engines: root, python: [] })).path).toBe(join(folder, LIBRARY));
  });

  it("fetches nothing where it is there and whole, and all of it where a file has gone", async () => {
    const { folder } = await addEngine("xla-cpu", options());
    index.seen.length = 0;
    expect(await addEngine("xla-cpu", options())).toMatchObject({ folder, wasThere: true });
    expect(index.seen).toEqual(["/simple/lammps-jax-pjrt-cpu/"]);
    await rm(join(folder, LIBRARY));
    expect(await addEngine("xla-cpu", options())).toMatchObject({ folder, wasThere: false });
    expect(notes.join()).toMatch(/pjrt_c_api_cpu_plugin\.so is gone: fetching it again/);
    expect(existsSync(join(folder, LIBRARY))).toBe(true);
  });

  it("takes the version that is asked for, also one that is no release or withdrawn, in place of the other", async () => {
    index.mood.yanked = [nameOf("0.11.2")];
    expect((await addEngine("xla-cpu", options())).manifest.version).toBe("0.9.2");
    const { replaced } = await addEngine("xla-cpu", options({ version: "0.12rc1" }));
    expect(replaced).toEqual([join(root, "xla-cpu-0.9.2")]);
    expect(await left()).toEqual(["xla-cpu-0.12.0rc1"]);
    await expect(addEngine("xla-cpu", options({ version: "7" }))).rejects.toThrow(
      /of version 7: lammps-jax-pjrt-cpu has 0\.12\.0rc1, 0\.11\.2, 0\.9\.2/,
    );
  });

  it("reads pages of HTML, and indexes with credentials", async () => {
    Object.assign(index.mood, { html: true, login: "me:se/cret" });
    await expect(addEngine("xla-cpu", options())).rejects.toThrow(/got 401.*help: give credentials/s);
    const indexUrl = index.url.replace("//", "//me:se%2Fcret@");
    const { manifest } = await addEngine("xla-cpu", options({ indexUrl }));
    expect(manifest.packages[0]).toMatchObject({ version: "0.11.2", url: expect.stringMatching(/files\/a&b\/lammps/) });
    expect(JSON.stringify(manifest) + notes.join()).not.toMatch(/cret/);
  });

  it("goes on with what an interrupted run has fetched", async () => {
    index.mood.cut = () => 30_000;
    const stop = new AbortController();
    const onProgress: AddOptions["onProgress"] = ({ done }) => done >= 30_000 && stop.abort(new Error("stopped"));
    await expect(addEngine("xla-cpu", options({ signal: stop.signal, onProgress }))).rejects.toThrow("stopped");
    expect(await left()).toEqual([".wheels-xla-cpu"]);
    delete index.mood.cut;
    index.seen.length = 0;
    await addEngine("xla-cpu", options());
    expect(index.seen.filter((line) => / bytes=30000-/.test(line))).toHaveLength(1);
    expect(index.seen.some((line) => / bytes=0-[1-9]/.test(line))).toBe(false);
    expect(await left()).toEqual(["xla-cpu-0.11.2"]);
  });

  it("drops a part that does not belong to the wheel, and fetches all of it", async () => {
    await writeFiles(root, { [`.wheels-xla-cpu/${nameOf("0.11.2")}.incomplete`]: "something else" });
    expect((await addEngine("xla-cpu", options())).manifest.version).toBe("0.11.2");
    expect(notes.join()).toMatch(/does not belong to it: fetching all of it again/);
  });

  it("is content with what is there where no index answers, or the version is the one", async () => {
    const { folder } = await addEngine("xla-cpu", options());
    const pip = pipWith({ indexes: ["http://127.0.0.1:9/simple"], retries: 0 });
    expect(await addEngine("xla-cpu", options({ pip }))).toMatchObject({ folder, wasThere: true });
    expect(notes.join()).toMatch(/no index says whether there is a newer one/);
    expect(await addEngine("xla-cpu", options({ pip, version: "0.11.2" }))).toMatchObject({ folder, wasThere: true });
    await expect(addEngine("xla-cpu", options({ pip, version: "0.9.2" }))).rejects.toThrow(/no answer/);
  });

  it("two at once share the work", async () => {
    const [a, b] = await Promise.all([addEngine("xla-cpu", options()), addEngine("xla-cpu", options())]);
    expect([a.wasThere, b.wasThere].sort()).toEqual([false, true]);
    expect(index.seen.filter((line) => /\.whl bytes=0-[1-9]/.test(line))).toHaveLength(1);
  });

  it("tries other packages of the engine, and all indexes; one that does not answer is said", async () => {
    const other = "xla_plugins/xla_cpu_pjrt/xla_cpu_pjrt.so";
    const arm = "xla_cpu_pjrt-0.0.1-py3-none-manylinux_2_27_aarch64.whl";
    const second = await fakeIndex({
      [arm]: wheelOf(arm, { [other]: "code" }),
      "fastatomstruct_xla_cpu-1-py3-none-any.whl": Buffer.of(),
    });
    index.files.delete(nameOf("0.13.0", "manylinux_2_17_aarch64"));
    const pip = pipWith({ indexes: [index.url, second.url, "http://127.0.0.1:9/simple"], retries: 0 });
    const { manifest } = await addEngine("xla-cpu", options({ machine: { ...machine, arch: "arm64" }, pip }));
    expect(manifest).toMatchObject({ version: "0.0.1", library: other });
    expect(notes.join("\n")).toMatch(/left out: http:\/\/127\.0\.0\.1:9\/.*no answer/);
  });

  it("takes wheels of a folder, without any network", async () => {
    const wheels = join(root, "..", "wheels");
    await mkdir(wheels);
    await writeFile(join(wheels, nameOf("0.9.2")), pluginOf("0.9.2"));
    const pip = pipWith({ findLinks: [wheels] });
    const { manifest } = await addEngine("xla-cpu", options({ pip, env: { HF_HUB_OFFLINE: "1" } }));
    expect(manifest.version).toBe("0.9.2");
    expect(index.seen).toEqual([]);
    await expect(planEngine("xla-cpu", options({ env: { HF_HUB_OFFLINE: "1" } }))).rejects.toThrow(
      /forbids the network.*PIP_FIND_LINKS/s,
    );
  });

  it("says what there is instead where nothing is for this machine", async () => {
    await expect(addEngine("openvino", options({ machine: { platform: "darwin", arch: "arm64" } }))).rejects.toThrow(
      /engine openvino: nothing for darwin-arm64: its packages are for linux, win32/,
    );
    const none = { ...machine, glibc: "2.9" };
    await expect(planEngine("xla-cpu", options({ machine: none }))).rejects.toThrow(
      /lammps-jax-pjrt-cpu has wheels for manylinux_2_99_x86_64; fastatomstruct-xla-cpu is not in http:.*help: .*mirror/s,
    );
    index.files.set("libtpu-0.1-py3-none-manylinux_2_31_x86_64.whl", Buffer.of());
    await expect(planEngine("xla-tpu", options({ machine: none }))).rejects.toThrow(
      /nothing for linux-x64 with glibc 2\.9: libtpu has wheels for manylinux_2_31_x86_64/,
    );
  });

  it("refuses an index without https that nobody has called trusted, and unreachable ones with what to do", async () => {
    await expect(planEngine("xla-cpu", options({ indexUrl: "http://mirror.example/simple" }))).rejects.toThrow(
      /expected https.*PIP_TRUSTED_HOST=mirror\.example/s,
    );
    const pip = pipWith({ indexes: ["http://127.0.0.1:9/simple"], retries: 0 });
    await expect(planEngine("xla-cpu", options({ pip }))).rejects.toThrow(
      /cannot be reached from here: name a mirror with PIP_INDEX_URL/,
    );
  });
});

describe("a wheel that is not what it should be", () => {
  const other = (wheel: Buffer): void => void index.files.set(nameOf("0.11.2"), wheel);
  const add = () => addEngine("xla-cpu", options());

  it("has other bytes than the index says: nothing of it stays", async () => {
    index.mood.content = (file) => (file === nameOf("0.11.2") ? pluginOf("0.11.2", { LICENSE: "x" }) : undefined);
    await expect(add()).rejects.toThrow(/expected \d+ bytes, as the index says, got a file of/);
    const right = index.files.get(nameOf("0.11.2"))!;
    index.mood.content = (file) => (file === nameOf("0.11.2") ? Buffer.from(right).fill(1, 2000, 2010) : undefined);
    await expect(add()).rejects.toThrow(/expected bytes with the SHA-256 [0-9a-f]{64}, as the index says, got/);
    expect(await readdir(join(root, ".wheels-xla-cpu"))).toEqual([]);
  });

  it("has a file that its own list does not know, or knows otherwise", async () => {
    const files = { [LIBRARY]: "code" };
    index.mood.hashes = false;
    other(wheelOf(nameOf("0.11.2"), files, () => ""));
    await expect(add()).rejects.toThrow(/expected a SHA-256 in the wheel's RECORD, got none/);
    other(wheelOf(nameOf("0.11.2"), files, (lines) => lines.replace(/sha256=..../, "sha256=AAAA")));
    await expect(add()).rejects.toThrow(/expected the SHA-256 AAAA.* of the wheel's RECORD, got/);
    expect(notes.join()).toMatch(/names no hash/);
  });

  it("has names that no folder can hold", async () => {
    const library = { [LIBRARY]: CODE };
    for (const more of [{ "x:y.so": "1" }, { "a/b.so": "1", "a/b.so/c.so": "2" }, { [`${"n".repeat(300)}.so`]: "1" }]) {
      other(wheelOf(nameOf("0.11.2"), { ...library, ...more }));
      const error = await add().catch((e) => systemError(e));
      expect(error).toBeInstanceOf(FlavaError);
      expect(await left()).toEqual([".wheels-xla-cpu"]);
    }
    other(wheelOf(nameOf("0.11.2"), { ...library, "with space/a b.so": "1" }));
    expect((await add()).manifest.files.map(({ path }) => path)).toContain("with space/a b.so");
  });

  it("has a name that leads out of the folder, is cut off, or has no library", async () => {
    other(zipOf([["../../evil.so", "code"]]));
    await expect(add()).rejects.toThrow(/DataError|expected names inside of the archive, got "\.\.\/\.\.\/evil\.so"/);
    expect(existsSync(join(root, "..", "..", "evil.so"))).toBe(false);
    other(pluginOf("0.11.2").subarray(0, 5000));
    await expect(add()).rejects.toThrow(/wheel is damaged or forged/);
    other(wheelOf(nameOf("0.11.2"), { "lammps_jax_pjrt_cpu/other.so": "code" }));
    await expect(add()).rejects.toThrow(/expected lammps_jax_pjrt_cpu\/pjrt_c_api_cpu_plugin\.so in it, got none/);
    expect(await left()).toEqual([".wheels-xla-cpu"]);
  });
});

describe("an index that is not what it should be", () => {
  it("has addresses that are none, or that nobody trusts: those files are left out, and it is said", async () => {
    for (const url of [
      "http://[bad/x.whl",
      "file:///etc/hosts",
      "http://mirror.example/x.whl",
      "javascript:alert(1)",
    ]) {
      index.mood.page = (text) => text.replaceAll(/"url":"[^"]*0\.11\.2[^"]*"/g, `"url":${JSON.stringify(url)}`);
      expect((await planEngine("xla-cpu", options())).choice.version).toBe("0.9.2");
      expect(notes.splice(0).join()).toMatch(/: 1 files left out: expected addresses with https, got /);
    }
    index.mood.html = true;
    index.mood.page = (text) => `<base href="http://[bad"><a href="%zz.whl">%zz.whl</a>${text}`;
    expect((await planEngine("xla-cpu", options())).choice.version).toBe("0.11.2");
    index.mood.page = () => "null";
    await expect(planEngine("xla-cpu", options())).rejects.toThrow(EngineError);
  });

  it("has an address that is none: no secret is in what is said", async () => {
    for (const indexUrl of [
      "https://me:s3cret@exa mple/simple",
      "me:s3cret@host/simple",
      "https://me:s3/s3cret@host",
      "nothing",
    ]) {
      const error = await planEngine("xla-cpu", options({ indexUrl })).catch((e) => e);
      expect(error).toBeInstanceOf(FileError);
      expect(error.message).toMatch(/expected the address of an index/);
      expect(error.stack).not.toMatch(/s3cret/);
    }
    const indexUrl = index.url.replace("//", "//me:100%25%zz@");
    index.mood.login = "me:100%%zz";
    expect((await planEngine("xla-cpu", options({ indexUrl }))).choice.version).toBe("0.11.2");
  });

  it("is a folder with folders that are called as wheels are", async () => {
    const folder = join(root, "..", "wheels");
    await mkdir(join(folder, nameOf("0.11.2")), { recursive: true });
    await expect(addEngine("xla-cpu", options({ pip: pipWith({ findLinks: [folder], indexes: [] }) }))).rejects.toThrow(
      FileError,
    );
  });
});

describe("the engine's folder", () => {
  it("holds files of others: they stay, and nothing is fetched in vain", async () => {
    const { folder } = await addEngine("xla-cpu", options());
    await writeFiles(folder, { "lammps_jax_pjrt_cpu/mine.txt": "mine" });
    await rm(join(folder, LIBRARY));
    index.seen.length = 0;
    await expect(addEngine("xla-cpu", options())).rejects.toThrow(/got lammps_jax_pjrt_cpu.mine\.txt in it.*move/s);
    await rm(join(folder, "lammps_jax_pjrt_cpu", "mine.txt"));
    await writeFile(join(folder, "engine.json"), "{");
    await expect(addEngine("xla-cpu", options())).rejects.toThrow(/without a whole engine\.json.*move this folder/s);
    expect(index.seen.filter((line) => line.includes(".whl"))).toEqual([]);
    await rm(root, { recursive: true });
    await mkdir(join(root, ".."), { recursive: true });
    await writeFile(root, "a file");
    await expect(addEngine("xla-cpu", options()).catch((e) => Promise.reject(systemError(e)))).rejects.toThrow(
      FileError,
    );
  });
});

describe("removeEngine", () => {
  it("takes away what an interrupted add has left", async () => {
    await writeFiles(root, { ".wheels-xla-cpu/a.whl.incomplete": "12345", [`xla-cpu-1.0${PARTIAL}/x.so`]: "123" });
    const removed = await removeEngine("xla-cpu", { folder: root });
    expect(removed.map(({ version, bytes }) => [version, bytes])).toEqual([
      [undefined, 5],
      [undefined, 3],
    ]);
    expect(await left()).toEqual([]);
  });

  it("takes away what add has made, and keeps the rest", async () => {
    const { folder } = await addEngine("xla-cpu", options());
    await writeFiles(root, {
      "lammps-by-hand/notes.txt": "mine",
      "xla-cpu-0.11.2/lammps_jax_pjrt_cpu/mine.txt": "mine",
    });
    const [removed] = await removeEngine("xla-cpu", { folder: root });
    expect(removed).toMatchObject({
      folder,
      version: "0.11.2",
      kept: ["lammps_jax_pjrt_cpu", join("lammps_jax_pjrt_cpu", "mine.txt")],
    });
    expect(existsSync(join(folder, LIBRARY))).toBe(false);
    expect(await left()).toEqual(["lammps-by-hand", "xla-cpu-0.11.2"]);
    expect(await removeEngine("xla-cpu", { folder: root })).toEqual([]);
    await rm(folder, { recursive: true });
    await addEngine("xla-cpu", options());
    await removeEngine("xla-cpu", { folder: root });
    expect(await left()).toEqual(["lammps-by-hand"]);
  });

  it("does not follow a list that leads out of the folder", async () => {
    const { folder } = await addEngine("xla-cpu", options());
    const path = join(folder, "engine.json");
    await writeFile(path, (await readFile(path, "utf8")).replaceAll(LIBRARY, "../../precious"));
    expect(await removeEngine("xla-cpu", { folder: root })).toEqual([]);
  });
});

describe("listEngines", () => {
  it("shows what lies in the cache and in Python, with versions and sizes", async () => {
    await addEngine("xla-cpu", options());
    const python = join(root, "..", "site-packages");
    await writeFiles(python, {
      "jax_plugins/xla_cuda12/xla_cuda_plugin.so": "0123456789",
      "jax_cuda12_pjrt-0.9.2.dist-info/RECORD":
        "jax_plugins/xla_cuda12/xla_cuda_plugin.so,sha256=x,10\njax_plugins/xla_cuda12/__init__.py,sha256=y,5\n",
    });
    const found = new Map(
      (await listEngines({ engines: root, python: [python] })).map((one) => [one.name, one.installed]),
    );
    const here = process.platform === "linux" ? 1 : 0;
    expect(found.get("xla-cpu")).toHaveLength(here);
    expect(found.get("xla-cuda13")).toEqual([]);
    if (here === 0) return;
    expect(found.get("xla-cpu")![0]).toMatchObject({
      where: "cache",
      version: "0.11.2",
      added: true,
      damage: undefined,
    });
    expect(found.get("xla-cuda12")![0]).toMatchObject({ where: "python", version: "0.9.2", bytes: 10, added: false });
    await rm(join(root, "xla-cpu-0.11.2", LIBRARY));
    const [damaged] = await listEngines({ engines: root, python: [] });
    expect(damaged!.installed[0]).toMatchObject({ damage: expect.stringMatching(/is gone$/) });
  });
});
