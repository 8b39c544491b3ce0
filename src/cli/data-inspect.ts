/** `flava data inspect SOURCE`: numbers and sample rows on stdout, a contact sheet in a file. */
import {
  type Inspection,
  inspectSource,
  type MaskView,
  makeExamples,
  type Spread,
  sheetHtml,
  sheetPng,
} from "../data/inspect/index.ts";
import type { Sample } from "../data/sources/index.ts";
import { ConfigError } from "../errors.ts";
import { scaledBlockMask } from "../image/index.ts";
import { saveFile } from "../io/index.ts";
import { type Coverage, coverageCounter, describeCoverage } from "../text/index.ts";
import type { Io } from "./command.ts";
import { openNamed } from "./data-source.ts";
import { formatBytes, formatCount } from "./progress.ts";

interface InspectOptions {
  readonly limit?: number;
  readonly rows: number;
  readonly sheet?: string;
  readonly pictures: number;
  readonly masks?: boolean;
  readonly imageSize: number;
  readonly patchSize: number;
  readonly textLength: number;
  readonly tokenizer?: string;
  readonly bad?: string;
  readonly decode: boolean;
  readonly outside?: boolean;
  readonly cacheDir?: string;
  readonly seed: number;
}

export async function inspect(io: Io, [spec = ""]: readonly string[], options: InspectOptions): Promise<void> {
  const { limit, sheet, rows, pictures, seed, decode } = options;
  if (sheet !== undefined && !/\.(png|html)$/i.test(sheet))
    throw new ConfigError(`--sheet ${sheet}: expected a name that ends in .png or .html`);
  const words = options.tokenizer === undefined ? undefined : await wordsOf(options.tokenizer, io);
  const masks = options.masks ? await maskView(options) : undefined;
  const source = await openNamed(io, spec, options);
  const total = source.count === undefined ? limit : Math.min(source.count, limit ?? source.count);
  const progress = io.progress({ label: `reading ${spec}`, unit: "samples", total });
  const wanted = Math.max(rows, sheet === undefined ? 0 : pictures);
  const reading = { limit, examples: wanted, seed, decode, badFile: options.bad, signal: io.signal };
  const found = await inspectSource(source, { ...reading, onProgress: progress.update, onSample: words?.add }).finally(
    () => progress.end(),
  );
  if (sheet !== undefined) await writeSheet(sheet, spec, found.examples.slice(0, pictures), masks);
  const shown = found.examples.slice(0, rows);
  const coverage = words?.coverage();
  const value = {
    ...found.inspection,
    ...(coverage && { coverage }),
    rows: shown.map(rowValue),
    ...(sheet !== undefined && { sheet }),
  };
  io.result([...describe(found.inspection, coverage), ...shown.map(rowLine)].join("\n"), value);
  if (sheet !== undefined) io.note(`sheet: ${sheet}`);
}

/** Counts the words of samples that a tokenizer does not know. */
async function wordsOf(path: string, { signal }: Io) {
  const { loadTokenizer } = await import("../text/load.node.ts");
  const { add, coverage } = coverageCounter(await loadTokenizer(path, { signal }));
  const addAll = ({ texts = [] }: Sample): void => {
    for (const text of texts) add(text);
  };
  return { add: addAll, coverage };
}

async function maskView({ imageSize, patchSize, textLength, seed }: InspectOptions): Promise<MaskView> {
  if (imageSize % patchSize !== 0)
    throw new ConfigError(`--image-size ${imageSize}: expected whole patches of ${patchSize} pixels`);
  const { loadBertTokenizer } = await import("../text/load.node.ts");
  const patches = scaledBlockMask(imageSize / patchSize, imageSize / patchSize);
  return { size: imageSize, patches, textLength, wholeWord: true, tokenizer: await loadBertTokenizer(), seed };
}

async function writeSheet(
  file: string,
  spec: string,
  samples: readonly Sample[],
  masks: MaskView | undefined,
): Promise<void> {
  const examples = await makeExamples(samples, masks);
  const isPng = file.toLowerCase().endsWith(".png");
  const bytes = isPng ? await sheetPng(examples, { title: spec }) : await sheetHtml(examples, { title: spec });
  await saveFile(file, bytes);
}

function describe(
  { source, samples, more, images, captions, labels, bad }: Inspection,
  coverage: Coverage | undefined,
): string[] {
  const lines = [`source    ${source}`, `samples   ${formatCount(samples)}${more ? " (and more)" : ""}`];
  if (images.count > 0) {
    const formats = Object.entries(images.formats).map(([format, count]) => `${formatCount(count)} ${format}`);
    lines.push(`images    ${formats.join(", ")}`);
    lines.push(`  width   ${spreadText(images.width)}`, `  height  ${spreadText(images.height)}`);
    lines.push(`  bytes   ${spreadText(images.bytes, formatBytes)}`);
  }
  if (captions.count > 0) {
    lines.push(`captions  ${formatCount(captions.count)} samples, ${spreadText(captions.perSample)} each`);
    lines.push(`  words   ${spreadText(captions.words)}`, `  letters ${spreadText(captions.characters)}`);
    const top = captions.mostFrequent;
    if (top)
      lines.push(
        `  twice   ${formatCount(captions.repeated)} captions; ${top.count} times ${JSON.stringify(shorten(top.text, 50))}`,
      );
  }
  if (coverage) lines.push(`unknown   ${describeCoverage(coverage)}`);
  const classes = Object.entries(labels).sort((a, b) => b[1] - a[1]);
  if (classes.length > 0) {
    const some = classes.slice(0, 8).map(([label, count]) => `${label} (${formatCount(count)})`);
    lines.push(`labels    ${formatCount(classes.length)}: ${some.join(", ")}${classes.length > 8 ? ", …" : ""}`);
  }
  lines.push(`bad       ${formatCount(bad.count)}`);
  lines.push(...reasonLines(bad.reasons));
  const notes = reasonLines(bad.notes);
  if (notes.length > 0) lines.push("ignored, without losing a sample", ...notes);
  return [...lines, ""];
}

const reasonLines = (reasons: Readonly<Record<string, number>>): string[] =>
  Object.entries(reasons)
    .sort((a, b) => b[1] - a[1])
    .slice(0, 8)
    .map(([reason, count]) => `  ${formatCount(count)} × ${shorten(reason, 100)}`);

function spreadText(spread: Spread | null, format: (value: number) => string = (value) => formatCount(value)): string {
  if (spread === null) return "unknown";
  const { min, median, mean, max } = spread;
  if (min === max) return format(min);
  return `${format(min)} to ${format(max)}, median ${format(median)}, mean ${format === formatBytes ? format(Math.round(mean)) : mean.toFixed(1)}`;
}

const rowValue = ({ key, image, texts, label, meta }: Sample): Record<string, unknown> => ({
  key,
  ...(image && { imageBytes: image.length }),
  ...(texts && { texts }),
  ...(label !== undefined && { label }),
  ...(meta && { meta }),
});

function rowLine({ key, image, texts, label }: Sample): string {
  const parts = [key, image ? formatBytes(image.length) : "", label === undefined ? "" : `label ${label}`];
  return [...parts, texts ? JSON.stringify(shorten(texts[0]!, 90)) : ""].filter(Boolean).join("  ");
}

const shorten = (text: string, most: number): string => (text.length <= most ? text : `${text.slice(0, most - 1)}…`);
