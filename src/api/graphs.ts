/**
 * The graphs of a loaded model, each compiled for a few sizes when first needed. A batch takes the next size and is filled up, so that any
 * number of samples and any length of text share a handful of sessions; the weights are the state's, which all of them read where they lie.
 */
import { CheckpointError, ConfigError } from "../errors.ts";
import type { Model, ModelGraph } from "../models/index.ts";
import type { Feeds, Tensor } from "../tensor/index.ts";
import type { LoadedModel } from "./loaded-model.ts";
import { createRunner, hasParameters, only, type Runner } from "./runner.ts";

/** What can be run. */
export type GraphKind = "image" | "text" | "fusion" | "textWords" | "pairWords";

interface Sizes {
  readonly batch: number;
  readonly textLength: number;
  /** Side of the pictures in pixels. */
  readonly imageSize: number;
}

type Build = (model: Model, sizes: Sizes) => ModelGraph | undefined;

const picture = ({ imageSize }: Sizes) => ({ height: imageSize, width: imageSize, interpolate: "size" as const });

const BUILD: { readonly [K in GraphKind]: Build } = {
  image: (model, sizes) => model.image?.({ batch: sizes.batch, ...picture(sizes) }),
  text: (model, { batch, textLength }) => model.text?.({ batch, textLength }),
  fusion: (model, sizes) => model.fusion?.({ batch: sizes.batch, textLength: sizes.textLength, ...picture(sizes) }),
  textWords: (model, { batch }) => model.words?.("text", batch),
  pairWords: (model, { batch }) => model.words?.("pair", batch),
};

const CALLED: { readonly [K in GraphKind]: string } = {
  image: "an image encoder",
  text: "a text encoder",
  fusion: "a multimodal encoder",
  textWords: "a head for masked words (mlm_head)",
  pairWords: "a head for masked words beside a picture (mmm_text_head)",
};

/** Sessions that are kept; the one that was not used for longest gives way. */
const KEPT = 16;

/** The next of 8, 12, 16, 24, 32, 48, …: so that at most a third of a text is padding. */
export function nextLength(length: number, longest: number): number {
  let step = 8;
  while (step < length) step = step % 3 === 0 ? (step / 3) * 4 : (step / 2) * 3;
  return Math.min(step, longest);
}

/** Runs any of a model's graphs on up to `batchSize` samples. */
export class Graphs {
  readonly #loaded: LoadedModel;
  readonly #imageSize: number;
  readonly #runners = new Map<string, Runner>();
  /** Graphs of one sample, to ask what they need. */
  readonly #small = new Map<GraphKind, ModelGraph | undefined>();

  constructor(loaded: LoadedModel, imageSize: number) {
    this.#loaded = loaded;
    this.#imageSize = imageSize;
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
    const small = this.#smallest(kind);
    if (!small) throw new CheckpointError(`${name}: expected ${CALLED[kind]}, got a ${model.family} without one`);
    for (const wanted of outputs) {
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

  /** The results for the samples fed, at most `batchSize`; the length of texts is the feeds'. */
  async run(
    kind: GraphKind,
    feeds: Feeds,
    outputs: readonly string[],
    signal?: AbortSignal,
  ): Promise<Record<string, Tensor>> {
    const [first] = Object.values(feeds);
    const rows = first!.shape[0]!;
    const textLength = feeds.input_ids?.shape[1] ?? feeds.text_mm?.shape[1] ?? 1;
    return this.#runner(kind, { batch: this.#batch(rows), textLength, imageSize: this.#imageSize }, outputs).run(
      feeds,
      signal,
    );
  }

  dispose(): void {
    for (const runner of this.#runners.values()) runner.dispose();
    this.#runners.clear();
  }

  #smallest(kind: GraphKind): ModelGraph | undefined {
    if (!this.#small.has(kind))
      this.#small.set(kind, BUILD[kind](this.#loaded.model, { batch: 1, textLength: 1, imageSize: this.#imageSize }));
    return this.#small.get(kind);
  }

  /** The next power of two, at most the batch of the model. */
  #batch(rows: number): number {
    let batch = 1;
    while (batch < rows) batch *= 2;
    return rows > this.#loaded.batchSize ? batch : Math.min(batch, this.#loaded.batchSize);
  }

  #runner(kind: GraphKind, sizes: Sizes, outputs: readonly string[]): Runner {
    const key = [kind, sizes.batch, sizes.textLength, ...outputs].join(" ");
    let runner = this.#runners.get(key);
    if (!runner) {
      const { device, state, model } = this.#loaded;
      runner = createRunner(device, only(BUILD[kind](model, sizes)!, ...outputs), sizes.batch, { state });
    }
    this.#runners.delete(key);
    this.#runners.set(key, runner);
    for (const [oldest, one] of this.#runners) {
      if (this.#runners.size <= KEPT) break;
      one.dispose();
      this.#runners.delete(oldest);
    }
    return runner;
  }
}
