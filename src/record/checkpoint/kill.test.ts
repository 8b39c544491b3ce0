import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { random, toNumbers } from "../../tensor/index.ts";
import { checkCheckpoint, findCheckpoints, latestCheckpoint, openCheckpoint, tidyFolder } from "./find.ts";

const built = fileURLToPath(new URL("../../../dist/record/checkpoint/index.js", import.meta.url));

/** Goes on from the step it is given: saves that step once more, then the next ones, as fast as it can, and says each. */
const SAVER = `
import { writeSync } from "node:fs";
import { saveCheckpoint } from ${JSON.stringify(new URL("../../../dist/record/checkpoint/index.js", import.meta.url).href)};
const [folder, from] = process.argv.slice(1);
const entry = (name, step) => ({ name, dtype: "float32", shape: [20000], read: () =>
  ({ dtype: "float32", shape: [20000], data: new Float32Array(20000).fill(step) }) });
for (let step = Number(from); ; step++) {
  const state = { stage: "s", step, seed: 0, cursors: {}, counters: { step }, recipe: null, recipeHash: "", architecture: null,
    versions: {}, best: step < 5 ? null : { metric: "m", mode: "max", value: 1, step: step - (step % 5) } };
  await saveCheckpoint(folder, { state, model: [entry("a", step), entry("b", step)], optimizer: [entry("m", -step)] }, { limit: 2 });
  writeSync(1, step + "\\n");
}
`;

/** Runs the saver until it has saved `saves` times, and `delayMs` longer, then kills it. Resolves to the last step it said. */
function saveAndKill(folder: string, from: number, saves: number, delayMs: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--input-type=module", "-e", SAVER, folder, String(from)]);
    let [out, errors, doomed] = ["", "", false];
    child.stderr.on("data", (chunk) => {
      errors += String(chunk);
    });
    child.stdout.on("data", (chunk) => {
      out += String(chunk);
      if (doomed || out.split("\n").length <= saves) return;
      doomed = true;
      setTimeout(() => child.kill("SIGKILL"), delayMs);
    });
    child.on("close", (_, signal) => {
      if (signal === "SIGKILL") resolve(Number(out.trimEnd().split("\n").at(-1)));
      else reject(new Error(`the saver ended by itself: ${errors}`));
    });
  });
}

describe("a process that is killed while it saves", () => {
  it("leaves only checkpoints that load and equal what was saved", async () => {
    expect(existsSync(built), "dist/ is built before the tests").toBe(true);
    const folder = await mkdtemp(join(tmpdir(), "flava-kill-"));
    const rng = random(Date.now(), "kill");
    let unfinished = 0;
    let from = 1;
    for (let round = 0; round < 8; round++) {
      const said = await saveAndKill(folder, from, 1 + rng.integer(3), rng.uniform() * 12);
      unfinished += (await readdir(folder)).filter((name) => /\.(partial|old)$/.test(name)).length;
      await tidyFolder(folder);
      for (const { step, path } of await findCheckpoints(folder)) {
        await checkCheckpoint(path);
        await using open = await openCheckpoint(path);
        for (const [file, name, value] of [
          ["model", "a", step],
          ["model", "b", step],
          ["optimizer", "m", -step],
        ] as const)
          expect(toNumbers(await open[file].read(name)).every((x) => x === value)).toBe(true);
      }
      const latest = await latestCheckpoint(folder, { onDamaged: (message) => expect.fail(message) });
      expect(latest!.step).toBeGreaterThanOrEqual(said);
      const { best } = latest!.state;
      if (best) expect((await findCheckpoints(folder)).map(({ step }) => step)).toContain(best.step);
      from = latest!.step;
    }
    expect(unfinished, "kills that met a half-written checkpoint").toBeGreaterThan(0);
    await rm(folder, { recursive: true });
  });
});
