/**
 * `npm run bench evaluation`: what evaluation costs at the sizes of the paper's tasks: recall on COCO's test split, and a linear probe of
 * 100 classes, the latter beside scikit-learn, in turn, where a Python has it (`-- --python PATH`, else `python3`). `--threads N` is for
 * both.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { retrieval } from "../src/evaluators/index.ts";
import { type Device, openDevice } from "../src/runtime/index.ts";
import { type Fitted, fitLogistic, type LinearData } from "../src/tasks/index.ts";
import { random, type Tensor } from "../src/tensor/index.ts";
import { figure, isEngineError, median, peakBytes, say, seconds } from "./measure.ts";
import { type Ask, openPython } from "./peers/python.ts";

const WIDTH = 768;
const [PICTURES, CAPTIONS] = [5000, 25_000];
const [ROWS, CLASSES, C] = [10_000, 100, 0.01];
/** Both search until the largest entry of the gradient of the mean loss is below it. */
const GRADIENT = 1e-8;

/** Prints the figures. */
export async function evaluation(rounds: number, threads: number | undefined, args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], strict: false, options: { python: { type: "string" } } });
  const device = await openDevice("cpu", threads ? { threads } : {});
  say(`recall of ${CAPTIONS} captions and ${PICTURES} pictures, both ways`);
  const concepts = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i % PICTURES));
  const [images, texts] = [unitRows(PICTURES, "pictures"), unitRows(CAPTIONS, "captions")];
  const recall = await seconds(() =>
    retrieval(
      device,
      { embeds: images, concepts: concepts(PICTURES) },
      { embeds: texts, concepts: concepts(CAPTIONS) },
    ),
  );
  figure("recall_s", recall);
  figure("recall_peak_mib", peakBytes() / 2 ** 20);

  await probes(device, rounds, { threads, python: String(values.python ?? "python3") });
}

interface Peer {
  readonly python: string;
  readonly threads: number | undefined;
}

/** One fit after another, ours and scikit-learn's in turn. */
async function probes(device: Device, rounds: number, { python, threads }: Peer): Promise<void> {
  say(`logistic regression on ${ROWS} × ${WIDTH} of ${CLASSES} classes, C ${C}, to a gradient below ${GRADIENT}`);
  const data = probeData();
  const folder = await mkdtemp(join(tmpdir(), "flava-bench-"));
  const count = String(threads ?? availableParallelism());
  const { ask, end } = openPython(python, ["test/reference/sklearn_peer.py"], {
    ...{ OMP_NUM_THREADS: count, OPENBLAS_NUM_THREADS: count },
  });
  try {
    const there = await handedOver(ask, data, folder);
    const taken: Record<"ours" | "theirs", Fit[]> = { ours: [], theirs: [] };
    for (let round = 0; round < rounds; round++) {
      const { fit, found } = await ourFit(device, data);
      taken.ours.push(there ? { ...fit, ...(await judged(ask, found, folder)) } : fit);
      if (there) taken.theirs.push((await ask({ tolerance: GRADIENT })) as unknown as Fit);
    }
    report(taken.ours, taken.theirs);
  } finally {
    await end();
    await rm(folder, { recursive: true, force: true });
  }
}

function probeData(): LinearData & { readonly x: Float32Array } {
  const labels = Int32Array.from({ length: ROWS }, (_, i) => i % CLASSES);
  const centres = unitRows(CLASSES, "centres").data;
  const x = unitRows(ROWS, "features").data.map((v, i) => {
    const [row, column] = [Math.floor(i / WIDTH), i % WIDTH];
    return Math.sqrt(WIDTH) * (v + 0.15 * centres[labels[row]! * WIDTH + column]!);
  });
  return { x, width: WIDTH, labels, classes: CLASSES };
}

/** Whether scikit-learn is there, with the data in its memory. */
async function handedOver(ask: Ask, { x, labels, width }: LinearData & { readonly x: Float32Array }, folder: string) {
  try {
    say(`scikit-learn ${(await ask()).sklearn}`);
    await writeFile(join(folder, "x"), x);
    await ask({ x: join(folder, "x"), y: Array.from(labels), width, C });
    return true;
  } catch (error) {
    if (!isEngineError(error)) throw error;
    say(`no scikit-learn to compare with: ${error.message}; -- --python PATH names a Python that has it`);
    return false;
  }
}

interface Fit {
  readonly wall: number;
  readonly processor: number;
  readonly iterations: number;
  readonly evaluations: number;
  /** Over C·N. */
  readonly loss?: number;
  readonly gradient?: number;
}

async function ourFit(device: Device, data: LinearData): Promise<{ fit: Fit; found: Fitted }> {
  const [start, used] = [performance.now(), process.cpuUsage()];
  const tolerance = GRADIENT * Math.sqrt(C * ROWS);
  const found = await fitLogistic(device, data, { C, tolerance });
  const { user, system } = process.cpuUsage(used);
  const { iterations, evaluations } = found;
  const times = { wall: (performance.now() - start) / 1000, processor: (user + system) / 1e6 };
  return { fit: { ...times, iterations, evaluations }, found };
}

async function judged(ask: Ask, { coef, intercept }: Fitted, folder: string): Promise<Pick<Fit, "loss" | "gradient">> {
  await writeFile(join(folder, "coef"), coef);
  return (await ask({ coef: join(folder, "coef"), intercept: Array.from(intercept) })) as Pick<
    Fit,
    "loss" | "gradient"
  >;
}

function report(ours: readonly Fit[], theirs: readonly Fit[]): void {
  for (const [name, fits] of Object.entries({ logistic: ours, logistic_sklearn: theirs })) {
    const [last] = fits.slice(-1);
    if (!last) continue;
    for (const key of ["wall", "processor"] as const) figure(`${name}_${key}_s`, median(fits.map((fit) => fit[key])));
    const reached = last.loss === undefined ? "" : `, loss ${last.loss.toFixed(12)}, gradient ${last.gradient}`;
    say(`  ${name}: ${last.iterations} iterations, ${last.evaluations} evaluations${reached}`);
  }
  for (const key of ["wall", "processor"] as const)
    if (theirs.length > 0)
      figure(`logistic_over_sklearn_${key}`, median(theirs.map((fit, i) => fit[key] / ours[i]![key])));
}

/** (rows, WIDTH), drawn, of length 1. */
function unitRows(rows: number, name: string): Tensor<"float32"> {
  const rng = random(0, name);
  const data = Float32Array.from({ length: rows * WIDTH }, rng.normal);
  for (let r = 0; r < rows; r++) {
    const row = data.subarray(r * WIDTH, (r + 1) * WIDTH);
    const length = Math.hypot(...row);
    for (let e = 0; e < WIDTH; e++) row[e]! /= length;
  }
  return { dtype: "float32", shape: [rows, WIDTH], data };
}
