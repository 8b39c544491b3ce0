/** `flava inspect FILE.onnx`: what a graph takes, gives and holds. */
import { readBytes } from "../io/index.ts";
import { decodeModel, type OnnxPort } from "../lower/onnx/index.ts";
import { formatShape } from "../tensor/index.ts";
import type { Io } from "./command.ts";
import { formatBytes, formatCount } from "./progress.ts";

/** A file past the limit of protobuf cannot be one. */
const MAX_BYTES = 2 ** 31;

/** Prints it. Throws FileError, CheckpointError. */
export async function inspectOnnx(
  io: Io,
  path: string,
  { all = false }: { readonly all?: boolean | undefined },
): Promise<void> {
  const bytes = await readBytes(path, MAX_BYTES, { signal: io.signal });
  const { producer, opsets, metadata, graph, irVersion } = decodeModel(bytes);
  const ops = new Map<string, number>();
  for (const { op } of graph.nodes) ops.set(op, (ops.get(op) ?? 0) + 1);
  const counts = [...ops].sort((a, b) => b[1] - a[1]);
  const tensors = graph.initializers.map(({ name, dtype, shape }) => ({ name, dtype, shape }));
  const port = ({ name, dtype, shape }: OnnxPort): string => `${name}: ${dtype} ${formatShape(shape as number[])}`;
  const opset = opsets.map(({ domain, version }) => `${domain || "ai.onnx"} ${version}`).join(", ");
  io.result(
    [
      path,
      `format        ONNX, IR ${irVersion}, ${opset}, ${formatBytes(bytes.length)}${producer ? `, by ${producer}` : ""}`,
      ...graph.inputs.map((one) => `input         ${port(one)}`),
      ...graph.outputs.map((one) => `output        ${port(one)}`),
      `nodes         ${formatCount(graph.nodes.length)}: ${counts.map(([op, n]) => `${n} ${op}`).join(", ")}`,
      `tensors       ${formatCount(tensors.length)}`,
      ...(all ? tensors.map(({ name, dtype, shape }) => `  ${dtype.padEnd(9)}${formatShape(shape)} ${name}`) : []),
    ].join("\n"),
    {
      name: path,
      format: "onnx",
      irVersion,
      producer,
      opsets,
      metadata,
      bytes: bytes.length,
      inputs: graph.inputs,
      outputs: graph.outputs,
      operators: Object.fromEntries(counts),
      tensors,
    },
  );
}
