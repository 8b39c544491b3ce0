/** Data sets of the paper's tasks in miniature: files below a data root, and what is read of them. */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Sample } from "../../src/data/index.ts";
import { openSplit, paperTasks, pickTasks, requireTask, type SplitName, type Task } from "../../src/tasks/index.ts";
import { COLOURS, colourPicture } from "./colour-pictures.ts";
import { temporaryFolder } from "./data-fixtures.ts";

const PICTURE = colourPicture(COLOURS.red!, 0);
const tasks = await paperTasks();
/** A task of the paper. */
export const taskOf = (name: string): Task => pickTasks(tasks, [name])[0]!;

/** A data root with these files below the folder of a task. */
export async function dataRoot(task: string, files: Readonly<Record<string, string | Uint8Array>>): Promise<string> {
  const root = await temporaryFolder();
  for (const [name, content] of Object.entries(files)) {
    const path = join(root, taskOf(task).data.folder, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
  }
  return root;
}

/** The same picture under some names. */
export const pictures = (...names: string[]): Record<string, Uint8Array> =>
  Object.fromEntries(names.map((name) => [name, PICTURE]));

/** The samples of a split, and why others were left out. */
export async function read(task: string, root: string, split: SplitName) {
  const source = await openSplit(await requireTask(taskOf(task), root), split);
  const samples: Sample[] = [];
  const refused: string[] = [];
  for await (const { sample } of source?.samples({ onBad: ({ key, reason }) => refused.push(`${key}: ${reason}`) }) ??
    [])
    samples.push(sample);
  return { samples, refused, labels: samples.map(({ label }) => label), source };
}

/** The labels of each split. */
export const labelsOf = async (task: string, root: string): Promise<Partial<Record<SplitName, unknown>>> => ({
  train: (await read(task, root, "train")).labels,
  validation: (await read(task, root, "validation")).labels,
  test: (await read(task, root, "test")).labels,
});
