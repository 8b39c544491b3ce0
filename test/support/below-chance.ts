/** What a run's losses were at the end of each stage, beside what a guess scores. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { RunInfo } from "../../src/record/index.ts";

/** Each loss that has a chance level: `stage/loss` with the last mean that was logged and the level. */
export async function lossesOf(
  runDir: string,
  info: RunInfo,
): Promise<{ readonly name: string; readonly loss: number; readonly chance: number }[]> {
  const lines = (await readFile(join(runDir, "metrics.jsonl"), "utf8"))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  return Object.entries(info.stages).flatMap(([stage, { chance = {} }]) =>
    Object.entries(chance)
      .filter(([name]) => !name.includes("/"))
      .flatMap(([name, level]) => {
        const last = lines.filter((line) => line.stage === stage && name in line).at(-1);
        return last === undefined ? [] : [{ name: `${stage}/${name}`, loss: last[name] as number, chance: level }];
      }),
  );
}
