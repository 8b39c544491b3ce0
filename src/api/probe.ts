/**
 * A linear probe that lies beside a model: `probe.safetensors` with `weight` (C, D), `bias` (C), and what it is made for in the file's
 * metadata. A classifier that was trained on top of the model is saved so, and image-classification reads it.
 */
import { CheckpointError } from "../errors.ts";
import type { TensorFile } from "../hub/tensor-file.ts";
import { formatShape, type Tensor } from "../tensor/index.ts";
import type { ImageOutput } from "./encode.ts";
import { dot, softmax } from "./numbers.ts";

/** What a probe reads: CLS after the final LayerNorm, the pooler, or the contrastive projection, as it is or of length 1. */
export type ProbeInput = "cls" | Extract<ImageOutput, "pooler_output" | "image_features" | "image_embeds">;

const INPUTS: readonly ProbeInput[] = ["cls", "pooler_output", "image_features", "image_embeds"];

/** Scores of classes: weight · x + bias. */
export interface Probe {
  readonly input: ProbeInput;
  /** (C, D). */
  readonly weight: Tensor<"float32">;
  /** (C). */
  readonly bias: Tensor<"float32">;
  /** The name of each class. */
  readonly labels: readonly string[];
}

/** A class and its probability. */
export interface LabelScore {
  readonly label: string;
  readonly score: number;
}

/** The labels with their scores, best first. */
export const ranked = (labels: readonly string[], scores: ArrayLike<number>): LabelScore[] =>
  labels.map((label, i) => ({ label, score: scores[i]! })).sort((a, b) => b.score - a.score);

/** The probabilities of all classes for one row of what the probe reads (D), best first. */
export function probeScores({ weight, bias, labels }: Probe, row: Float32Array): LabelScore[] {
  const D = row.length;
  const logits = labels.map((_, c) => bias.data[c]! + dot(weight.data.subarray(c * D, (c + 1) * D), row));
  return ranked(labels, softmax(logits));
}

/** The file of a probe beside a model. */
export const PROBE_FILE = "probe.safetensors";

/** What `saveSafetensors` writes of a probe. */
export function probeTensors({ input, weight, bias, labels }: Probe): {
  readonly tensors: Readonly<Record<"weight" | "bias", Tensor>>;
  readonly metadata: Readonly<Record<"flava_probe", string>>;
} {
  const id2label = Object.fromEntries(labels.map((label, id) => [id, label]));
  return { tensors: { weight, bias }, metadata: { flava_probe: JSON.stringify({ input, id2label }) } };
}

/** Reads and checks a probe. Throws CheckpointError. */
export async function readProbe(file: TensorFile, signal?: AbortSignal): Promise<Probe> {
  const wrong = (expected: string, got: string): CheckpointError =>
    new CheckpointError(`${file.name}: expected ${expected}, got ${got}`);
  const written = file.metadata.flava_probe;
  if (written === undefined)
    throw wrong("flava_probe in the metadata", `${Object.keys(file.metadata).join(", ") || "none"}`);
  const { input, id2label } = parse(written) ?? {};
  if (!INPUTS.includes(input as ProbeInput)) throw wrong(`an input among ${INPUTS.join(", ")}`, JSON.stringify(input));
  const weight = (await file.read("weight", { signal })) as Tensor<"float32">;
  const bias = (await file.read("bias", { signal })) as Tensor<"float32">;
  const [C] = weight.shape;
  if (
    weight.dtype !== "float32" ||
    weight.shape.length !== 2 ||
    bias.dtype !== "float32" ||
    bias.shape.join() !== `${C}`
  )
    throw wrong(
      "weight float32 (C, D) and bias float32 (C)",
      `${weight.dtype} ${formatShape(weight.shape)} and ${bias.dtype} ${formatShape(bias.shape)}`,
    );
  const labels = Array.from({ length: C! }, (_, id) =>
    String((id2label as Record<string, unknown> | undefined)?.[id] ?? `LABEL_${id}`),
  );
  return { input: input as ProbeInput, weight, bias, labels };
}

function parse(text: string): { readonly input?: unknown; readonly id2label?: unknown } | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
