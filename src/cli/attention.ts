/** `flava attention MODEL IMAGE TEXT`: the score matrices of the multimodal layers, with their four quarters. */
import { extname } from "node:path";
import { type Command, Option } from "commander";
import type { Quarters, ScoreMatrices, ScoreMatrix } from "../api/index.ts";
import { ConfigError, DataError } from "../errors.ts";
import { saveFile } from "../io/index.ts";
import { action, type Io } from "./command.ts";
import { natural } from "./numbers.ts";
import { type ModelOptions, openUsed, percent, sayUnknown, table, withEngine } from "./use-model.ts";

const collections = () => import("../collections/index.ts");

const HELP = `
In a layer every word and patch asks, and every word and patch answers: the matrix of scores has a quarter each for text–text,
text–vision, vision–text and vision–vision. A row's shares are the softmax of what it has. --kind leaves only the quarters of another
kind of layer, with the same weights: single-stream (all), intra-modal (each modality itself), inter-modal (the other one).

Examples:
  flava attention runs/starter dog.png "a dog on a beach" --out scores.svg
  flava attention runs/starter dog.png "a dog" --layer 0 --kind inter-modal --show shares --out scores.html`;

const KINDS = ["own", "single-stream", "intra-modal", "inter-modal"] as const;

interface Options extends ModelOptions {
  readonly layer?: number;
  readonly head?: number;
  readonly kind: (typeof KINDS)[number];
  readonly show: "scores" | "shares";
  readonly out?: string;
}

export function define(program: Command): void {
  withEngine(
    program
      .command("attention")
      .summary("who reads whom in the multimodal layers")
      .description("Draws the score matrices of the multimodal layers for a picture and a text.")
      .argument("<model>", "a run's folder, a model's folder, or a repository of the Hub")
      .argument("<image>", "a picture or its address")
      .argument("<text>", "a text")
      .option("--layer <n>", "only this layer, counted from 0 (default: all)", natural)
      .option("--head <n>", "only this head, counted from 0 (default: the mean of all)", natural)
      .addOption(new Option("--kind <kind>", "which quarters are left").choices(KINDS).default("own"))
      .addOption(new Option("--show <what>", "what is drawn").choices(["scores", "shares"]).default("scores"))
      .option("--out <file>", "a drawing: .svg of one layer, or .html of all"),
  )
    .addHelpText("after", HELP)
    .action(action<Options>(attention));
}

async function attention(io: Io, [name, image = "", text = ""]: readonly string[], options: Options): Promise<void> {
  const ending = options.out === undefined ? undefined : extname(options.out).toLowerCase();
  if (ending !== undefined && ending !== ".svg" && ending !== ".html")
    throw new ConfigError(`--out: expected a name that ends in .svg or .html, got "${options.out}"`);
  const { loadInput } = await collections();
  const bytes = await loadInput(image, io.signal);
  if (typeof bytes === "string") throw new DataError(`${image}: ${bytes}`);
  await using model = await openUsed(io, { ...options, ...(name !== undefined && { model: name }) });
  await sayUnknown(io, model, [text]);
  const found = await model.scores({ key: image, image: bytes }, text, { signal: io.signal });
  const layers = (await chosen(found, options)).map((matrix) => figure(matrix, found, options));
  const figures = await Promise.all(layers);
  if (options.out !== undefined) await draw(options.out, ending!, figures, io);
  const rows = figures.map(({ layer, quarters: q }) => [
    String(layer),
    ...[q.textText, q.textVision, q.visionText, q.visionVision].map(percent),
  ]);
  const head = ["layer", "text–text", "text–vision", "vision–text", "vision–vision"];
  io.result(`shares of attention, mean over rows\n${table([head, ...rows])}`, {
    image,
    text,
    kind: options.kind,
    words: found.words,
    vision: found.vision,
    layers: figures.map(({ layer, quarters }) => ({ layer, quarters })),
  });
}

/** The layers that were asked for, with the quarters that were. */
async function chosen({ layers, words }: ScoreMatrices, { layer, kind }: Options): Promise<ScoreMatrix[]> {
  if (layer !== undefined && layer >= layers.length)
    throw new ConfigError(`--layer: expected 0 to ${layers.length - 1}, got ${layer}`);
  const { withQuarters } = await import("../api/index.ts");
  const some = layer === undefined ? layers : [layers[layer]!];
  return kind === "own" ? [...some] : some.map((matrix) => withQuarters(matrix, words.length, GATES[kind]));
}

const GATES: { readonly [K in Exclude<(typeof KINDS)[number], "own">]: Quarters } = {
  "single-stream": { textText: true, textVision: true, visionText: true, visionVision: true },
  "intra-modal": { textText: true, textVision: false, visionText: false, visionVision: true },
  "inter-modal": { textText: false, textVision: true, visionText: true, visionVision: false },
};

interface Figure {
  readonly layer: number;
  readonly quarters: Record<keyof Quarters, number>;
  readonly svg: string;
}

async function figure(matrix: ScoreMatrix, { words }: ScoreMatrices, { head, show, kind }: Options): Promise<Figure> {
  const [{ meanOfHeads, quarterShares, sharesOf }, { scoreSvg }] = await Promise.all([
    import("../api/index.ts"),
    import("../report/index.ts"),
  ]);
  const { heads, size, layer } = matrix;
  if (head !== undefined && head >= heads) throw new ConfigError(`--head: expected 0 to ${heads - 1}, got ${head}`);
  const one = size * size;
  const ofHeads = (values: Float32Array): Float32Array =>
    head === undefined ? meanOfHeads(values, heads) : values.slice(head * one, (head + 1) * one);
  const shares = ofHeads(sharesOf(matrix));
  const scores = ofHeads(matrix.scores);
  const drawn =
    show === "scores" ? scores : shares.map((share, i) => (Number.isFinite(scores[i]!) ? share : Number.NaN));
  const whose = head === undefined ? "mean of heads" : `head ${head}`;
  const title = `Layer ${layer}, ${whose}: ${show}${kind === "own" ? "" : `, ${kind}`}`;
  return {
    layer,
    quarters: quarterShares(shares, size, words.length),
    svg: scoreSvg({ title, values: drawn, size, words, ...(show === "shares" && { range: [0, Math.max(...shares)] }) }),
  };
}

async function draw(out: string, ending: string, figures: readonly Figure[], io: Io): Promise<void> {
  if (ending === ".svg" && figures.length > 1)
    throw new ConfigError(
      `--out: expected one layer for ${out}, got ${figures.length}`,
      "choose one with --layer, or write .html",
    );
  const page = `<!doctype html><meta charset="utf-8"><title>Score matrices</title>\n${figures.map(({ svg }) => svg).join("\n")}`;
  await saveFile(out, ending === ".svg" ? figures[0]!.svg : page);
  io.note(`wrote ${out}`);
}
