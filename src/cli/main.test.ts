import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { temporaryFolder } from "../../test/support/data-fixtures.ts";
import { decodeImage } from "../image/index.ts";

const MAIN = fileURLToPath(new URL("../../dist/cli/bin.js", import.meta.url));
let root: string;
beforeAll(async () => {
  root = await temporaryFolder();
});

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the compiled command as a user does. */
function flava(
  args: readonly string[],
  options: { env?: Record<string, string>; interruptWhen?: () => Promise<boolean> } = {},
): Promise<Run> {
  return new Promise((resolve) => {
    const env = { ...process.env, FLAVA_DEBUG: "", ...options.env };
    const child = execFile(process.execPath, [MAIN, ...args], { env }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code ?? -1) : 0, stdout, stderr }),
    );
    if (options.interruptWhen) void interrupt(child, options.interruptWhen);
  });
}

/** Sends Ctrl-C as soon as something is so. */
async function interrupt(child: ChildProcess, when: () => Promise<boolean>): Promise<void> {
  while (child.exitCode === null && !(await when())) await new Promise((resolve) => setTimeout(resolve, 20));
  child.kill("SIGINT");
}

describe("flava", () => {
  it("explains itself", async () => {
    const { code, stdout } = await flava(["--help"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/Usage: flava/);
    const { version } = JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8"));
    expect((await flava(["--version"])).stdout).toBe(`${version}\n`);
  });

  it("refuses unknown flags with the nearest name, and values that cannot be, with code 2", async () => {
    const flag = await flava(["data", "inspect", "synthetic:5", "--lmit", "3"]);
    expect(flag.code).toBe(2);
    expect(flag.stderr).toMatch(/unknown option '--lmit'[\s\S]*--limit/);
    expect(flag.stdout).toBe("");
    expect((await flava(["data", "inspect", "synthetic:5", "--rows", "many"])).code).toBe(2);
    expect((await flava(["data", "inspect", "what.xyz"])).code).toBe(2);
  });

  it("prints a failure with its help, without a stack unless asked, and ends with 1", async () => {
    const { code, stderr, stdout } = await flava(["data", "inspect", `${root}/none.tar`, "--quiet"]);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(
      /^FileError: .*none\.tar: expected a readable file, got ENOENT: no such file or directory\n$/,
    );
    const debug = await flava(["data", "inspect", `${root}/none.tar`, "--quiet"], { env: { FLAVA_DEBUG: "1" } });
    expect(debug.stderr).toMatch(/\n {4}at /);
  });

  it("stops at Ctrl-C with code 130 and leaves nothing half-written", async () => {
    const out = `${root}/stopped`;
    const { code, stderr } = await flava(["data", "build", "synthetic:100000", "--out", out], {
      interruptWhen: async () => (await readdir(root)).some((name) => name.startsWith("stopped.partial")),
    });
    expect(code).toBe(130);
    expect(stderr).toMatch(/cancelled\n$/);
    expect((await readdir(root)).filter((name) => name.startsWith("stopped"))).toEqual([]);
  });
});

it("counts, of a source's texts, the words that a tokenizer does not know", async () => {
  const path = `${root}/vocab.txt`;
  await writeFile(path, ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a"].join("\n"));
  const { stdout } = await flava(["data", "inspect", "synthetic:9x16", "--json", "--quiet", "--tokenizer", path]);
  const { coverage, captions } = JSON.parse(stdout);
  expect(coverage).toMatchObject({ texts: 9, words: Math.round(9 * captions.words.mean), unreadable: 0 });
  expect(coverage.unknown).toBeGreaterThan(coverage.words / 2);
  expect(coverage.commonest[0]).toEqual({ word: "background", count: 9 });
});

describe("what the system refuses", () => {
  it.each([
    ["data", "build", "synthetic:3", "--out", "/dev/null/x"],
    ["data", "inspect", "synthetic:3", "--sheet", "/nowhere/x.png"],
    ["data", "inspect", "nothing.csv", "--bad", tmpdir()],
    ["data", "fetch", "starter", "--cache-dir", "/dev/null/x"],
    ["report", "/nowhere"],
  ])("flava %s %s %s %s %s: one line with the path and the reason, and code 1", async (...args) => {
    await writeFile(`${root}/bad.csv`, "filepath,title\nmissing.jpg,a cat\n");
    const { code, stderr } = await flava([...args.map((arg) => arg.replace("nothing", `${root}/bad`)), "--quiet"]);
    expect(stderr).toMatch(
      /^\w+Error: .*(\/nowhere|\/dev\/null\/x|\/tmp).*(ENOTDIR|ENOENT|EISDIR|expected).*\n( {2}help: .*\n)?$/,
    );
    expect(code).toBe(1);
  });

  it.runIf(existsSync("/dev/full"))("says that the results could not be written", async () => {
    const shell = `"$0" "$1" data inspect synthetic:3 --quiet > /dev/full`;
    const child = spawn("sh", ["-c", shell, process.execPath, MAIN], { stdio: ["ignore", "pipe", "pipe"] });
    const stderr: string[] = [];
    child.stderr.on("data", (chunk) => stderr.push(String(chunk)));
    expect((await once(child, "close"))[0]).toBe(1);
    expect(stderr.join("")).toMatch(/^FileError: stdout: the disk is full \(ENOSPC.*\n {2}help: .*\n$/);
  });

  it("goes on to the end where nobody reads what it prints", async () => {
    const args = [MAIN, "data", "build", "synthetic:600x16", "--out", `${root}/unseen`];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.destroy();
    child.stderr.destroy();
    expect(await once(child, "close")).toEqual([0, null]);
    expect(JSON.parse(await readFile(`${root}/unseen/manifest.json`, "utf8"))).toMatchObject({ samples: 600 });
  });

  it("tells an older Node so in a sentence", async () => {
    const old = "data:text/javascript,Object.defineProperty(process, 'versions', { value: { node: '18.20.4' } })";
    const { code, stderr } = await flava(["--help"], {
      env: { NODE_OPTIONS: `--import "${old.replaceAll(" ", "%20")}"` },
    });
    expect(stderr).toMatch(/^flava: expected Node 20\.19 or newer, got 18\.20\.4\n {2}help: .*\n$/);
    expect(code).toBe(1);
    const { engines } = JSON.parse(await readFile("package.json", "utf8"));
    expect(engines.node).toBe(">=20.19");
  });
});

describe("flava data", () => {
  it("builds shards that it can inspect", async () => {
    const built = await flava([
      "data",
      "build",
      "synthetic:12x16",
      "synthetic:5x24",
      "--out",
      `${root}/shards`,
      "--samples-per-shard",
      "7",
      "--json",
    ]);
    expect(built.code).toBe(0);
    expect(JSON.parse(built.stdout)).toMatchObject({
      samples: 17,
      shards: [{ samples: 7 }, { samples: 7 }, { samples: 3 }],
    });
    const seen = await flava(["data", "inspect", `${root}/shards`, "--json", "--rows", "3"]);
    const { samples, images, captions, rows } = JSON.parse(seen.stdout);
    expect([samples, images.width.min, images.width.max, captions.count, rows.length]).toEqual([17, 16, 24, 17, 3]);
    const text = await flava(["data", "inspect", `${root}/shards`, "--quiet"]);
    expect(text.stdout).toMatch(/samples {3}17\n/);
    expect(text.stderr).toBe("");
  });

  it("draws a contact sheet with the pictures on it, and one with masks", async () => {
    const file = `${root}/sheet.png`;
    const { code, stderr } = await flava(["data", "inspect", "synthetic:30x32", "--pictures", "9", "--sheet", file]);
    expect(code).toBe(0);
    expect(stderr).toContain(`sheet: ${file}`);
    const { data, width, height } = await decodeImage(new Uint8Array(await readFile(file)));
    expect(width * height).toBeGreaterThan(9 * 160 * 160);
    const colours = new Set<number>();
    let notWhite = 0;
    for (let i = 0; i < data.length; i += 3) {
      const colour = (data[i]! << 16) | (data[i + 1]! << 8) | data[i + 2]!;
      colours.add(colour);
      if (colour !== 0xffffff) notWhite++;
    }
    expect(notWhite).toBeGreaterThan(8 * 160 * 160);
    expect(colours.size).toBeGreaterThan(20);
    const page = `${root}/sheet.html`;
    const masked = [
      "data",
      "inspect",
      "synthetic:30x32",
      "--masks",
      "--image-size",
      "64",
      "--pictures",
      "4",
      "--sheet",
      page,
    ];
    expect((await flava(masked)).code).toBe(0);
    const html = await readFile(page, "utf8");
    expect(html.match(/<img /g)).toHaveLength(4);
    expect(html).toMatch(/<mark/);
  });

  it("lists samples that cannot be used", async () => {
    const bad = `${root}/bad.jsonl`;
    await writeFile(`${root}/pairs.csv`, "filepath,title\nmissing.jpg,a cat\n");
    const { stdout } = await flava(["data", "inspect", `${root}/pairs.csv`, "--bad", bad]);
    expect(stdout).toMatch(/samples {3}0\n[\s\S]*bad {7}1\n/);
    expect(JSON.parse(await readFile(bad, "utf8"))).toMatchObject({ key: "pairs.csv:1" });
  });
});
