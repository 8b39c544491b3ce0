/** The codebook at work: pictures to visual words and back (DALL-E's dVAE, arXiv:2102.12092; FLAVA's, arXiv:2112.04482 §3.2). */
import { processorOf, runOnce } from "../api/index.ts";
import { ConfigError } from "../errors.ts";
import { createCodebook, type EvaluationContext } from "../evaluators/index.ts";
import { graph, input } from "../graph/index.ts";
import type { Pixels } from "../image/index.ts";
import type { Codebook } from "../models/index.ts";
import { Params } from "../nn/index.ts";
import type { ColourErrors, Reconstructions } from "../record/index.ts";
import { type Tensor, tensor } from "../tensor/index.ts";
import { fromMapped, fromUnit, picturesOf as pixelsOf } from "./canvas.ts";
import type { Drawing } from "./drawing.ts";
import { picturesOf } from "./feeds.ts";

const SHOWN = 10;

/** Where averaged weights lie in a state. */
const AVERAGES = "ema";

/** Pictures, and how the decoder reconstructs them from their hard visual words, by the averaged weights where there are some. */
export async function reconstructions({ context, pairs, save }: Drawing): Promise<Reconstructions> {
  const averaged = context.state.names().some((name) => name.startsWith(`${AVERAGES}.`));
  const scope = averaged ? AVERAGES : "";
  const some = pairs.slice(0, SHOWN);
  const { codebookSize: side, grid } = picturesOf(context);
  const codebook = codebookOf(context);
  const pixels = input("codebook_pixel_values", [some.length, codebook.channels, side, side]);
  const { decoded: values } = codebook.reconstruct(averaged ? new Params().at(AVERAGES) : new Params(), pixels);
  const feeds = { ...(await processorOf(context).images(some)) };
  const results = await runOnce(context, graph("pictures.codebook", { decoded: values }), feeds);
  const originals = pixelsOf(feeds.codebook_pixel_values, fromMapped);
  const decoded = pixelsOf(results.decoded!, fromUnit);
  const { wordSize, vocabSize } = codebook;
  return {
    kind: "reconstructions",
    title: "What the codebook keeps",
    text: `Held-out pictures, and what its decoder makes of their ${grid ** 2} visual words: each stands for ${wordSize} × ${wordSize} pixels and is one of ${vocabSize.toLocaleString("en-US")}.`,
    errors: await errorsOf(context, pairs, scope),
    items: await Promise.all(
      some.map(async ({ caption }, i) => ({
        original: await save("picture", i, originals[i]!),
        reconstruction: await save("decoded", i, decoded[i]!),
        caption,
      })),
    ),
  };
}

/** As the evaluator measures them, beside those of the plainest pictures. */
async function errorsOf(context: EvaluationContext, pairs: Drawing["pairs"], scope: string): Promise<ColourErrors[]> {
  const evaluator = createCodebook(context, { pairs: [async () => pairs], imageSize: null, scope })!;
  try {
    const found: Record<string, number> = {};
    for await (const [name, value] of evaluator.run(0, context.signal)) found[name] = value;
    const row = (of: string, prefix: string): ColourErrors => ({
      of,
      colour: found[`${prefix}colour_error`] ?? 0,
      lightness: found[`${prefix}lightness_error`] ?? 0,
    });
    return [
      row("made of visual words", ""),
      row("one colour a patch, its mean", "patch_"),
      row("one colour a picture, its mean", "picture_"),
    ];
  } finally {
    evaluator.dispose?.();
  }
}

/** The pictures that visual words (B, P) stand for, by a decoder's weights. */
export async function decodedWords(
  context: EvaluationContext,
  weights: Readonly<Record<string, Tensor>>,
  words: Int32Array,
): Promise<Pixels[]> {
  const { grid } = picturesOf(context);
  const shape = [words.length / grid ** 2, grid, grid];
  const decoded = codebookOf(context).decode(new Params(), input("words", shape, "int32"));
  const g = graph("pictures.decoder", { decoded });
  const named = Object.entries(weights).filter(([name]) => Object.hasOwn(g.inputs, name));
  const feeds = { words: tensor("int32", shape, words) };
  const results = await runOnce(context, g, feeds, { weights: Object.fromEntries(named) });
  return pixelsOf(results.decoded!, fromUnit);
}

function codebookOf({ model }: EvaluationContext): Codebook {
  if (model.codebook) return model.codebook;
  throw new ConfigError("pictures: expected a model with a codebook, got none", "set model.codebook");
}
