/** The residual block that encoder and decoder of the dVAE share (openai/DALL-E). */
import { add, mul, relu, type Value } from "../../graph/index.ts";
import { convolution, type Params, type Taps } from "../../nn/index.ts";
import type { DvaeConfig } from "./config.ts";

/** Kernel sizes of the four convolutions of a block, the only difference between the two directions. */
export type Kernels = readonly [number, number, number, number];

/** x + gain·residual(x), with a 1×1 convolution on x where the number of channels changes. */
export function block(p: Params, x: Value, channels: number, kernels: Kernels, gain: number): Value {
  return p.scope(() => {
    const path = p.at("res_path.path");
    const hidden = channels / 4;
    const residual = kernels.reduce(
      (h, kernel, i) => convolution(path.at(`conv_${i + 1}`), relu(h), i === 3 ? channels : hidden, kernel),
      x,
    );
    const identity = x.shape[1] === channels ? x : convolution(p.at("id_path"), x, channels, 1);
    return add(identity, mul(residual, gain));
  });
}

interface GroupsOptions {
  /** Channels of each group, in order. */
  widths: readonly number[];
  kernels: Kernels;
  /** What happens after every group but the last: pooling or enlargement. */
  between: (x: Value) => Value;
  out?: Taps | undefined;
}

/** All groups of blocks; taps `<path>.group_G` are taken after pooling or enlargement. `p` is the scope `blocks`. */
export function groups(
  p: Params,
  x: Value,
  config: DvaeConfig,
  { widths, kernels, between, out }: GroupsOptions,
): Value {
  const gain = 1 / (config.groups * config.blocksPerGroup) ** 2;
  return widths.reduce((h, width, g) => {
    const scope = p.at(`group_${g + 1}.group`);
    for (let k = 1; k <= config.blocksPerGroup; k++) h = block(scope.at(`block_${k}`), h, width, kernels, gain);
    if (g < widths.length - 1) h = p.scope(() => between(h));
    out?.set(p.at(`group_${g + 1}`).path, h);
    return h;
  }, x);
}
