/** `flava export MODEL --out DIR`: ONNX graphs that run anywhere, in transformers.js' layout, with a report of their differences. */
import type { Command } from "commander";
import { ConfigError } from "../errors.ts";
import type { ExportDType, GraphName } from "../export/index.ts";
import { action, type Io } from "./command.ts";

interface Options {
  readonly out: string;
  readonly dtype: string;
  readonly only?: string;
  readonly opset?: string;
  readonly external?: boolean;
  readonly reduceRange?: boolean;
  readonly imageSize?: string;
  readonly samples?: string;
  readonly sampleCount?: string;
  readonly license?: string;
  readonly threads?: string;
  readonly revision?: string;
}

export function define(program: Command): void {
  program
    .command("export")
    .summary("a model → ONNX graphs in transformers.js' layout")
    .description(
      "Writes the image encoder, the text encoder, the multimodal encoder, all of them in one graph, and masked words from text, with open batch and text length; the files beside them; and how far each file is from the model.",
    )
    .argument("<model>", "a run's folder, a folder with config.json and weights, or a repository of the Hub")
    .requiredOption("--out <dir>", "folder that the files go into")
    .option("--dtype <list>", "fp32, fp16, q8, int8 (q8 under its other name), joined by commas", "fp32")
    .option("--only <list>", "some of image, text, multimodal, full, words")
    .option("--opset <n>", "ONNX operator set, 17 to 21; 21 unless given")
    .option("--external", "weights in a file beside each graph (always so from 2 GB)")
    .option("--reduce-range", "with q8: 7-bit weights, for processors without VNNI")
    .option("--image-size <pixels>", "side of the pictures, with interpolated positions; the model's own unless given")
    .option("--samples <source>", "pictures and texts that the differences are measured on; made ones unless given")
    .option("--sample-count <n>", "how many; 8 unless given")
    .option("--license <id>", "licence that the card names, as the Hugging Face Hub spells it")
    .option("--threads <n>", "threads of one operator; all processors unless given")
    .option("--revision <name>", "branch, tag or commit of a repository")
    .addHelpText(
      "after",
      "\nExample:\n  flava export runs/starter --out exported --dtype fp32,fp16,q8 --samples photos.jsonl",
    )
    .action(action<Options>(run));
}

async function run(io: Io, [model]: readonly string[], given: Options): Promise<void> {
  const { exportOnnx, reportText } = await import("../export/index.ts");
  const { out, dtype, only, external, reduceRange, samples, license, revision } = given;
  const number = (name: "opset" | "imageSize" | "sampleCount" | "threads"): number | undefined =>
    whole(name, given[name]);
  const progress = io.progress({ label: "exporting", unit: "files" });
  try {
    const report = await exportOnnx(model!, out, {
      dtypes: listOf(dtype) as ExportDType[],
      only: only === undefined ? undefined : (listOf(only) as GraphName[]),
      opset: number("opset"),
      imageSize: number("imageSize"),
      sampleCount: number("sampleCount"),
      threads: number("threads"),
      external,
      reduceRange,
      samples,
      license,
      ...(revision === undefined ? {} : { revision }),
      signal: io.signal,
      onWarning: (line) => progress.note(line),
      onFile: (file, index, count) => progress.update(index, `of ${count}: ${file}`),
    });
    progress.update(report.files.length);
    progress.end();
    io.result(reportText(report), report);
  } finally {
    progress.end();
  }
}

const listOf = (list: string): string[] =>
  list
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");

function whole(name: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const flag = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  if (!/^[1-9]\d*$/.test(value)) throw new ConfigError(`--${flag}: expected a whole number from 1, got "${value}"`);
  return Number(value);
}
