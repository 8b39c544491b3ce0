/** Runs that cannot be started or finished: what they say, and that they leave everything as it was. */
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { CheckpointError, ConfigError, DataError, FileError, NonFiniteError } from "../../src/errors.ts";
import { entriesOf, saveSafetensors } from "../../src/hub/index.ts";
import { lockFolder } from "../../src/io/index.ts";
import { resolveRecipe } from "../../src/pretrain/recipe/index.ts";
import { silentReporter } from "../../src/pretrain/run/reporter.ts";
import { checkCheckpoint, latestCheckpoint } from "../../src/record/index.ts";
import { fromNumbers } from "../../src/tensor/index.ts";
import { resultsOf, start, TINY_RUN, tinyRun } from "../support/tiny-run.ts";

/** Bytes that the pretended disk takes before it is full. */
const disk = vi.hoisted(() => ({ room: Number.POSITIVE_INFINITY }));

vi.mock("node:fs/promises", async (original) => {
  const fs = await original<typeof import("node:fs/promises")>();
  const open: typeof fs.open = async (...args) => {
    const handle = await fs.open(...args);
    const write = handle.write.bind(handle) as (...a: unknown[]) => Promise<unknown>;
    handle.write = (async (buffer: Uint8Array, at: number, length: number) => {
      disk.room -= length;
      if (disk.room < 0)
        throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC", syscall: "write" });
      return write(buffer, at, length);
    }) as typeof handle.write;
    return handle;
  };
  return { ...fs, open };
});

const { text, image } = TINY_RUN.stages;
/** Two stages that do not need each other. */
const TWO = { stages: { text, image: { ...image, init: {} } } };

let folder = "";
let whole: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "flava-bad-"));
  whole = join(folder, "whole");
  await start(tinyRun(whole, TWO));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Every file with its size, its time of change and its bytes. */
async function contents(path: string): Promise<Record<string, string>> {
  const names = await readdir(path, { recursive: true });
  const files = await Promise.all(
    names.map(async (name) => {
      const info = await stat(join(path, name));
      const bytes = info.isFile() ? (await readFile(join(path, name))).toString("base64") : "";
      return [name, `${info.size} ${info.mtimeMs} ${bytes}`] as const;
    }),
  );
  return Object.fromEntries(files);
}

/** Fails with this error, and leaves the folder as it was, times included. */
async function expectRefused(run: () => Promise<unknown>, path: string, message: RegExp): Promise<void> {
  const before = await contents(path);
  const error = await run().then(
    () => expect.fail("expected an error"),
    (failure: unknown) => failure,
  );
  expect(error).toBeInstanceOf(ConfigError);
  expect((error as Error).message).toMatch(message);
  expect(await contents(path)).toEqual(before);
}

describe("a run that is told to stop while its steps are traced", () => {
  it("stops before they are compiled, and its folder says so", async () => {
    const runDir = join(folder, "early");
    const stop = new AbortController();
    const lines: string[] = [];
    const note = (line: string): void => {
      lines.push(line);
      if (line.includes("tracing")) setTimeout(() => stop.abort(new Error("enough")), 0); // as a signal: heard afterwards
    };
    const run = start(tinyRun(runDir, TWO), undefined, { reporter: { ...silentReporter, note }, signal: stop.signal });
    await expect(run).rejects.toThrow("enough");
    expect(lines.join("\n")).not.toMatch(/compiled/);
    expect(JSON.parse(await readFile(join(runDir, "run.json"), "utf8")).status).toBe("stopped");
  });
});

describe("a run's folder", () => {
  it("is one process's at a time; what a killed one left half-written is tidied by the next", async () => {
    const left = ["run.json.7-0.partial", join("gallery", "words-text.json.7-1.partial")];
    const before = await readdir(whole);
    await mkdir(join(whole, "gallery"), { recursive: true });
    for (const name of left) await writeFile(join(whole, name), "{");
    const first = await lockFolder(whole);
    await expect(start(tinyRun(whole, TWO), "latest")).rejects.toThrow(
      /whole\/\.lock: expected a folder that no other process writes to, got one that process \d+ on .* holds/,
    );
    expect(await readdir(whole)).toContain(left[0]);
    await first[Symbol.asyncDispose]();
    await expect(start(tinyRun(whole, TWO), "latest")).rejects.toThrow(/the run in .* is done/);
    expect(new Set(await readdir(whole))).toEqual(new Set([...before, "gallery"]));
    expect(await readdir(join(whole, "gallery"))).not.toContain("words-text.json.7-1.partial");
  });
});

describe("a run is refused, and its folder stays as it is,", () => {
  it("when it is resumed with another architecture", () => {
    const model = { ...TINY_RUN.model, image: { ...TINY_RUN.model.image, layers: 3 } };
    const other = tinyRun(whole, { ...TWO, model });
    return expectRefused(
      () => start(other, join(whole, "text")),
      whole,
      /checkpoint-5: expected the recipe.*\n✖ architecture\.image\.layers: was 2, now 3\n/,
    );
  });

  it("when it is resumed with another recipe", () => {
    const stages = { ...TWO.stages, image: { ...TWO.stages.image, optimizer: { lr: 2e-2 } } };
    return expectRefused(
      () => start(tinyRun(whole, { stages, seed: 1 }), join(whole, "image", "checkpoint-2")),
      whole,
      /✖ seed: was 0, now 1\n✖ stages\.image\.optimizer\.lr: was 0\.01, now 0\.02\n {2}help: resume with the old values/,
    );
  });

  it("when it goes on with another recipe before its first checkpoint", async () => {
    const runDir = join(folder, "early-recipe");
    const reporter = { ...silentReporter, begin: () => expect.fail("a power cut") };
    await expect(start(tinyRun(runDir, TWO), undefined, { reporter })).rejects.toThrow("a power cut");
    expect((await readdir(runDir)).filter((name) => Object.keys(TWO.stages).includes(name))).toEqual([]);
    const stages = { ...TWO.stages, text: { ...TWO.stages.text, optimizer: { lr: 2e-2 } } };
    const model = { ...TINY_RUN.model, image: { ...TINY_RUN.model.image, layers: 3 } };
    await expectRefused(
      () => start(tinyRun(runDir, { stages, seed: 1, model }), "latest"),
      runDir,
      /recipe\.json: expected the recipe.*\n✖ seed: was 0, now 1\n✖ model\.image\.layers: was 2, now 3\n✖ stages\.text\.optimizer\.lr: was 0\.01, now 0\.02\n/,
    );
    const allowed = tinyRun(runDir, { stages, mayChange: ["stages.text.optimizer"] });
    const { status, history } = await start(allowed, "latest");
    const changes = [
      'mayChange: was [], now ["stages.text.optimizer"]',
      "stages.text.optimizer.lr: was 0.01, now 0.02",
    ];
    expect(status).toBe("done");
    expect(history).toEqual([
      { at: expect.any(String), command: "a test --resume latest", stage: "text", step: 0, changes },
    ]);
    expect(JSON.parse(await readFile(join(runDir, "recipe.json"), "utf8")).stages.text.optimizer.lr).toBe(0.02);
  });

  it("when the folder holds a run", () =>
    expectRefused(() => start(tinyRun(whole, TWO)), whole, /expected no run in this folder, got .*\n {2}help: go on/s));

  it("when its tokenizer is another one than it began with", async () => {
    const path = join(whole, "tokenizer.json");
    const kept = await readFile(path, "utf8");
    const json = JSON.parse(kept);
    const [a, b] = Object.keys(json.model.vocab).slice(-2);
    const swapped = { ...json.model.vocab, [a!]: json.model.vocab[b!], [b!]: json.model.vocab[a!] };
    await writeFile(path, JSON.stringify({ ...json, model: { ...json.model, vocab: swapped } }));
    await expectRefused(
      () => start(tinyRun(whole, TWO), join(whole, "text", "checkpoint-2")),
      whole,
      /tokenizer\.json: expected the tokenizer that this run began with, got another\n {2}help: put the old file back/,
    );
    await writeFile(path, kept);
  });

  it("when it is done", () =>
    expectRefused(() => start(tinyRun(whole, TWO), "latest"), whole, /--resume latest: the run in .* is done/));

  it("when a stage would be trained over", () =>
    expectRefused(
      () => start(tinyRun(whole, TWO), undefined, {}, "text"),
      whole,
      /--stage text: expected no checkpoints in .*, got 4/,
    ));

  it("when the checkpoint that is named does not exist, or is another stage's", async () => {
    const nowhere = join(whole, "nowhere");
    await expectRefused(
      () => start(tinyRun(whole, TWO), nowhere),
      whole,
      /expected checkpoints in .*nowhere, got none/,
    );
    await expectRefused(
      () => start(tinyRun(whole, TWO), join(whole, "text", "checkpoint-2"), {}, "image"),
      whole,
      /expected a checkpoint of image, got one of "text"/,
    );
  });

  it("when the stages before the one that is asked for have not been run", async () => {
    const empty = await mkdtemp(join(folder, "empty-"));
    await expectRefused(
      () => start(tinyRun(empty), undefined, {}, "image"),
      empty,
      /--stage image: its codebook weights are those of "codebook": expected checkpoints in .*\n {2}help: run --stage codebook first/,
    );
  });

  it("when there is nothing to go on from", async () => {
    const empty = await mkdtemp(join(folder, "empty-"));
    await expectRefused(
      () => start(tinyRun(empty, TWO), "latest"),
      empty,
      /--resume latest: expected a run in .*, got none/,
    );
  });

  it("when a source or a file of weights is missing", async () => {
    const missing = join(folder, "missing");
    const data = { ...TINY_RUN.data, pairs: ["folder:/nowhere/pairs"] };
    const stages = { text: { ...text, init: { text: { path: "/nowhere/text.safetensors" } } } };
    await expectRefused(
      () => start(tinyRun(missing, { data, stages })),
      folder,
      /✖ data\.pairs\.0: \/nowhere\/pairs\n✖ stages\.text\.init\.text: \/nowhere\/text\.safetensors/,
    );
  });
});

describe("a run folder that is damaged", () => {
  it.each(["recipe.json", "run.json"])("is refused before any work: %s", async (name) => {
    const runDir = join(folder, `damaged-${name}`);
    await cp(whole, runDir, { recursive: true });
    await rm(join(runDir, "image"), { recursive: true });
    await writeFile(join(runDir, name), '{"name": "tiny');
    const before = await contents(runDir);
    const again = start(tinyRun(runDir, TWO), "latest");
    await expect(again).rejects.toThrow(DataError);
    await expect(again).rejects.toThrow(new RegExp(`${name}: expected JSON, got`));
    expect(await contents(runDir)).toEqual(before);
  });
});

describe("a run of another version", () => {
  it("is refused before any work, with what to do, where its recipe has keys that are unknown now", async () => {
    const runDir = join(folder, "other-version");
    await cp(whole, runDir, { recursive: true });
    const recipe = JSON.parse(await readFile(join(runDir, "recipe.json"), "utf8"));
    await writeFile(join(runDir, "recipe.json"), JSON.stringify({ ...recipe, formerly: 1 }));
    const before = await contents(runDir);
    const again = start(tinyRun(runDir, TWO), "latest");
    await expect(again).rejects.toThrow(ConfigError);
    await expect(again).rejects.toThrow(
      /recipe\.json:.*unknown key "formerly".*help: a run of another version.*--run-dir/s,
    );
    expect(await contents(runDir)).toEqual(before);
    await expect(resolveRecipe(join(runDir, "recipe.json"))).rejects.toThrow(/help: a run of another version/);
  });
});

describe("a run that fails", () => {
  it("names what a file of weights lacks", async () => {
    const path = join(folder, "wrong.safetensors");
    await saveSafetensors(path, entriesOf({ "flava.text_model.pooler.dense.bias": fromNumbers([1], [1]) }));
    const runDir = join(folder, "wrong");
    const failed = start(tinyRun(runDir, { stages: { text: { ...text, init: { text: { path } } } } }));
    await expect(failed).rejects.toThrow(CheckpointError);
    await expect(failed).rejects.toThrow(
      /wrong\.safetensors: expected the text weights.*flava\.text_model\.embeddings\./s,
    );
    expect(JSON.parse(await readFile(join(runDir, "run.json"), "utf8")).status).toBe("failed");
  });

  it("for a full disk keeps the checkpoint before, from which it goes on", async () => {
    const runDir = join(folder, "full");
    const full = start(tinyRun(runDir, TWO), undefined, {
      reporter: { ...silentReporter, step: (step) => step === 4 && Object.assign(disk, { room: 20_000 }) },
    });
    await expect(full).rejects.toThrow(FileError);
    await expect(full).rejects.toThrow(/checkpoint-4.*: the disk is full \(ENOSPC/);
    disk.room = Number.POSITIVE_INFINITY;
    const found = (await readdir(join(runDir, "text"))).filter((name) => name.startsWith("checkpoint"));
    expect(found.sort()).toEqual(["checkpoint-2", "checkpoint-3"]);
    for (const name of found) await checkCheckpoint(join(runDir, "text", name));
    expect((await start(tinyRun(runDir, TWO), "latest")).status).toBe("done");
    expect(await resultsOf(runDir, { text: 5, image: 5 })).toEqual(await resultsOf(whole, { text: 5, image: 5 }));
  });

  it("for a loss that is not finite keeps the checkpoint before, and names the samples", async () => {
    const runDir = join(folder, "infinite");
    const stages = {
      text: { ...text, steps: 9, optimizer: { lr: 1e30 }, schedule: { kind: "constant", warmupSteps: 0 } },
    };
    const failed = start(tinyRun(runDir, { stages }));
    await expect(failed).rejects.toThrow(NonFiniteError);
    await expect(failed).rejects.toThrow(
      /text: step \d \(text batch\): .* became (NaN|-?Infinity).*; samples \d+, \d+/,
    );
    const last = await latestCheckpoint(join(runDir, "text"), { onDamaged: (message) => expect.fail(message) });
    const message = await failed.then(() => "", String);
    const step = Number(/step (\d)/.exec(message)![1]);
    expect(last === undefined || last.step < step).toBe(true);
    expect(JSON.parse(await readFile(join(runDir, "run.json"), "utf8")).status).toBe("failed");
  });

  it("passes over a checkpoint that was damaged meanwhile, and says so", async () => {
    const runDir = join(folder, "damaged");
    await cp(whole, runDir, { recursive: true });
    await rm(join(runDir, "image", "checkpoint-5"), { recursive: true });
    await writeFile(join(runDir, "image", "checkpoint-4", "model.safetensors"), "no tensors");
    const notes: string[] = [];
    const reporter = { ...silentReporter, note: (line: string) => void notes.push(line) };
    await start(tinyRun(runDir, TWO), "latest", { reporter });
    expect(notes.join("\n")).toMatch(/checkpoint-4 is damaged and was skipped: .*expected \d+ bytes, got 10/);
    expect(await resultsOf(runDir, { image: 5 })).toEqual(await resultsOf(whole, { image: 5 }));
  });
});
