/** `flava export MODEL --out DIR`: ONNX graphs that run anywhere, in transformers.js' layout, with a report of their differences. */
import type { Command } from "commander";
import type { ExportDType, GraphName } from "../export/index.ts";
import { action, type Io } from "./command.ts";
import { positive } from "./numbers.ts";

interface Options {
  readonly out: string;
  readonly dtype: string;
  readonly only?: string;
  readonly opset?: number;
  readonly external?: boolean;
  readonly reduceRange?: boolean;
  readonly imageSize?: number;
  readonly samples?: string;
  readonly sampleCount?: number;
  readonly license?: string;
  readonly threads?: number;
  readonly revision?: string;
}

const HELP = `
Examples:
  flava export runs/starter --out exported
  flava export facebook/flava-full --out exported --dtype fp32,fp16,q8 --samples photos.jsonl`;

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
    .option("--opset <n>", "ONNX operator set, 17 to 21; 21 unless given", positive)
    .option("--external", "weights in a file beside each graph (always so from 2 GB)")
    .option("--reduce-range", "with q8: 7-bit weights, for processors without VNNI")
    .option(
      "--image-size <pixels>",
      "side of the pictures, with interpolated positions; the model's own unless given",
      positive,
    )
    .option("--samples <source>", "pictures and texts that the differences are measured on; made ones unless given")
    .option("--sample-count <n>", "how many; 8 unless given", positive)
    .option("--license <id>", "licence that the card names, as the Hugging Face Hub spells it")
    .option("--threads <n>", "threads of one operator; all processors unless given", positive)
    .option("--revision <name>", "branch, tag or commit of a repository")
    .addHelpText("after", HELP)
    .action(action<Options>(run));
}

async function run(io: Io, [model]: readonly string[], given: Options): Promise<void> {
  const { exportOnnx, reportText } = await import("../export/index.ts");
  const { out, dtype, only, external, reduceRange, samples, license, revision } = given;
  const progress = io.progress({ label: "exporting", unit: "files" });
  try {
    const report = await exportOnnx(model!, out, {
      dtypes: listOf(dtype) as ExportDType[],
      only: only === undefined ? undefined : (listOf(only) as GraphName[]),
      opset: given.opset,
      imageSize: given.imageSize,
      sampleCount: given.sampleCount,
      threads: given.threads,
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
