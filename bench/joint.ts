/** One joint step of FLAVA on a paired batch: all losses, clip, AdamW on every parameter; and random feeds for it. */
import { type FlavaConfig, pairBatch, pretrainPairs } from "../src/models/flava/index.ts";
import { initialTensor, type ParamSpec, Params } from "../src/nn/index.ts";
import { pairObjective } from "../src/objectives/index.ts";
import { adamw, adamwScalars, gradients as gradientsOf } from "../src/optim/index.ts";
import { type CompileOptions, compile, type Device, type Executable, State } from "../src/runtime/index.ts";
import { fromNumbers, random, scalar, size, type Tensor } from "../src/tensor/index.ts";
import { noise } from "./measure.ts";

/** The sizes of a step. */
export interface JointSizes {
  readonly config: FlavaConfig;
  readonly batch: number;
  readonly textLength: number;
  readonly maskedPatches: number;
  readonly maskedTokens: number;
}

/** FLAVA's own sizes: 75 of 196 patches and 15 % of 77 tokens masked. */
export const baseSizes = { textLength: 77, maskedPatches: 75, maskedTokens: 12 };

/** Random pixels and ids of the right kinds: the arithmetic does not depend on them. */
export function jointFeeds(sizes: JointSizes): Record<string, Tensor> {
  const { config, batch: B, textLength: T, maskedPatches: M, maskedTokens: N } = sizes;
  const rng = random(1, "bench:batch");
  const integers = (n: number, below: number): number[] => Array.from({ length: n }, () => rng.integer(below));
  const ids = (n: number, below: number, shape: number[]): Tensor => fromNumbers(integers(n, below), shape, "int32");
  const grid = config.image.imageSize / config.image.patchSize;
  const P = grid ** 2;
  const masked = Array.from({ length: B }, () => integers(M, P));
  const mask = fromNumbers(new Array(B * P).fill(0), [B, P], "bool");
  masked.forEach((row, b) => {
    for (const i of row) mask.data[b * P + i] = 1;
  });
  const pixels = noise("codebook", [B, 3, 8 * grid, 8 * grid]);
  const words = config.text.vocabSize;
  return {
    pixel_values: noise("pixels", [B, 3, config.image.imageSize, config.image.imageSize]),
    codebook_pixel_values: { ...pixels, data: pixels.data.map((x) => 0.5 + 0.8 * x) },
    bool_masked_pos: mask,
    mim_positions: fromNumbers(masked.flat(), [B, M], "int32"),
    mim_position_mask: fromNumbers(new Array(B * M).fill(1), [B, M], "bool"),
    input_ids: ids(B * T, words, [B, T]),
    input_ids_masked: ids(B * T, words, [B, T]),
    attention_mask: fromNumbers(new Array(B * T).fill(1), [B, T], "int32"),
    mlm_positions: ids(B * N, T, [B, N]),
    mlm_targets: ids(B * N, words, [B, N]),
    itm_labels: fromNumbers(
      Array.from({ length: B }, (_, i) => (i % 8 === 6 ? 0 : 1)),
      [B],
      "int32",
    ),
  };
}

export interface Joint {
  readonly step: Executable;
  readonly state: State;
  readonly compileSeconds: number;
}

/** How many elements of a large parameter are drawn; the rest repeat them. */
const DRAWN = 1 << 16;

function firstNumbers(spec: ParamSpec): Tensor<"float32"> {
  const n = size(spec.shape);
  if (n <= DRAWN || spec.init.kind === "zeros" || spec.init.kind === "constant") return initialTensor(spec, 1);
  const kind =
    spec.init.kind === "convNormal" ? { kind: "normal" as const, std: size(spec.shape.slice(1)) ** -0.5 } : spec.init;
  const { data } = initialTensor({ ...spec, init: kind, shape: [DRAWN, 1] }, 1);
  const all = new Float32Array(n);
  for (let i = 0; i < n; i += DRAWN) all.set(data.subarray(0, Math.min(DRAWN, n - i)), i);
  return { dtype: "float32", shape: spec.shape, data: all };
}

/** Compiles the step, with its state on the device. */
export async function jointStep(device: Device, sizes: JointSizes, options: CompileOptions = {}): Promise<Joint> {
  const p = new Params();
  const values = pretrainPairs(p, sizes.config, pairBatch(sizes.config, sizes));
  const { loss } = pairObjective(values);
  const params = p.values();
  const update = adamw(params, gradientsOf(loss, params), { weightDecay: 0.1, clip: { globalNorm: 1 } });
  const state = new State(device);
  for (const spec of p.specs()) state.write(spec.name, firstNumbers(spec));
  state.writeAll(update.initial);
  const start = performance.now();
  const outputs = { loss, grad_norm: update.gradNorm };
  const step = await compile({ name: "joint", outputs, updates: update.updates }, device, { ...options, state });
  return { step, state, compileSeconds: (performance.now() - start) / 1000 };
}

/** What the host feeds at a step (1, 2, …) beside the batch. */
export const stepScalars = (step: number): Record<string, Tensor> =>
  Object.fromEntries(Object.entries(adamwScalars(step, 1e-4)).map(([name, v]) => [name, scalar(v)]));
