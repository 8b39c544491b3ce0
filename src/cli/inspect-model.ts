/** `flava inspect PATH|REPO`: what a file or repository of weights holds. */
import { join } from "node:path";
import { CheckpointError, ConfigError } from "../errors.ts";
import { type OpenModel, readModelJson, STORED, type StoredTensor } from "../hub/index.ts";
import { isRecord } from "../io/index.ts";
import { formatShape, size } from "../tensor/index.ts";
import type { Io } from "./command.ts";
import { type FoundModel, findModel, type ModelChoice, openGiven, partOf, someOf, storedBytes } from "./found-model.ts";
import { formatBytes, formatCount } from "./progress.ts";

/** A function, as TypeScript 6 leaves the ".ts" of an `import()` that stands in a block with `await using` (test/package.test.ts). */
const onnxInspector = () => import("./inspect-onnx.ts");

/** The options of the command. */
export interface InspectOptions extends ModelChoice {
  /** Every tensor on a line of its own. */
  readonly all?: boolean | undefined;
}

/** Prints it. Nothing but headers is read of the weights. Throws FileError, CheckpointError. */
export async function inspect(io: Io, [place = ""]: readonly string[], options: InspectOptions): Promise<void> {
  if (/\.onnx$/i.test(place)) {
    const { inspectOnnx } = await onnxInspector();
    return inspectOnnx(io, place, options);
  }
  await using opened = await openGiven(io, place, { ...options, peek: true });
  const model = modelOf(opened);
  const stages = await stagesOf(opened);
  const shown = text(opened, model, stages, options).replace(CONTROL, "?");
  io.result(shown, { ...value(opened, model), ...(stages.length > 0 && { stages }) });
}

/** Names in a file are anybody's, and a terminal obeys such characters. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g;

/** A stage of the run that made the model. */
interface Stage {
  readonly name: string;
  readonly kind: string;
  readonly steps: number;
  /** Steps that were done. */
  readonly done: number;
}

/** The stages of a run's folder, in their order; none where there is no run.json, or another program's. */
async function stagesOf({ files }: OpenModel): Promise<Stage[]> {
  const run = await readModelJson(files, "run.json").catch(() => undefined);
  if (!isRecord(run?.stages)) return [];
  return Object.entries(run.stages).flatMap(([name, stage]) => {
    const { kind, steps, done } = isRecord(stage) ? stage : {};
    return typeof kind === "string" && typeof steps === "number" && typeof done === "number"
      ? [{ name, kind, steps, done }]
      : [];
  });
}

/** The model, or why it is none of FLAVA: a file of any tensors can be looked at. */
function modelOf(opened: OpenModel): FoundModel | string {
  try {
    return findModel(opened);
  } catch (error) {
    if (error instanceof CheckpointError || error instanceof ConfigError) return error.message.split("\n  help:")[0]!;
    throw error;
  }
}

/** Tensors and parameters of each dtype as stored. */
function byDtype(opened: OpenModel): Map<string, { tensors: number; parameters: number }> {
  const found = new Map<string, { tensors: number; parameters: number }>();
  for (const { storedAs, shape } of opened.weights.tensors.values()) {
    const { tensors, parameters } = found.get(storedAs) ?? { tensors: 0, parameters: 0 };
    found.set(storedAs, { tensors: tensors + 1, parameters: parameters + size(shape) });
  }
  return found;
}

function text(
  opened: OpenModel,
  model: FoundModel | string,
  stages: readonly Stage[],
  { all = false }: InspectOptions,
): string {
  const { weights, repository } = opened;
  const where = repository.revision === undefined ? "" : ` at ${repository.revision.slice(0, 12)}`;
  const files = weights.parts === 1 ? "1 file" : `${weights.parts} files`;
  const types = [...byDtype(opened)].map(([dtype, { tensors }]) => `${formatCount(tensors)} ${dtype}`);
  return [
    `${repository.name}${where}`,
    row("format", `${weights.format}, ${files}, ${formatBytes(storedBytes(weights))} of tensors`),
    row("tensors", `${formatCount(weights.tensors.size)} (${types.join(", ")})`),
    ...(typeof model === "string" ? [row("model", `none that is known: ${model}`)] : modelLines(model)),
    ...(stages.length > 0 ? [row("run", stages.map(stageText).join("\n"))] : []),
    ...Object.entries(weights.metadata).map(([key, said]) => row("metadata", `${key}: ${shorten(said)}`)),
    ...weights.others.map(({ name, what }) => row("besides", `${name}: ${what}`)),
    "",
    ...tensorLines([...weights.tensors.values()], all),
  ].join("\n");
}

const stageText = ({ name, kind, steps, done }: Stage): string =>
  `${name}: ${kind}, ${done < steps ? `${formatCount(done)} of ` : ""}${formatCount(steps)} steps`;

const row = (label: string, said: string): string =>
  `${label.padEnd(14)}${said.replaceAll("\n", `\n${" ".repeat(14)}`)}`;
const shorten = (said: string): string => (said.length > 100 ? `${said.slice(0, 100)}…` : said);

function modelLines({ family, named, config, sizesFrom, specs, fit, notes }: FoundModel): string[] {
  const model = family.of(config);
  const here = new Set([...named.tensors.keys()].map(partOf));
  const total = specs
    .filter(({ name, aliases }) => [name, ...aliases].some((one) => named.tensors.has(one)))
    .reduce((n, { shape }) => n + size(shape), 0);
  const words = `${formatCount(model.texts?.vocabSize ?? 0)} words`;
  const problems = [
    ...list("missing", fit.missing),
    ...list("not of this model", fit.unexpected),
    ...list("of another shape", fit.misshapen),
  ];
  return [
    row("layout", `${family.layouts[named.layout]!.title}: ${named.what}`),
    row("sizes", `from ${sizesFrom}: ${formatCount(total)} parameters`),
    ...family
      .describe(config, words)
      .filter(([label]) => here.has(PARTS[label] ?? label) || !Object.hasOwn(PARTS, label))
      .map(([label, said]) => row(label, said)),
    ...[...named.ignored].map(([kind, names]) =>
      row("ignored", `${formatCount(names.length)} ${kind}: ${someOf(names)}`),
    ),
    ...(fit.absent.size > 0 ? [row("not here", [...fit.absent].map(([part, n]) => `${part} (${n})`).join(", "))] : []),
    ...(fit.lacking.length > 0 ? [row("drawn anew", someOf(fit.lacking))] : []),
    ...(problems.length > 0 ? problems : [row("fits", "every tensor has its place, name and shape")]),
    ...notes.map((line) => row("note", line)),
  ];
}

/** What the lines that describe a model are about. */
const PARTS: Readonly<Record<string, string>> = {
  "image encoder": "flava.image_model",
  "text encoder": "flava.text_model",
  multimodal: "flava.multimodal_model",
  codebook: "image_codebook",
  "image tower": "vision_model",
  "text tower": "text_model",
};

const list = (what: string, names: readonly string[]): string[] =>
  names.length === 0 ? [] : [row("✖", `${formatCount(names.length)} ${what}: ${someOf(names)}`)];

/** A line for each tensor, or for each name that differs by a number only: `layer.{0..11}`. */
function tensorLines(tensors: readonly StoredTensor[], all: boolean): string[] {
  const groups = new Map<string, { numbers: number[]; tensor: StoredTensor }>();
  for (const t of tensors) {
    const place = all ? null : /\.(\d+)\./.exec(t.name);
    const key = place ? `${t.name.replace(/\.\d+\./, ".#.")} ${t.storedAs} ${t.shape}` : t.name;
    const group = groups.get(key) ?? { numbers: [], tensor: t };
    if (place) group.numbers.push(Number(place[1]));
    groups.set(key, group);
  }
  return [...groups.values()].map(({ numbers, tensor: { name, storedAs, shape } }) => {
    const shown = numbers.length < 2 ? name : name.replace(/\.\d+\./, `.${range(numbers)}.`);
    return `  ${storedAs.padEnd(5)}${formatShape(shape).padEnd(20)} ${shown}`;
  });
}

function range(numbers: readonly number[]): string {
  const sorted = [...numbers].sort((a, b) => a - b);
  const [low, high] = [sorted[0]!, sorted.at(-1)!];
  return high - low + 1 === sorted.length ? `{${low}..${high}}` : `{${sorted.join(",")}}`;
}

/** The same for machines. */
function value(opened: OpenModel, model: FoundModel | string): Record<string, unknown> {
  const { weights, repository } = opened;
  const tensors = [...weights.tensors.values()].map(({ name, storedAs, shape }) => ({
    name,
    dtype: storedAs,
    shape,
    bytes: STORED[storedAs].bytes * size(shape),
    ...(typeof model !== "string" && { published: publishedNames(model, name) }),
  }));
  return {
    name: repository.name,
    ...(repository.file !== undefined && { file: join(repository.dir, repository.file) }),
    ...(repository.revision !== undefined && { revision: repository.revision }),
    format: weights.format,
    files: weights.parts,
    bytes: storedBytes(weights),
    parameters: tensors.reduce((n, { shape }) => n + size(shape), 0),
    dtypes: Object.fromEntries(byDtype(opened)),
    metadata: weights.metadata,
    others: weights.others,
    ...(typeof model === "string" ? { layout: null, problem: model } : modelValue(model)),
    config: opened.config ?? null,
    tensors,
  };
}

const publishedNames = ({ named }: FoundModel, stored: string): string[] =>
  [...named.stored].filter(([, from]) => from === stored).map(([name]) => name);

function modelValue({ family, named, config, sizesFrom, fit, notes }: FoundModel): Record<string, unknown> {
  return {
    family: family.of(config).family,
    layout: named.layout,
    what: named.what,
    sizesFrom,
    model: config,
    parts: [...new Set([...named.tensors.keys()].map(partOf))],
    absent: Object.fromEntries(fit.absent),
    startAnew: fit.lacking,
    missing: fit.missing,
    unexpected: fit.unexpected,
    misshapen: fit.misshapen,
    ignored: Object.fromEntries(named.ignored),
    notes,
  };
}
