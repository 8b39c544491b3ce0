import { writeFile } from "node:fs/promises";
import { beforeAll, expect, it } from "vitest";
import { temporaryFolder } from "../../test/support/data-fixtures.ts";
import { metricsOf, TINY_RUN } from "../../test/support/tiny-run.ts";
import { silentReporter } from "../pretrain/run/reporter.ts";
import { pretrain } from "../pretrain/run/run.ts";
import { Cancelled, type Io } from "./command.ts";
import { type PretrainRequest, pretrainRequest } from "./pretrain.ts";
import { runSeeds } from "./pretrain-seeds.ts";

let root: string;
let recipe: string;
beforeAll(async () => {
  root = await temporaryFolder();
  recipe = `${root}/own.yaml`;
  const { text } = TINY_RUN.stages;
  await writeFile(recipe, JSON.stringify({ ...TINY_RUN, runDir: `${root}/own`, stages: { text } }));
});

/** `flava pretrain --seeds 0,1,2`; stopped after a step of a seed if it says so. */
async function series(stop?: { readonly seed: number; readonly step: number }) {
  const notes: string[] = [];
  let result = "";
  const io = {
    note: (line: string) => void notes.push(line),
    result(text: string): void {
      result = text;
    },
  };
  const run = async (request: PretrainRequest): Promise<void> => {
    const abort = new AbortController();
    const { seed } = request.recipe;
    const step = (at: number): void => void (seed === stop?.seed && at === stop.step && abort.abort());
    const { status } = await pretrain(request, { signal: abort.signal, reporter: { ...silentReporter, step } });
    if (status === "stopped") throw new Cancelled("SIGINT");
  };
  const load = async () => ({ run });
  const request = (options: object) => pretrainRequest(recipe, options);
  const ended = await runSeeds(io as unknown as Io, "0,1,2", {}, { load, request }).catch((error: Error) => error);
  return { notes, result, ended };
}

it("a series of seeds that is stopped goes on where it was by the same command, and ends with the table of all", async () => {
  const first = await series({ seed: 1, step: 3 });
  expect(first.ended).toBeInstanceOf(Cancelled);
  expect((first.ended as Error).message).toBe("cancelled in seed 1: the same command goes on where this stopped");
  const second = await series();
  expect(second.notes).toEqual([
    `seed 0: ${root}/own-seed-0, done already`,
    `seed 1: ${root}/own-seed-1, goes on`,
    `seed 2: ${root}/own-seed-2`,
  ]);
  for (const seed of [0, 1, 2]) expect(second.result).toContain(`own-seed-${seed}`);
  const lengths = await Promise.all(
    [0, 1, 2].map(async (seed) => (await metricsOf(`${root}/own-seed-${seed}`)).length),
  );
  expect(new Set(lengths).size).toBe(1);
});
