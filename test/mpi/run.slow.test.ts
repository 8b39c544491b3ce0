/** `flava pretrain` under real launchers, its workers killed and stopped. Slow: needs Open MPI or MPICH, and starts many processes. */
import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openSafetensors } from "../../src/hub/index.ts";
import { latestCheckpoint } from "../../src/record/index.ts";
import { toNumbers } from "../../src/tensor/index.ts";
import { mpis, onRanks, type Ran } from "../support/mpi.ts";
import { metricsOf, TINY_RUN } from "../support/tiny-run.ts";

const BIN = fileURLToPath(new URL("../../dist/cli/bin.js", import.meta.url));

const STEPS = 24;
const OFTEN = { steps: STEPS, batchSize: 12, best: null, every: { log: 1, eval: 0, save: 1 }, saveTotalLimit: 2 };

/** With 16 wide states the weights have 256 KiB: from there on workers share out a parameter's update. */
const INTERMEDIATE = 4096;

let folder = "";
let recipe = "";
let large = "";
let alone: Record<string, unknown>[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "flava-mpi-"));
  recipe = join(folder, "recipe.yaml");
  const stages = { text: { ...TINY_RUN.stages.text, ...OFTEN } };
  await writeFile(recipe, JSON.stringify({ ...TINY_RUN, evaluation: {}, stages }));
  const model = { ...TINY_RUN.model, text: { ...TINY_RUN.model.text, intermediateSize: INTERMEDIATE } };
  const short = { text: { ...stages.text, steps: 4, saveTotalLimit: null } };
  large = join(folder, "large.yaml");
  await writeFile(large, JSON.stringify({ ...TINY_RUN, model, evaluation: {}, stages: short }));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const arguments_ = (runDir: string, ...more: string[]): string[] => [
  BIN,
  "pretrain",
  recipe,
  "--run-dir",
  runDir,
  "--quiet",
  ...more,
];

/** Tensors of a checkpoint that are no rounding errors: gradients of keys' biases are 0. */
async function tensorsOf(runDir: string, step: number): Promise<Record<string, number[]>> {
  const found: Record<string, number[]> = {};
  for (const name of ["model", "optimizer"]) {
    await using file = await openSafetensors(join(runDir, "text", `checkpoint-${step}`, `${name}.safetensors`));
    for (const key of file.tensors.keys())
      if (!key.endsWith("key.bias")) found[key] = toNumbers(await file.read(key)) as number[];
  }
  return found;
}

/** The processes of a run by their rank, as the launchers' variables say. */
function pidOf(runDir: string, rank: number): number | undefined {
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const read = (name: string): string[] => {
      try {
        return readFileSync(`/proc/${pid}/${name}`, "utf8").split("\0");
      } catch {
        return [];
      }
    };
    const is = (name: string): boolean => read("environ").includes(`${name}=${rank}`);
    if (
      read("cmdline")[1] === BIN &&
      read("cmdline").includes(runDir) &&
      (is("OMPI_COMM_WORLD_RANK") || is("PMI_RANK"))
    )
      return Number(pid);
  }
  return undefined;
}

const step = async (runDir: string): Promise<number> =>
  (await latestCheckpoint(join(runDir, "text"), { onDamaged: () => undefined }).catch(() => undefined))?.step ?? 0;

/** Sends a signal to a rank once the run has saved a step; the job's end, and how long after the signal. */
async function signalled(started: Promise<Ran>, runDir: string, rank: number, signal: NodeJS.Signals) {
  while ((await step(runDir)) < 2) await new Promise((resolve) => setTimeout(resolve, 50));
  const pid = pidOf(runDir, rank)!;
  process.kill(pid, signal);
  const begun = performance.now();
  const ran = await started;
  return { ran, seconds: (performance.now() - begun) / 1000 };
}

for (const mpi of mpis)
  describe.skipIf(!mpi.command)(
    `${mpi.name}${mpi.command ? "" : ` (not here: apt-get install ${mpi.package})`}`,
    () => {
      const at = (name: string): string => join(folder, `${mpi.package}-${name}`);

      it("trains on 2 and on 4 ranks what one process trains", async () => {
        alone ??= await (async () => {
          const ran = await onRanks(mpi, 1, arguments_(join(folder, "alone")));
          expect(ran).toMatchObject({ code: 0, stderr: "" });
          return metricsOf(join(folder, "alone"));
        })();
        for (const size of [2, 4]) {
          const ran = await onRanks(mpi, size, arguments_(at(`${size}`)));
          expect(ran).toMatchObject({ code: 0, stderr: "" });
          const lines = await metricsOf(at(`${size}`));
          expect(lines.map((line) => [line.step, line.samples])).toEqual(
            alone.map((line) => [line.step, line.samples]),
          );
          for (const [i, line] of lines.entries())
            expect(Math.abs(Number(line.loss) - Number(alone[i]!.loss)), `${size} ranks, line ${i}`).toBeLessThan(2e-3);
        }
      });

      it("shares out the update of a large parameter: what is saved is one process's, and other numbers of ranks go on from it", async () => {
        const own = (runDir: string, ...more: string[]): string[] => [
          ...arguments_(runDir, ...more).map((argument) => (argument === recipe ? large : argument)),
        ];
        const [one, two] = [join(folder, "large"), at("large")];
        for (const [ranks, runDir] of [
          [1, one],
          [2, two],
        ] as const) {
          if (runDir === one && (await step(one)) === 4) continue;
          const ran = await onRanks(mpi, ranks, own(runDir));
          expect(ran.code, ran.stderr).toBe(0);
        }
        const expected = await tensorsOf(one, 4);
        const largest = "flava.text_model.encoder.layer.0.intermediate.dense.weight";
        expect(expected[largest]!.length * 4).toBe(2 ** 18);
        const same = async (): Promise<void> => {
          for (const [name, values] of Object.entries(await tensorsOf(two, 4)))
            expect(values, name).toBeAllclose(expected[name]!, { rtol: 1e-3, atol: 1e-5 });
        };
        await same();
        await rm(join(two, "text", "checkpoint-4"), { recursive: true });
        await rm(join(two, "text", "checkpoint-3"), { recursive: true });
        const resumed = await onRanks(mpi, 4, own(two, "--resume", "latest"));
        expect(resumed.code, resumed.stderr).toBe(0);
        await same();
      });

      it("ends within seconds when a rank is killed, and goes on with three", async () => {
        const runDir = at("killed");
        const { ran, seconds } = await signalled(onRanks(mpi, 4, arguments_(runDir)), runDir, 2, "SIGKILL");
        expect(ran.code).not.toBe(0);
        expect(seconds).toBeLessThan(15);
        const saved = await step(runDir);
        expect(saved).toBeGreaterThanOrEqual(2);
        const resumed = await onRanks(mpi, 3, arguments_(runDir, "--resume", "latest"));
        expect(resumed.code, resumed.stderr).toBe(0);
        const state = async (run: string) =>
          JSON.parse(await readFile(join(run, "text", `checkpoint-${STEPS}`, "state.json"), "utf8"));
        expect((await state(runDir)).cursors.loader, "what has been read").toEqual(
          (await state(at("4"))).cursors.loader,
        );
      });

      it("names the rank that hangs, and ends", async () => {
        const runDir = at("stopped");
        const started = onRanks(mpi, 3, arguments_(runDir, "--patience", "3"));
        const stopped = async () => {
          while ((await step(runDir)) < 2) await new Promise((resolve) => setTimeout(resolve, 50));
          const pid = pidOf(runDir, 1)!;
          process.kill(pid, "SIGSTOP");
          return pid;
        };
        const pid = await stopped();
        const ran = await started.finally(() => {
          try {
            process.kill(pid, "SIGKILL");
          } catch {
            // the launcher has ended it
          }
        });
        expect(ran.code).not.toBe(0);
        expect(ran.stderr).toMatch(/worker 1 of 3 has not come to MPI_\w+, where the others have waited for 3 s/);
      });
    },
  );
