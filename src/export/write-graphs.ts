/** Graphs → ONNX files, each measured as soon as it is written. */
import { join } from "node:path";
import type { DynamicGraph } from "../graph/index.ts";
import { optimize } from "../graph/passes/index.ts";
import { saveFile } from "../io/index.ts";
import { type ExternalData, type FusionName, type ModelDType, toOnnx } from "../lower/onnx/index.ts";
import type { Tensor } from "../tensor/index.ts";
import type { ExportOptions } from "./export.ts";
import type { ExportGraph, GraphName } from "./graphs.ts";
import { type AllExpected, fileParity, type OutputParity } from "./parity.ts";

/** The number formats of files, as transformers.js calls them. */
export const exportDTypes = ["fp32", "fp16", "q8", "int8"] as const;

/** Numbers of a file, by transformers.js' names; int8 is q8 under its other name. */
export type ExportDType = (typeof exportDTypes)[number];

interface Written {
  /** Of the file's name, as transformers.js looks for it. */
  readonly suffix: string;
  readonly dtype: ModelDType;
  /** Of one weight. */
  readonly bytes: number;
}

/** How each is written. */
export const DTYPES: { readonly [D in ExportDType]: Written } = {
  fp32: { suffix: "", dtype: "fp32", bytes: 4 },
  fp16: { suffix: "_fp16", dtype: "fp16", bytes: 2 },
  q8: { suffix: "_quantized", dtype: "q8", bytes: 1 },
  int8: { suffix: "_int8", dtype: "q8", bytes: 1 },
};

/** An input or output; names in shapes are lengths that each run decides. */
export interface Port {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly (number | string)[];
}

/** A file that was written, what goes in and out, and how far its outputs are from the model's. */
export interface ExportedFile {
  readonly graph: GraphName;
  readonly dtype: ExportDType;
  /** Relative to the folder: `onnx/vision_model.onnx`. */
  readonly file: string;
  /** With the data file. */
  readonly sizeBytes: number;
  readonly external: boolean;
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  readonly parity: readonly OutputParity[];
}

/** Standard operators only: other engines, and ONNX Runtime on GPUs, have no FusedMatMul. ONNX Runtime fuses it itself on processors. */
const FUSIONS: readonly FusionName[] = ["gemmBias", "gemm"];

/** Protobuf ends at 2 GiB; the rest of a model is small. */
const MOST_BYTES = 1.9e9;

/** What files are made from. */
export interface Writing {
  readonly folder: string;
  readonly dtypes: readonly ExportDType[];
  readonly weights: Readonly<Record<string, Tensor>>;
  readonly options: ExportOptions;
  readonly expected: AllExpected;
}

/** Every graph in every dtype. */
export async function writeGraphs(graphs: readonly ExportGraph[], writing: Writing): Promise<ExportedFile[]> {
  const { dtypes, options } = writing;
  const written: ExportedFile[] = [];
  for (const each of graphs)
    for (const dtype of new Set(dtypes)) {
      options.signal?.throwIfAborted();
      options.onFile?.(
        `${each.file}${DTYPES[dtype].suffix}.onnx`,
        written.length,
        graphs.length * new Set(dtypes).size,
      );
      written.push(await writeGraph(each, dtype, writing));
    }
  return written;
}

async function writeGraph(each: ExportGraph, as: ExportDType, writing: Writing): Promise<ExportedFile> {
  const { folder, weights, options, expected } = writing;
  const { suffix, dtype, bytes } = DTYPES[as];
  const stem = `${each.file}${suffix}`;
  const g: DynamicGraph = { ...each.graph, trace: (sizes) => optimize(each.graph.trace(sizes)) };
  const { inputs } = g.trace({ batch_size: 2, sequence_length: 2 });
  const own = Object.fromEntries(
    each.params.filter(({ name }) => inputs[name]).map(({ name }) => [name, weights[name]!]),
  );
  const size = Object.values(own).reduce((n, t) => n + t.data.length * bytes, 0);
  const external = options.external || size > MOST_BYTES;
  const lowered = toOnnx(g, {
    initializers: own,
    dtype,
    fusions: FUSIONS,
    reduceRange: options.reduceRange,
    ...(options.opset === undefined ? {} : { opset: options.opset }),
    ...(external ? { external: { location: `${stem}.onnx_data` } } : {}),
  });
  const path = join(folder, "onnx", `${stem}.onnx`);
  const { signal } = options;
  let sizeBytes = 0;
  if (lowered.externalData)
    sizeBytes += await saveFile(join(folder, "onnx", `${stem}.onnx_data`), pieces(lowered.externalData), { signal });
  sizeBytes += await saveFile(path, lowered.model, { signal });
  return {
    graph: each.name,
    dtype: as,
    file: `onnx/${stem}.onnx`,
    sizeBytes,
    external: lowered.externalData !== undefined,
    inputs: Object.values(lowered.inputs),
    outputs: Object.values(lowered.outputs),
    parity: await fileParity(path, expected.of.get(each.name)!, expected.feeds, options),
  };
}

/** The data file from its start, with zeros in the gaps. */
function* pieces({ parts }: ExternalData): Generator<Uint8Array> {
  let at = 0;
  for (const { offset, bytes } of parts) {
    if (offset > at) yield new Uint8Array(offset - at);
    yield bytes;
    at = offset + bytes.length;
  }
}
