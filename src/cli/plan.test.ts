import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterEach, describe, expect, it, vi } from "vitest";
import { TINY_RUN } from "../../test/support/tiny-run.ts";
import { define } from "./plan.ts";

describe("flava plan", () => {
  afterEach(() => vi.restoreAllMocks());

  const flava = async (...args: string[]): Promise<string> => {
    const out: string[] = [];
    vi.spyOn(process.stdout, "write").mockImplementation((text) => out.push(String(text)) > 0);
    vi.spyOn(process.stderr, "write").mockImplementation(() => true);
    const program = new Command("flava").option("--json").option("--quiet").exitOverride();
    define(program);
    program.commands[0]!.exitOverride().configureOutput({ writeErr: () => undefined });
    await program.parseAsync(["node", "flava", ...args]);
    return out.join("");
  };
  const SMALL = ["recipes/starter.yaml", "--set", "variant=small", "--set", "vocabulary.kind=full"];

  it("prints a line for each number of workers, and what costs most", async () => {
    const out = await flava("plan", ...SMALL, "--workers", "1,2,64", "--gbit", "1", "--gflops", "100");
    expect(out).toContain("starter, joint: 128 samples a step; 100 GFLOP/s, as said");
    expect(out).toMatch(/^ +64 +2 .* bytes on the network$/m);
    expect(out).toMatch(/^1 Gbit\/s a machine, 1 workers on each, 20 µs a message/m);
  });

  const TWO = ["--per-machine", "2", "--set", "threads=1"];

  it("measures this machine, with as many workers on it as are said and with one, and gives all numbers as JSON", async () => {
    const out = JSON.parse(await flava("--json", "plan", ...SMALL, "--workers", "1,2", "--stage", "text", ...TWO));
    expect(out).toMatchObject({
      stage: "text",
      predictions: [{ workers: 1, efficiency: 1 }, { workers: 2 }],
      calibration: { timed: [{ samples: 2 }, { samples: 8 }] },
      alone: { timed: [{ samples: 2 }, { samples: 8 }] },
    });
    expect(out.predictions[1].efficiency).toBeGreaterThan(0);
  });

  it("keeps the size of micro-batches: workers take them from each other", async () => {
    const accumulated = [
      ...SMALL,
      "--gflops",
      "1",
      "--stage",
      "text",
      "--set",
      "stages.text.gradientAccumulationSteps=4",
    ];
    const out = JSON.parse(await flava("--json", "plan", ...accumulated, "--workers", "2,8"));
    expect(out.predictions.map(({ workers }: { workers: number }) => workers)).toEqual([2, 8]);
  });

  it("takes the words that the recipe's own data will give the model", async () => {
    const folder = await mkdtemp(join(tmpdir(), "flava-plan-"));
    const path = join(folder, "recipe.yaml");
    await writeFile(path, JSON.stringify({ ...TINY_RUN, stages: { text: TINY_RUN.stages.text } }));
    const sent = async (kind: string): Promise<number> => {
      const args = ["plan", path, "--workers", "2", "--gflops", "1", "--set", `vocabulary.kind=${kind}`];
      return JSON.parse(await flava("--json", ...args)).predictions[0].sent;
    };
    const [full, own] = [await sent("full"), await sent("reduced")];
    await rm(folder, { recursive: true });
    expect(full).toBeGreaterThan(4 * 30_000 * 16);
    expect(own).toBeLessThan(full / 10);
  });

  it("refuses what is no number of workers, no speed and no stage", async () => {
    await expect(flava("plan", ...SMALL, "--workers", "2,x")).rejects.toThrow(/expected a whole number/);
    await expect(flava("plan", ...SMALL, "--gbit", "-1")).rejects.toThrow(/expected a number above 0/);
    await expect(flava("plan", ...SMALL, "--stage", "jont")).rejects.toThrow(/expected one of .*joint.*, got "jont"/);
    await expect(flava("plan", ...SMALL, "--gflops", "1", "--workers", "3")).rejects.toThrow(/does not divide among 3/);
  });
});
