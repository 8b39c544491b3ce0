/** Convolution layers on (B, C, H, W). */
import { ShapeError } from "../errors.ts";
import { add, type ConvWindow, conv2d, matmul, mean, permute, reshape, type Value } from "../graph/index.ts";
import { convNormal, zeros } from "./init.ts";
import type { Params } from "./params.ts";

/** Convolution with bias, stride 1 and the padding that keeps the size of an odd kernel: (B, C, H, W) → (B, O, H, W). */
export function convolution(p: Params, x: Value, channels: number, kernel: number): Value {
  return p.scope(() => {
    const weight = p.get("weight", [channels, x.shape[1]!, kernel, kernel], convNormal);
    const bias = p.get("bias", [channels], zeros);
    return add(conv2d(x, weight, { padding: (kernel - 1) / 2 }), reshape(bias, [1, channels, 1, 1]));
  });
}

export interface PlainConvolution extends Partial<ConvWindow> {
  readonly kernel: number;
  readonly bias?: boolean;
}

/** Convolution with no bias unless said: (B, C, H, W) → (B, O, H', W'); the weight is (O, C / groups, kernel, kernel). */
export function conv(
  p: Params,
  x: Value,
  channels: number,
  { kernel, bias = false, ...window }: PlainConvolution,
): Value {
  return p.scope(() => {
    const weight = p.get("weight", [channels, x.shape[1]! / (window.groups ?? 1), kernel, kernel], p.weightInit);
    const y = conv2d(x, weight, window);
    return bias ? add(y, reshape(p.get("bias", [channels], zeros), [1, channels, 1, 1])) : y;
  });
}

/** The mean of each k × k square: (B, C, H, W) → (B, C, H / k, W / k). */
export function meanPool(x: Value, k: number): Value {
  const { B, C, H, W } = x.dims("B C H W");
  return k === 1 ? x : mean(reshape(x, [B, C, H / k, k, W / k, k]), [3, 5]);
}

/**
 * Convolution whose kernel equals its stride, as one matrix product: (B, C, H, W) → (B, P, D), patches row by row from
 * the top left (Dosovitskiy et al., arXiv:2010.11929, §3.1). The weight is stored as a convolution's, (D, C, patch, patch).
 */
export function patchEmbedding(
  p: Params,
  x: Value,
  width: number,
  patch: number,
  { bias = true }: { readonly bias?: boolean } = {},
): Value {
  return p.scope(() => {
    const { B, C, H, W } = x.dims("B C H W");
    if (H % patch || W % patch) throw new ShapeError(`${p.path}: ${H} × ${W} pixels are not whole patches of ${patch}`);
    const [h, w] = [H / patch, W / patch];
    const tiles = permute(reshape(x, [B, C, h, patch, w, patch]), [0, 2, 4, 1, 3, 5]);
    const rows = reshape(tiles, [B * h * w, C * patch * patch]);
    const weight = reshape(p.get("weight", [width, C, patch, patch], p.weightInit), [width, C * patch * patch]);
    const y = matmul(rows, weight, { transposeB: true });
    return reshape(bias ? add(y, p.get("bias", [width], zeros)) : y, [B, h * w, width]);
  });
}
