/** Models × tasks: one cell each, which several processes may share out among themselves. */
import { FlavaModel } from "../../api/index.ts";
import { DataError, FlavaError, InUse } from "../../errors.ts";
import { lockFile, makeFolder, statOf } from "../../io/index.ts";
import { requireTask, type TaskPlace } from "../layouts/index.ts";
import { type Cell, cellPath, readCells, saveCell } from "../results.ts";
import type { Task } from "../schema.ts";
import { type Measure, type MeasureOptions, measures } from "./measures.ts";

/** A model, and what its column is called. */
export interface NamedModel {
  readonly name: string;
  /** A run's folder, a model's folder, or a repository of the Hub. */
  readonly path: string;
}

/** What is evaluated, and where. */
export interface EvaluationRequest extends MeasureOptions {
  readonly models: readonly NamedModel[];
  readonly tasks: readonly Task[];
  readonly measures: readonly Measure[];
  readonly dataRoot: string;
  /** The folder of cells. */
  readonly out: string;
  readonly open?: ((path: string) => Promise<FlavaModel>) | undefined;
  /** Called when a cell is done, exists already, is another process's, or cannot be measured. */
  readonly onCell?: ((event: CellEvent) => void) | undefined;
}

/** What became of a cell. */
export type CellEvent = {
  readonly model: string;
  readonly task: string;
  readonly measure: Measure;
} & (
  | { readonly state: "done" | "known"; readonly cell: Cell }
  | { readonly state: "busy" }
  | { readonly state: "failed"; readonly error: FlavaError }
);

/**
 * Measures what is not measured yet: a cell of the same weights is left as it is, one that another process works on is passed over. Data
 * that are missing are refused before any work; a task that fails later does not stop the others. Throws what `requireTask` throws.
 */
export async function evaluate(request: EvaluationRequest): Promise<CellEvent[]> {
  const { signal, out, onCell } = request;
  await makeFolder(out);
  const jobs = await jobsOf(request);
  const events: CellEvent[] = [];
  for (const { name, path } of request.models) {
    await using model = await (request.open?.(path) ?? FlavaModel.fromPretrained(path, { signal }));
    for (const { place, measure } of jobs) {
      signal?.throwIfAborted();
      const event = {
        model: name,
        task: place.task.name,
        measure,
        ...(await cellOf(request, { name, path }, model, place, measure)),
      };
      events.push(event);
      onCell?.(event);
    }
  }
  return events;
}

interface Job {
  readonly place: TaskPlace;
  readonly measure: Measure;
}

async function jobsOf({ tasks, measures: wanted, dataRoot, signal }: EvaluationRequest): Promise<Job[]> {
  const jobs: Job[] = [];
  for (const task of tasks) {
    const fitting = wanted.filter((measure) => measures[measure].suits(task));
    if (fitting.length === 0) continue;
    const place = await requireTask(task, dataRoot, signal);
    jobs.push(...fitting.map((measure) => ({ place, measure })));
  }
  if (jobs.length === 0)
    throw new DataError(
      `evaluation: expected tasks for ${wanted.join(", ")}, got ${tasks.map(({ name }) => name).join(", ") || "none"}`,
    );
  return jobs;
}

type Outcome =
  | { readonly state: "done" | "known"; readonly cell: Cell }
  | { readonly state: "busy" }
  | { readonly state: "failed"; readonly error: FlavaError };

async function cellOf(
  request: EvaluationRequest,
  named: NamedModel,
  model: FlavaModel,
  place: TaskPlace,
  measure: Measure,
): Promise<Outcome> {
  const path = cellPath(request.out, { dataset: place.task.name, model: named.name, task: measure });
  try {
    const before = await knownCell(path, model);
    if (before) return { state: "known", cell: before };
    await using _lock = await lockFile(`${path}.lock`);
    const meanwhile = await knownCell(path, model);
    if (meanwhile) return { state: "known", cell: meanwhile };
    const started = performance.now();
    const { metrics, about, refused } = await measures[measure].measure(model, place, request);
    const cell = {
      dataset: place.task.name,
      model: named.name,
      pretrained: named.path,
      task: measure,
      language: "en",
      metrics,
      ...about,
      refused: { count: refused.length, first: refused.slice(0, 20) },
      ...{ layout: place.layout, weights: model.weightsHash ?? null },
      seconds: Math.round((performance.now() - started) / 100) / 10,
    };
    await saveCell(request.out, cell);
    return { state: "done", cell };
  } catch (error) {
    if (request.signal?.aborted || !(error instanceof FlavaError)) throw error;
    return error instanceof InUse ? { state: "busy" } : { state: "failed", error };
  }
}

/** A cell that these weights were measured for. */
async function knownCell(path: string, { weightsHash }: FlavaModel): Promise<Cell | undefined> {
  if (!(await statOf(path))) return undefined;
  const [cell] = await readCells([path]);
  return (cell as { weights?: unknown }).weights === (weightsHash ?? null) ? cell : undefined;
}
