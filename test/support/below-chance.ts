/** What a run's losses were at the end of each stage, beside what a guess scores. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { RunInfo } from "../../src/record/index.ts";

/** A loss of a stage at its end. */
export interface Ended {
  /** `stage/loss`. */
  readonly name: string;
  /** The last mean that was logged. */
  readonly loss: number;
  /** The mean over the second half of what was logged. */
  readonly mean: number;
  readonly chance: number;
}

/** Each loss that has a chance level. */
export async function lossesOf(runDir: string, info: RunInfo): Promise<Ended[]> {
  const lines = (await readFile(join(runDir, "metrics.jsonl"), "utf8"))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  return Object.entries(info.stages).flatMap(([stage, { chance = {} }]) =>
    Object.entries(chance)
      .filter(([name]) => !name.includes("/"))
      .flatMap(([name, level]) => {
        const values = lines.filter((line) => line.stage === stage && name in line).map((line) => line[name] as number);
        const half = values.slice(values.length >> 1);
        const mean = half.reduce((sum, value) => sum + value, 0) / half.length;
        return values.length === 0 ? [] : [{ name: `${stage}/${name}`, loss: values.at(-1)!, mean, chance: level }];
      }),
  );
}
