/** Models × tasks: one cell each, which several processes may share out among themselves. */
import { basename, join } from "node:path";
import { FlavaModel } from "../../api/index.ts";
import { ConfigError, DataError, FlavaError, InUse } from "../../errors.ts";
import { type JsonObject, lockFile, makeFolder, statOf } from "../../io/index.ts";
import { differences, formatDifference, hashOf } from "../../record/index.ts";
import { requireTask, type TaskPlace } from "../layouts/index.ts";
import { type Cell, cellPath, readCells, saveCell } from "../results.ts";
import type { Task } from "../schema.ts";
import { pixelFeatures, untrained } from "./baselines.ts";
import type { Measure } from "./measure-names.ts";
import type { MeasureOptions } from "./measured.ts";
import { measures } from "./measures.ts";
import { protocols } from "./protocol.ts";

/** A model, and what its column is called. */
export interface NamedModel {
  readonly name: string;
  /** A run's folder, a model's folder, or a repository of the Hub. */
  readonly path: string;
  /** Of its training, where several trainings are one column. */
  readonly seed?: number | undefined;
}

/** What is evaluated, and where. */
export interface EvaluationRequest extends MeasureOptions {
  readonly models: readonly NamedModel[];
  readonly tasks: readonly Task[];
  readonly measures: readonly Measure[];
  readonly dataRoot: string;
  /**
   * In place of `seed`: what is drawn is drawn once for each, a cell each; what needs no draw is measured once. Not with models that have a
   * seed of their own.
   */
  readonly seeds?: readonly number[] | undefined;
  /** The folder of cells. */
  readonly out: string;
  /**
   * Linear evaluations also of the pixels themselves, and of each model's image encoder before any training; of tasks with texts what their
   * words alone give away.
   */
  readonly baselines?: boolean | undefined;
  readonly open?: ((path: string) => Promise<FlavaModel>) | undefined;
  /** Called when a cell is done, exists already, is another process's, or cannot be measured. */
  readonly onCell?: ((event: CellEvent) => void) | undefined;
}

/** What became of a cell. */
export type CellEvent = {
  readonly model: string;
  readonly seed?: number | undefined;
  readonly task: string;
  readonly measure: Measure;
} & (
  | { readonly state: "known"; readonly cell: Cell }
  /** `changed`: why a cell that was there is measured again. */
  | { readonly state: "done"; readonly cell: Cell; readonly changed?: readonly string[] }
  | { readonly state: "busy" }
  | { readonly state: "failed"; readonly error: FlavaError }
);

/**
 * Measures what is not measured yet: a cell of the same weights, data, settings and seed is left as it is, one that another process works on
 * is passed over. Data that are missing are refused before any work; a task that fails later does not stop the others. Throws what
 * `requireTask` throws, ConfigError for seeds beside seeds of models.
 */
export async function evaluate(request: EvaluationRequest): Promise<CellEvent[]> {
  const { signal, out, onCell, seeds, models } = request;
  if (seeds && models.some(({ seed }) => seed !== undefined))
    throw new ConfigError("evaluation: expected seeds of what is drawn or of the models' training, got both");
  await makeFolder(out);
  const jobs = await jobsOf(request);
  const events: CellEvent[] = [];
  for (const named of models) {
    const { path } = named;
    await using model = await (request.open?.(path) ?? FlavaModel.fromPretrained(path, { signal }));
    for (const job of jobs)
      for (const drawn of draws(request, job.measure)) {
        signal?.throwIfAborted();
        const asked = { ...request, ...drawn };
        for await (const subject of subjects(asked, { ...named, ...drawn, model }, job.measure)) {
          const event = await eventOf(asked, subject, job);
          events.push(event);
          onCell?.(event);
        }
      }
  }
  return events;
}

/** The seeds of a way of measuring; none of its own where nothing is drawn, or one seed is asked for. */
const draws = ({ seeds }: EvaluationRequest, measure: Measure): { readonly seed?: number }[] =>
  seeds && measures[measure].drawn ? seeds.map((seed) => ({ seed })) : [{}];

/** What a column is of. */
interface Subject extends NamedModel {
  readonly model: FlavaModel;
  readonly features?: MeasureOptions["features"];
  /** Fine-tuned from weights that are drawn anew. */
  readonly fromScratch?: boolean;
  /** Tells it from others of its name. */
  readonly weights: string | null;
}

/** A model, and where they are wanted what it is compared with. */
async function* subjects(
  { baselines, seed = 0 }: EvaluationRequest,
  named: NamedModel & { readonly model: FlavaModel },
  measure: Measure,
): AsyncGenerator<Subject> {
  const { name, model } = named;
  if (measure === "words_alone") return yield { name: "words alone", path: "", model, weights: "words" };
  yield { ...named, weights: model.weightsHash ?? null };
  if (baselines && measure === "finetune")
    yield { ...named, name: `${name}, untrained`, fromScratch: true, weights: `drawn from seed ${seed}` };
  if (!baselines || measure !== "linear_probe") return;
  using twin = untrained(model, seed);
  yield { ...named, name: `${name}, untrained`, model: twin, weights: twin.weightsHash ?? null };
  yield { name: "raw pixels", path: "", seed: named.seed, model, features: pixelFeatures, weights: "pixels" };
}

interface Job {
  readonly place: TaskPlace;
  readonly measure: Measure;
  /** What decides its figures beside the weights. */
  protocol(seed: number | undefined): Promise<JsonObject>;
}

async function jobsOf(request: EvaluationRequest): Promise<Job[]> {
  const { tasks, measures: asked, baselines, dataRoot, signal } = request;
  const jobs: Job[] = [];
  const wanted = [...new Set([...asked, ...(baselines ? (["words_alone"] as const) : [])])];
  for (const task of tasks) {
    const fitting = wanted.filter((measure) => measures[measure].suits(task));
    if (fitting.length === 0) continue;
    const place = await requireTask(task, dataRoot, signal);
    const protocolOf = protocols(place);
    jobs.push(...fitting.map((measure) => ({ place, measure, protocol: (seed = 0) => protocolOf(measure, seed) })));
  }
  if (jobs.length === 0)
    throw new DataError(
      `evaluation: expected tasks for ${wanted.join(", ")}, got ${tasks.map(({ name }) => name).join(", ") || "none"}`,
    );
  return jobs;
}

async function eventOf(request: EvaluationRequest, subject: Subject, job: Job): Promise<CellEvent> {
  const { name, seed } = subject;
  const { place, measure } = job;
  const outcome = await cellOf(request, subject, job);
  return { model: name, ...(seed !== undefined && { seed }), task: place.task.name, measure, ...outcome };
}

type Outcome<E = CellEvent> = E extends unknown ? Omit<E, "model" | "seed" | "task" | "measure"> : never;

async function cellOf(request: EvaluationRequest, subject: Subject, job: Job): Promise<Outcome> {
  const { place, measure } = job;
  const { name, path: from, seed, model, features, fromScratch, weights } = subject;
  const path = cellPath(request.out, { dataset: place.task.name, model: name, seed, task: measure });
  try {
    const protocol = await job.protocol(request.seed);
    const wanted = { weights, protocol, rerank: measure === "zeroshot_retrieval" ? request.rerank : undefined };
    const before = await findCell(path, wanted);
    if (before?.changed.length === 0) return { state: "known", cell: before.cell };
    await using _lock = await lockFile(`${path}.lock`);
    const meanwhile = await findCell(path, wanted);
    if (meanwhile?.changed.length === 0) return { state: "known", cell: meanwhile.cell };
    const started = performance.now();
    const { metrics, about, refused } = await measures[measure].measure(model, place, {
      ...request,
      ...{ features, fromScratch, runDir: runFolder(request, path, { weights, protocol }) },
    });
    const cell = {
      dataset: place.task.name,
      model: name,
      pretrained: from,
      task: measure,
      language: "en",
      ...(seed !== undefined && { seed }),
      metrics,
      ...about,
      refused: { count: refused.length, first: refused.slice(0, 20) },
      ...{ layout: place.layout, weights, protocol },
      seconds: Math.round((performance.now() - started) / 100) / 10,
    };
    await saveCell(request.out, cell);
    return { state: "done", cell, ...(meanwhile && { changed: meanwhile.changed }) };
  } catch (error) {
    if (request.signal?.aborted || !(error instanceof FlavaError)) throw error;
    return error instanceof InUse ? { state: "busy" } : { state: "failed", error: located(error, place) };
  }
}

/** An error of the data, with the task and its folder before it where it does not name them. */
function located(error: FlavaError, { task, root }: TaskPlace): FlavaError {
  const { message } = error;
  if (!(error instanceof DataError) || message.includes(`task ${task.name}:`)) return error;
  const where = message.includes(root) ? "" : `${root}: `;
  return new DataError(`task ${task.name}: ${where}${message}`, undefined, { cause: error });
}

/** What decides a cell's figures. */
interface Wanted {
  readonly weights: string | null;
  readonly protocol: JsonObject;
  readonly rerank: number | undefined;
}

/** The run of a cell that is trained for: another one for other weights, data, settings and seeds. */
const runFolder = ({ out }: EvaluationRequest, cell: string, { weights, protocol }: Omit<Wanted, "rerank">): string =>
  join(out, "runs", `${basename(cell, ".json")}_${hashOf({ weights, protocol }).slice(0, 12)}`);

/** The cell that is there, and what it was measured with that is not wanted now; a re-ranking more is no harm. */
async function findCell(
  path: string,
  { weights, protocol, rerank }: Wanted,
): Promise<{ readonly cell: Cell; readonly changed: readonly string[] } | undefined> {
  if (!(await statOf(path))) return undefined;
  const [cell] = await readCells([path]);
  const was = { weights: cell!.weights ?? null, ...cell!.protocol, ...(rerank && { rerank: cell!.rerank?.k ?? null }) };
  const found = differences(was, { weights, ...protocol, ...(rerank && { rerank }) });
  return { cell: cell!, changed: found.map(formatDifference) };
}
