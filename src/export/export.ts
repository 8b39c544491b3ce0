/** A model → a folder of ONNX graphs with the files beside them, in the layout of transformers.js, and a report of their differences. */
import { join } from "node:path";
import type { OpenOptions } from "../api/index.ts";
import { openLoaded } from "../api/load.ts";
import { CheckpointError, ConfigError } from "../errors.ts";
import { makeFolder, readBytes, saveFile, statOf } from "../io/index.ts";
import type { Model } from "../models/index.ts";
import { openDevice, type State } from "../runtime/index.ts";
import type { Tensor } from "../tensor/index.ts";
import { exportCard } from "./card.ts";
import { type ExportGraph, exportGraph, type GraphName, graphNames } from "./graphs.ts";
import { allExpected } from "./parity.ts";
import { trial } from "./samples.ts";
import { sideFiles } from "./side-files.ts";
import { DTYPES, type ExportDType, type ExportedFile, exportDTypes, writeGraphs } from "./write-graphs.ts";

/** What is exported, in which numbers, and what it is measured on. */
export interface ExportOptions extends OpenOptions {
  /** Default fp32 alone. */
  readonly dtypes?: readonly ExportDType[] | undefined;
  /** All that the model has the weights of, unless said. */
  readonly only?: readonly GraphName[] | undefined;
  /** Operator set, 17 to 21. Default 21. */
  readonly opset?: number | undefined;
  /** Weights in a file beside each graph, also below 2 GB, from where they are needed there. */
  readonly external?: boolean | undefined;
  /** With q8, weights of 7 bits, for processors without VNNI. */
  readonly reduceRange?: boolean | undefined;
  /** Side of the pictures in pixels, whole patches, where it is not the model's own. */
  readonly imageSize?: number | undefined;
  /** A data source whose first samples the differences are measured on. Default: made ones. */
  readonly samples?: string | undefined;
  /** Default 8. */
  readonly sampleCount?: number | undefined;
  /** Licence that the card names, as the Hub spells it. */
  readonly license?: string | undefined;
  readonly threads?: number | undefined;
  /** Called before each file is written and measured. */
  readonly onFile?: ((file: string, index: number, count: number) => void) | undefined;
}

/** What was written, and how far each file is from the model. */
export interface ExportReport {
  readonly model: string;
  readonly folder: string;
  readonly files: readonly ExportedFile[];
  /** What the differences were measured on, and beside what. */
  readonly samples: string;
  readonly reference: string;
  readonly notes: readonly string[];
}

/**
 * Exports the model of a folder or of a repository of the Hub into `folder`. Files of an earlier export are replaced.
 * Throws ConfigError, FileError, CheckpointError, DataError, EngineError.
 */
export async function exportOnnx(location: string, folder: string, options: ExportOptions = {}): Promise<ExportReport> {
  const { dtypes = ["fp32"] } = options;
  check(dtypes, exportDTypes, "dtype");
  check(options.only ?? graphNames, graphNames, "only");
  const { loaded, config, image } = await openLoaded(location, { ...options, device: "interpret" });
  const { model, state, tokenizer } = loaded;
  const notes: string[] = [];
  const graphs = chosenGraphs(model, (name) => state.has(name), options, notes);
  const weights = await readWeights(graphs, state);
  state.dispose();
  await makeFolder(join(folder, "onnx")); // a place that cannot be written is told before the work
  const tried = await trial(
    { model, tokenizer, image },
    { ...options, source: options.samples, count: options.sampleCount },
  );
  const device = await openDevice("cpu", options.threads ? { threads: options.threads } : {});
  const expected = await allExpected(graphs, tried.feeds, weights, device);
  const files = await writeGraphs(graphs, { folder, dtypes, weights, options, expected });
  const report: ExportReport = {
    model: loaded.name ?? location,
    folder,
    files,
    samples: tried.described,
    reference: [...new Set(graphs.map(({ name }) => expected.of.get(name)!.by))].join(", or "),
    notes: [...notes, ...remarks(model, options, dtypes), ...suspicions(files)],
  };
  const side = sideFiles({ config, model, tokenizer, image, external: externalFiles(files) });
  for (const line of suspicions(files)) options.onWarning?.(line);
  await writeSideFiles(report, side, location, options);
  return report;
}

function check<T extends string>(given: readonly T[], known: readonly T[], what: string): void {
  if (given.length === 0) throw new ConfigError(`${what}: expected some of ${known.join(", ")}, got none`);
  const wrong = given.find((name) => !known.includes(name));
  if (wrong !== undefined) throw new ConfigError(`${what}: expected some of ${known.join(", ")}, got "${wrong}"`);
}

/** The graphs that are wanted and can be built. Multimodal ones are tried on what the two encoders give, so those are built with them. */
function chosenGraphs(
  model: Model,
  has: (name: string) => boolean,
  options: ExportOptions,
  notes: string[],
): ExportGraph[] {
  const found: ExportGraph[] = [];
  for (const name of new Set(options.only ?? graphNames)) {
    try {
      const built = exportGraph(model, name, has, options);
      if (built) found.push(built);
      else if (options.only) throw new ConfigError(`only: ${name}: a ${model.family} has no such graph`);
      for (const [output, lacking] of Object.entries(built?.missing ?? {}))
        notes.push(`${built!.file}: \`${output}\` is left out: the weights lack ${lacking.slice(0, 3).join(", ")}`);
    } catch (error) {
      if (options.only || !(error instanceof CheckpointError)) throw error;
      notes.push(`no ${name} graph: ${error.message.split("\n")[0]}`);
    }
  }
  if (found.length === 0) throw new CheckpointError(`expected weights of a FLAVA, got none that a graph needs`);
  for (const line of notes) options.onWarning?.(line);
  return found;
}

async function readWeights(graphs: readonly ExportGraph[], state: State): Promise<Record<string, Tensor>> {
  const weights: Record<string, Tensor> = {};
  for (const { params } of graphs) for (const { name } of params) weights[name] ??= await state.read(name);
  return weights;
}

/** The files whose weights lie beside them, without folder and ending. */
const externalFiles = (files: readonly ExportedFile[]): string[] =>
  files.filter(({ external }) => external).map(({ file }) => file.replace(/^onnx\/|\.onnx$/g, ""));

/** Files whose differences are no rounding: an overflow of float16, or a mistake of ours. */
export const suspicions = (files: readonly Pick<ExportedFile, "file" | "dtype" | "parity">[]): string[] =>
  files.flatMap(({ file, dtype, parity }) =>
    parity.flatMap(({ output, max, size }) => {
      if (!Number.isFinite(max))
        return [`${file}: \`${output}\` is not finite on these samples: do not use this file.`];
      if (dtype === "fp32" && max > 1e-3 * Math.max(1, size))
        return [`${file}: \`${output}\` differs from the model by more than rounding explains: do not use this file.`];
      return [];
    }),
  );

/** What a user of the files has to know. */
function remarks({ pictures }: Model, { imageSize }: ExportOptions, dtypes: readonly ExportDType[]): string[] {
  const side = imageSize ?? pictures?.size;
  return [
    ...(side
      ? [
          `Pictures are ${side} × ${side} pixels in every run: their position embeddings are part of the graphs. --image-size exports another size.`,
        ]
      : []),
    ...(dtypes.some((dtype) => DTYPES[dtype].dtype === "q8")
      ? [
          "8-bit files round activations of a whole batch together: a result depends a little on what else is in the batch.",
        ]
      : []),
  ];
}

async function writeSideFiles(
  report: ExportReport,
  files: Readonly<Record<string, string>>,
  location: string,
  { license, signal }: ExportOptions,
): Promise<void> {
  const { folder } = report;
  const parity = `${JSON.stringify(report, null, 2)}\n`;
  for (const [name, text] of Object.entries({ ...files, "onnx/parity.json": parity }))
    await saveFile(join(folder, name), text, { signal });
  const existing = (await textOf(join(location, "card.md"))) ?? (await textOf(join(location, "README.md")));
  await saveFile(join(folder, "README.md"), exportCard(report, { existing, license }), { signal });
}

/** A small text file; undefined where there is none. */
async function textOf(path: string): Promise<string | undefined> {
  if (!(await statOf(path))?.isFile()) return undefined;
  return new TextDecoder().decode(await readBytes(path, 2 ** 22));
}
