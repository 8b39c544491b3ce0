/** The global contrastive loss (arXiv:2112.04482 §3.2 and supplement C; CLIP, arXiv:2103.00020). */
import { ConfigError } from "../errors.ts";
import {
  add,
  allGather,
  broadcastTo,
  constant,
  exp,
  lessEqual,
  matmul,
  mul,
  reshape,
  stopGradient,
  sub,
  type Value,
  where,
} from "../graph/index.ts";
import { fromNumbers } from "../tensor/index.ts";
import { type Classification, maskedCrossEntropy } from "./masked-cross-entropy.ts";
import type { BatchPart } from "./parts.ts";

/**
 * How gradients reach the embeddings that workers gather: through every copy ("global", the paper), through the own slot only ("local"), or not at
 * all ("none"). On one worker "local" is "global".
 */
export type GatherGradient = "global" | "local" | "none";

export interface ContrastiveOptions extends BatchPart {
  /** "global" unless said. */
  gather?: GatherGradient;
  /**
   * One worker that holds the whole batch computes what so many would, each with as much of it: unless `gather` is "global" no gradient
   * reaches columns of another's rows. 1 unless said; where there are parts they alone count.
   */
  apart?: number | undefined;
  /** Share of each row's target that is spread over all columns (ALIGN); 0 unless said. */
  smoothing?: number;
  /** (B): how much each pair's rows count; 1 unless said. Pairs of weight 0 still serve as columns. */
  weights?: Value | undefined;
}

export interface Contrastive {
  /** (). */
  readonly loss: Value;
  /** (B, R·B): scaled similarities of this part's images with the texts of all R parts. */
  readonly logits_per_image: Value;
  /** (B, R·B): scaled similarities of this part's texts with the images of all R parts. */
  readonly logits_per_text: Value;
  readonly imageToText: Classification;
  readonly textToImage: Classification;
  /** ln(R·B). */
  readonly chance: number;
}

/**
 * L = ½·[CE(s·I·Tᵀ, y) + CE(s·T·Iᵀ, y)],  s = exp(logitScale),  y_i = index·B + i
 * over embeddings (B, E) of length 1; columns are those of all parts. Rows of weight 0 leave the mean but keep their
 * column, and the labels of the others stay. With no row selected the loss and its gradient are 0.
 */
export function globalContrastive(
  image: Value,
  text: Value,
  logitScale: Value,
  options: ContrastiveOptions = {},
): Contrastive {
  const { gather = "global", parts = 1, index, apart = 1 } = options;
  if (parts > 1 && !index) throw new ConfigError(`contrastive loss: ${parts} parts need their index as an input`);
  const B = image.dims("B E").B;
  const rows = fromNumbers(
    Array.from({ length: B }, (_, i) => i),
    [B],
    "int32",
  );
  const targets = index ? add(constant(rows), mul(index, B)) : constant(rows);
  const weights = options.weights ?? broadcastTo(constant(1, image.dtype), [B]);
  const scale = exp(logitScale);
  const all = (x: Value): Value => gathered(x, gather, options);
  const cut = parts === 1 && gather !== "global" && apart > 1;
  const similarities = (x: Value, y: Value): Value => {
    const dots = matmul(x, all(y), { transposeB: true });
    return mul(cut ? ownColumns(dots, matmul(x, stopGradient(y), { transposeB: true }), gather, apart) : dots, scale);
  };
  const [logits_per_image, logits_per_text] = [similarities(image, text), similarities(text, image)];
  const imageToText = maskedCrossEntropy({ logits: logits_per_image, targets, weights }, options);
  const textToImage = maskedCrossEntropy({ logits: logits_per_text, targets, weights }, options);
  const loss = mul(add(imageToText.loss, textToImage.loss), 0.5);
  return { loss, logits_per_image, logits_per_text, imageToText, textToImage, chance: imageToText.chance };
}

/** `dots` (B, B), with the gradient of the columns beside the row alone, or of none. `fixed` are the same numbers. */
function ownColumns(dots: Value, fixed: Value, mode: GatherGradient, apart: number): Value {
  const { B } = dots.dims("B C");
  if (B % apart !== 0) throw new ConfigError(`contrastive loss: ${B} pairs do not divide among ${apart}`);
  if (mode === "none") return fixed;
  const each = B / apart;
  const same = Array.from({ length: B * B }, (_, i) => Number(Math.floor(i / B / each) === Math.floor((i % B) / each)));
  return add(fixed, mul(sub(dots, fixed), constant(fromNumbers(same, [B, B], dots.dtype as "float32"))));
}

/** The rows of all parts, (B, E) → (R·B, E). */
function gathered(x: Value, gather: GatherGradient, { parts = 1, index, perWorker = 1 }: BatchPart): Value {
  const all = allGather(x, parts);
  if (gather === "global" || (gather === "local" && parts === perWorker)) return all;
  const fixed = stopGradient(all);
  if (gather === "none") return fixed;
  const { B, E } = x.dims("B E");
  const slots = (y: Value): Value => reshape(y, [parts / perWorker, perWorker * B, E]);
  const own = where(
    lessEqual(firstPart(0), index!),
    where(lessEqual(index!, firstPart(perWorker - 1)), slots(all), slots(fixed)),
    slots(fixed),
  );
  return reshape(own, [parts * B, E]);

  /** int32 (W, 1, 1): the number of each worker's first part, and `after` more. */
  function firstPart(after: number): Value {
    const firsts = Array.from({ length: parts / perWorker }, (_, worker) => worker * perWorker + after);
    return constant(fromNumbers(firsts, [firsts.length, 1, 1], "int32"));
  }
}
