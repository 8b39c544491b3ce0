/** The exported folder's README.md: what its files are, how they are used, and how far they are from the model. */
import { basename } from "node:path";
import { parse, stringify } from "yaml";
import { isRecord } from "../io/index.ts";
import type { ExportReport } from "./export.ts";

/** What the card takes over. */
export interface CardParts {
  /** The text that the model came with, front matter included. */
  readonly existing?: string | undefined;
  readonly license?: string | undefined;
}

const START = "<!-- flava export -->";

/** The card; of an existing one everything but an earlier export's part is kept. */
export function exportCard(report: ExportReport, { existing, license }: CardParts = {}): string {
  const [front, body] = split(existing ?? "");
  const matter = {
    ...(license === undefined ? {} : { license }),
    library_name: "flava",
    pipeline_tag: "zero-shot-image-classification",
    ...front,
    tags: [...new Set([...(Array.isArray(front.tags) ? front.tags : ["flava"]), "onnx", "transformers.js"])],
  };
  const before =
    body.split(START)[0]!.trimEnd() || `# ${report.model.split(/[\\/]/).filter(Boolean).at(-1)}\n\n${INTRO}`;
  return `---\n${stringify(matter).trimEnd()}\n---\n\n${before.trimStart()}\n\n${START}\n\n${onnxPart(report)}\n`;
}

const INTRO =
  "A FLAVA model ([arXiv 2112.04482](https://arxiv.org/abs/2112.04482)): an image encoder, a text encoder and a multimodal encoder.";

/** Front matter and the rest. */
function split(text: string): [Record<string, unknown>, string] {
  const found = /^---\n([\s\S]*?)\n---\n?/.exec(text.replaceAll("\r\n", "\n"));
  if (!found) return [{}, text];
  const rest = text.replaceAll("\r\n", "\n").slice(found[0].length);
  const front = parseFront(found[1]!);
  return isRecord(front) ? [front, rest] : [{}, text];
}

/** Undefined for what is no YAML: the text between the lines is kept as text then. */
function parseFront(text: string): unknown {
  try {
    return parse(text);
  } catch {
    return undefined;
  }
}

function onnxPart(report: ExportReport): string {
  const { files, notes } = report;
  const rows = files.map(({ file, dtype, sizeBytes, inputs, outputs }) => [
    `\`${file}\``,
    dtype,
    megabytes(sizeBytes),
    inputs.map(portText).join("<br>"),
    outputs.map(portText).join("<br>"),
  ]);
  return [
    "## ONNX files",
    "Graphs for ONNX Runtime and what reads its files, in the layout of transformers.js. Names in shapes are lengths that each run decides; ids and masks are int64, everything else float32.",
    table(["file", "numbers", "size", "inputs", "outputs"], rows),
    ...(notes.length > 0 ? [notes.map((note) => `- ${note}`).join("\n")] : []),
    codeBlock("js", snippet(files[0]!.file)),
    "### How far they are from the model",
    parityText(report),
    parityTable(report),
  ].join("\n\n");
}

const codeBlock = (language: string, code: string): string => `\`\`\`${language}\n${code}\n\`\`\``;

const snippet = (file: string): string =>
  [
    'import { InferenceSession } from "onnxruntime-node"; // or onnxruntime-web',
    `const session = await InferenceSession.create("${file}");`,
    "console.log(session.inputNames, session.outputNames);",
  ].join("\n");

const parityText = ({ samples, reference }: ExportReport): string =>
  `Measured on ${samples}, beside ${reference}. "max" and "mean" are absolute differences, "size" the mean absolute value that they belong to; "cosine" is that of each row with its counterpart, mean and lowest.`;

const digits = (x: number): string => (x === 0 ? "0" : x < 1e-3 ? x.toExponential(1) : x.toPrecision(3));
const cosine = (x: number): string => x.toFixed(6);

/** The report as text for a terminal. */
export function reportText(report: ExportReport): string {
  const total = report.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const files = report.files.length === 1 ? "1 graph" : `${report.files.length} graphs`;
  return [
    `${files} (${megabytes(total)}) and README.md in ${report.folder}`,
    `${parityText(report)}`,
    parityTable(report),
    ...report.notes,
  ].join("\n\n");
}

/** The differences as Markdown. */
function parityTable({ files }: ExportReport): string {
  const rows = files.flatMap(({ file, dtype, parity }) =>
    parity.map((p) => [
      `\`${basename(file)}\``,
      dtype,
      p.output,
      digits(p.max),
      digits(p.mean),
      digits(p.size),
      cosine(p.cosine),
      cosine(p.lowestCosine),
      p.sameTop === undefined ? "" : `${(100 * p.sameTop).toFixed(1)} %`,
    ]),
  );
  const head = ["file", "numbers", "output", "max", "mean", "size", "cosine", "lowest", "same largest logit"];
  return table(head, rows);
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

const portText = ({ name, shape }: { name: string; shape: readonly (number | string)[] }): string =>
  `\`${name}\` (${shape.join(", ")})`;

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
