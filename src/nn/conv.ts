/** Convolution layers on (B, C, H, W). */
import { ShapeError } from "../errors.ts";
import { add, conv2d, matmul, permute, reshape, type Value } from "../graph/index.ts";
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

/**
 * Convolution whose kernel equals its stride, as one matrix product: (B, C, H, W) → (B, P, D), patches row by row from
 * the top left (Dosovitskiy et al., arXiv:2010.11929, §3.1). The weight is stored as a convolution's, (D, C, patch, patch).
 */
export function patchEmbedding(p: Params, x: Value, width: number, patch: number): Value {
  return p.scope(() => {
    const { B, C, H, W } = x.dims("B C H W");
    if (H % patch || W % patch) throw new ShapeError(`${p.path}: ${H} × ${W} pixels are not whole patches of ${patch}`);
    const [h, w] = [H / patch, W / patch];
    const tiles = permute(reshape(x, [B, C, h, patch, w, patch]), [0, 2, 4, 1, 3, 5]);
    const rows = reshape(tiles, [B * h * w, C * patch * patch]);
    const weight = reshape(p.get("weight", [width, C, patch, patch], p.weightInit), [width, C * patch * patch]);
    const y = add(matmul(rows, weight, { transposeB: true }), p.get("bias", [width], zeros));
    return reshape(y, [B, h * w, width]);
  });
}
