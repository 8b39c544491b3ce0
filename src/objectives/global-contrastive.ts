/** The global contrastive loss (arXiv:2112.04482 §3.2 and supplement C; CLIP, arXiv:2103.00020). */
import { ConfigError } from "../errors.ts";
import {
  add,
  allGather,
  broadcastTo,
  cast,
  constant,
  equal,
  exp,
  matmul,
  mul,
  reshape,
  stopGradient,
  sub,
  type Value,
} from "../graph/index.ts";
import { fromNumbers } from "../tensor/index.ts";
import { type Classification, maskedCrossEntropy } from "./masked-cross-entropy.ts";

/**
 * How gradients reach the embeddings that other workers gathered: through every copy ("global", the paper), through the
 * own slot only ("local"), or not at all ("none").
 */
export type GatherGradient = "global" | "local" | "none";

export interface ContrastiveOptions {
  /** "global" unless said. */
  gather?: GatherGradient;
  /** R: workers that gather; 1 unless said. */
  workers?: number;
  /** int32 (): this worker's number. Needed with more than one worker. */
  rank?: Value | undefined;
  /** (B): how much each pair's rows count; 1 unless said. Pairs of weight 0 still serve as columns. */
  weights?: Value | undefined;
}

export interface Contrastive {
  /** (). */
  readonly loss: Value;
  /** (B, R·B): scaled similarities of this worker's images with all texts. */
  readonly logits_per_image: Value;
  /** (B, R·B): scaled similarities of this worker's texts with all images. */
  readonly logits_per_text: Value;
  readonly imageToText: Classification;
  readonly textToImage: Classification;
  /** ln(R·B). */
  readonly chance: number;
}

/**
 * L = ½·[CE(s·I·Tᵀ, y) + CE(s·T·Iᵀ, y)],  s = exp(logitScale),  y_i = rank·B + i
 * over embeddings (B, E) of length 1; columns are those of all workers. Rows of weight 0 leave the mean but keep their
 * column, and the labels of the others stay. With no row selected the loss and its gradient are 0.
 */
export function globalContrastive(
  image: Value,
  text: Value,
  logitScale: Value,
  options: ContrastiveOptions = {},
): Contrastive {
  const { gather = "global", workers = 1, rank } = options;
  if (workers > 1 && !rank) throw new ConfigError(`contrastive loss: ${workers} workers need their rank as an input`);
  const B = image.dims("B E").B;
  const rows = fromNumbers(
    Array.from({ length: B }, (_, i) => i),
    [B],
    "int32",
  );
  const targets = rank ? add(constant(rows), mul(rank, B)) : constant(rows);
  const weights = options.weights ?? broadcastTo(constant(1, image.dtype), [B]);
  const scale = exp(logitScale);
  const all = (x: Value): Value => gathered(x, gather, workers, rank);
  const similarities = (x: Value, y: Value): Value => mul(matmul(x, all(y), { transposeB: true }), scale);
  const [logits_per_image, logits_per_text] = [similarities(image, text), similarities(text, image)];
  const imageToText = maskedCrossEntropy({ logits: logits_per_image, targets, weights });
  const textToImage = maskedCrossEntropy({ logits: logits_per_text, targets, weights });
  const loss = mul(add(imageToText.loss, textToImage.loss), 0.5);
  return { loss, logits_per_image, logits_per_text, imageToText, textToImage, chance: imageToText.chance };
}

/** The rows of all workers, (B, E) → (R·B, E). */
function gathered(x: Value, mode: GatherGradient, workers: number, rank: Value | undefined): Value {
  if (mode === "global") return allGather(x, workers);
  const fixed = stopGradient(allGather(x, workers));
  if (mode === "none") return fixed;
  if (!rank) return x;
  const { B, E } = x.dims("B E");
  const slots = fromNumbers(
    Array.from({ length: workers }, (_, r) => r),
    [workers, 1, 1],
    "int32",
  );
  const own = cast(equal(constant(slots), rank), x.dtype); // (R, 1, 1)
  const gradientOnly = sub(x, stopGradient(x)); // zeros that carry the gradient of x
  return reshape(add(reshape(fixed, [workers, B, E]), mul(own, gradientOnly)), [workers * B, E]);
}
