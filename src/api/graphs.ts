/**
 * The graphs of a loaded model, each compiled once, when first needed, for any batch and text length. The weights are the state's:
 * all graphs read them where they lie. An engine that compiles for fixed sizes is fed a few sizes, and what was not asked for is cut off.
 */
import { CheckpointError, ConfigError, EngineError } from "../errors.ts";
import { dynamicGraph, type Model, type ModelGraph, type OpenSizes, type TaskHead } from "../models/index.ts";
import { compile, type Executable } from "../runtime/index.ts";
import type { Feeds, Tensor } from "../tensor/index.ts";
import type { LoadedModel } from "./loaded-model.ts";
import { cutRows, fillRows, hasParameters, only } from "./runner.ts";

/** What can be run. */
export type GraphKind = "image" | "text" | "fusion" | "textWords" | "pairWords" | "attention" | "task";

interface Sizes {
  readonly batch: number;
  readonly textLength: number;
  /** Side of the pictures in pixels. */
  readonly imageSize: number;
}

type Build = (model: Model, sizes: Sizes, head: TaskHead | undefined) => ModelGraph | undefined;

const picture = ({ imageSize }: Sizes) => ({ height: imageSize, width: imageSize, interpolate: "size" as const });

const BUILD: { readonly [K in GraphKind]: Build } = {
  image: (model, sizes) => model.image?.({ batch: sizes.batch, ...picture(sizes) }),
  text: (model, { batch, textLength }) => model.text?.({ batch, textLength }),
  fusion: (model, sizes) => model.fusion?.({ batch: sizes.batch, textLength: sizes.textLength, ...picture(sizes) }),
  attention: (model, sizes) =>
    model.attention?.({ batch: sizes.batch, textLength: sizes.textLength, ...picture(sizes) }),
  textWords: (model, { batch }) => model.words?.("text", batch),
  pairWords: (model, { batch }) => model.words?.("pair", batch),
  task: (model, { batch, textLength, ...sizes }, head) =>
    head && model.task?.(head, { batch, textLength, ...picture({ batch, textLength, ...sizes }) }),
};

const CALLED: { readonly [K in GraphKind]: string } = {
  image: "an image encoder",
  text: "a text encoder",
  fusion: "a multimodal encoder",
  attention: "a multimodal encoder whose attention can be seen",
  textWords: "a head for masked words (mlm_head)",
  pairWords: "a head for masked words beside a picture (mmm_text_head)",
  task: "a fine-tuned head (classifier)",
};

/** The next of 8, 12, 16, 24, 32, 48, …: so that at most a third of a text is padding. */
export function nextLength(length: number, longest: number): number {
  let step = 8;
  while (step < length) step = step % 3 === 0 ? (step / 3) * 4 : (step / 2) * 3;
  return Math.min(step, longest);
}

/** Runs any of a model's graphs. */
export class Graphs {
  readonly #loaded: LoadedModel;
  readonly #imageSize: number;
  readonly #compiled = new Map<string, Promise<Executable>>();
  /** Whether the engine takes any sizes as they are; else each new one is compiled. */
  readonly #anySize: boolean;
  #disposed = false;
  /** Graphs of one sample, to ask what they need. */
  readonly #small = new Map<GraphKind, ModelGraph | undefined>();

  constructor(loaded: LoadedModel, imageSize: number) {
    this.#loaded = loaded;
    this.#imageSize = imageSize;
    this.#anySize = loaded.device.prepareDynamic !== undefined || loaded.device.name === "interpret";
  }

  /** Of `outputs`, those that the model has and has the weights of. */
  available(kind: GraphKind, outputs: readonly string[]): string[] {
    const small = this.#smallest(kind);
    if (!small) return [];
    return outputs.filter((name) => small.graph.outputs[name] && hasParameters(this.#loaded.state, only(small, name)));
  }

  /** The shapes of a sample's results, by name, where it has one token of text. */
  rowShapes(kind: GraphKind): Readonly<Record<string, readonly number[]>> {
    const { outputs } = this.#smallest(kind)!.graph;
    return Object.fromEntries(Object.entries(outputs).map(([name, { shape }]) => [name, shape.slice(1)]));
  }

  /** Throws ConfigError for a result that there is none of, CheckpointError for one whose weights were not there. */
  need(kind: GraphKind, outputs: readonly string[]): void {
    const { model, state, name = "model" } = this.#loaded;
    if (this.#disposed) throw new EngineError(`${name}: used after dispose`, "open it again, or dispose of it later");
    const small = this.#smallest(kind);
    if (!small)
      throw new CheckpointError(
        `${name}: expected ${CALLED[kind]}, got ${model.family} without one`,
        outputs.map((wanted) => model.lacks?.[wanted]).find(Boolean),
      );
    for (const wanted of outputs) {
      const reason = model.lacks?.[wanted];
      if (reason !== undefined && !small.graph.outputs[wanted])
        throw new CheckpointError(`${name}: expected ${wanted}, got ${model.family} without it`, reason);
      if (!small.graph.outputs[wanted])
        throw new ConfigError(
          `${name}: outputs: expected some of ${Object.keys(small.graph.outputs).join(", ")}, got "${wanted}"`,
        );
      const lacking = only(small, wanted).params.filter((spec) => !state.has(spec.name));
      if (lacking.length > 0)
        throw new CheckpointError(
          `${name}: expected ${CALLED[kind]} for ${wanted}, got no weights of ${lacking
            .slice(0, 3)
            .map((spec) => spec.name)
            .join(", ")}${lacking.length > 3 ? ` and ${lacking.length - 3} more` : ""}`,
          "this checkpoint was saved without them; open one that has been trained with them",
        );
    }
  }

  /** The length that texts are padded to; `longest` is the most that the model takes. */
  textLength(length: number, longest: number): number {
    return this.#anySize ? length : nextLength(length, longest);
  }

  /** The results for the samples fed; the length of texts is the feeds'. */
  async run(
    kind: GraphKind,
    feeds: Feeds,
    outputs: readonly string[],
    signal?: AbortSignal,
  ): Promise<Record<string, Tensor>> {
    signal?.throwIfAborted();
    const withMm = outputs.some((name) => MM.test(name));
    const key = `${kind} ${withMm}`;
    const made = this.#compiled.get(key) ?? this.#compile(kind, withMm);
    this.#compiled.set(key, made);
    made.catch(() => this.#compiled.delete(key));
    const compiled = await made;
    const given = compiled.feeds.flatMap((name) => (feeds[name] ? [[name, feeds[name]] as const] : []));
    const rows = given[0]?.[1].shape[0] ?? 0;
    const batch = this.#anySize ? rows : powerOfTwo(rows);
    const full = Object.fromEntries(given.map(([name, t]) => [name, fillRows(t, batch)]));
    const found = await compiled.run(full, { want: outputs, ...(signal && { signal }) });
    return Object.fromEntries(Object.entries(found).map(([name, t]) => [name, cutRows(t, rows)]));
  }

  dispose(): void {
    this.#disposed = true;
    for (const one of this.#compiled.values())
      one.then(
        (executable) => executable.dispose(),
        () => undefined,
      );
    this.#compiled.clear();
  }

  /** With everything that the model has; what is not wanted of it costs next to nothing, but for the states of all tokens projected. */
  async #compile(kind: GraphKind, withMm: boolean): Promise<Executable> {
    const { device, state, model, task, arithmetic = {} } = this.#loaded;
    const imageSize = this.#imageSize;
    const names = Object.keys(this.#smallest(kind)!.graph.outputs).filter((name) => withMm || !MM.test(name));
    const make = ({ batch, textLength }: OpenSizes): ModelGraph =>
      BUILD[kind](model, { batch, textLength, imageSize }, task?.head)!;
    const { graph, params } = dynamicGraph(model, openIn(kind, task?.head), make, this.available(kind, names));
    if (arithmetic.dtype === undefined) return compile(graph, device, { state, ...arithmetic });
    // Weights of fewer bits are part of the session.
    const weights = await Promise.all(params.map(async ({ name }) => [name, await state.read(name)] as const));
    return compile(graph, device, { weights: Object.fromEntries(weights), ...arithmetic });
  }

  #smallest(kind: GraphKind): ModelGraph | undefined {
    if (!this.#small.has(kind))
      this.#small.set(
        kind,
        BUILD[kind](
          this.#loaded.model,
          { batch: 1, textLength: 1, imageSize: this.#imageSize },
          this.#loaded.task?.head,
        ),
      );
    return this.#small.get(kind);
  }
}

/** What is open in each graph. */
const openIn = (kind: GraphKind, head: TaskHead | undefined): readonly (keyof OpenSizes)[] =>
  kind === "task" && head?.inputs === "image" ? ["batch"] : OPEN[kind];

const OPEN: { readonly [K in GraphKind]: readonly (keyof OpenSizes)[] } = {
  image: ["batch"],
  text: ["batch", "textLength"],
  fusion: ["batch", "textLength"],
  attention: ["batch", "textLength"],
  textWords: ["batch"],
  pairWords: ["batch"],
  task: ["batch", "textLength"],
};

/** Projected states of all tokens, which only the multimodal encoder reads. */
const MM = /^(image|text)_mm$/;

function powerOfTwo(n: number): number {
  let power = 1;
  while (power < n) power *= 2;
  return power;
}
