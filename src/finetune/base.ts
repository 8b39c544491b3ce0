/** The model that a fine-tuning starts from: its sizes as the task needs them, and first values of all that is trained. */
import type { FlavaModel, LoadedModel } from "../api/index.ts";
import { CheckpointError } from "../errors.ts";
import { graph, input, interpret } from "../graph/index.ts";
import type { FlavaImageOptions } from "../image/index.ts";
import { initialTensor, interpolatePositions, type ParamSpec } from "../nn/index.ts";
import type { State } from "../runtime/index.ts";
import { sameShape, type Tensor } from "../tensor/index.ts";
import { turns } from "../train/index.ts";
import { lengthFor, type PreparedData } from "./data.ts";
import type { Problem } from "./problem.ts";
import type { SettingsFor } from "./settings.ts";
import { type Tunable, tunableOf } from "./tunable.ts";

/** What is tuned. */
export interface BaseModel {
  readonly loaded: LoadedModel;
  /** How it prepares pictures; absent where it takes none. */
  readonly image?: FlavaImageOptions | undefined;
  /** Whether the weights are drawn anew, for comparison, and only the sizes and the words are the model's. */
  readonly random?: boolean | undefined;
}

/** What the defaults of settings depend on: texts as long as nearly all of them are, pictures of the model's side unless another is said. */
export function settingsBase(
  { loaded, model }: FlavaModel,
  { problem: { inputs }, train }: Pick<PreparedData, "problem" | "train">,
  imageSize?: number,
): SettingsFor {
  const { maxPositions = 3, padHidden = true } = model.texts ?? {};
  return {
    samples: train.count,
    width: tunableOf(loaded, inputs, imageSize).width(inputs),
    inputs,
    longest: maxPositions,
    textLength: inputs === "image" ? 3 : padHidden ? lengthFor(train.tokens, maxPositions) : maxPositions,
    imageSize: imageSize ?? model.pictures!.size,
  };
}

/** How pictures of that side are prepared. */
export function tunedImage({ image }: BaseModel, imageSize: number): FlavaImageOptions | undefined {
  if (!image || (image.cropSize ?? image.size) === imageSize) return image;
  return { ...image, size: imageSize, cropSize: imageSize };
}

/** Where first values came from. */
export interface FirstValues {
  readonly taken: number;
  readonly drawn: readonly string[];
  /** Whether position embeddings were interpolated. */
  readonly resized: boolean;
}

/**
 * Writes the first value of each parameter into the state: the model's, position embeddings on a grid of another size interpolated, or
 * drawn from the seed where the model has none. Throws CheckpointError where an encoder is not there at all.
 */
export async function firstValues(
  { loaded, random }: BaseModel,
  { tunable, problem }: { readonly tunable: Tunable; readonly problem: Problem },
  specs: readonly ParamSpec[],
  { state, seed, signal }: { readonly state: State; readonly seed: number; readonly signal?: AbortSignal | undefined },
): Promise<FirstValues> {
  const drawn: string[] = [];
  let resized = false;
  const turn = turns(signal);
  const has = (name: string): boolean => !random && loaded.state.has(name);
  if (!random) tunable.requireWeights(problem.inputs, specs);
  for (const spec of specs) {
    if (has(spec.name)) {
      const own = await loaded.state.read(spec.name);
      const same = sameShape(own.shape, spec.shape);
      state.write(spec.name, same ? own : fitted(spec, own));
      resized ||= !same;
    } else {
      state.write(spec.name, initialTensor(spec, seed));
      drawn.push(spec.name);
    }
    await turn();
  }
  return { taken: specs.length - drawn.length, drawn, resized };
}

/** Position embeddings (1, 1 + g², D) on another grid, bicubic as in Hugging Face's `interpolate_pos_encoding`. */
function fitted({ name, shape }: ParamSpec, own: Tensor): Tensor {
  if (!name.endsWith("image_model.embeddings.position_embeddings"))
    throw new CheckpointError(`${name}: expected the shape ${shape.join(", ")}, got ${own.shape.join(", ")}`);
  const side = Math.round(Math.sqrt(shape[1]! - 1));
  const g = graph("positions", { positions: interpolatePositions(input("own", own.shape), side, side) });
  const { positions } = interpret(g, { own });
  return { dtype: "float32", shape: [...shape], data: Float32Array.from(positions!.data as Float64Array) };
}
