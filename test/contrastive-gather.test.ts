/**
 * The contrastive gradient of whole steps against its definition: worker w's loss compares its own rows with the embeddings of all workers; which of
 * those embeddings move with the parameters is what `contrastiveGather` says. The definition is differentiated by finite differences.
 */
import { beforeAll, describe, expect, it } from "vitest";
import "./support/matchers.ts";
import { workersInProcess } from "../src/cluster/index.ts";
import { graph, interpret } from "../src/graph/index.ts";
import { contrastivePass, type FlavaConfig, logitScale, pairBatch } from "../src/models/flava/index.ts";
import { Params } from "../src/nn/index.ts";
import { planOf, tables } from "../src/pretrain/tables.ts";
import { type Device, openDevice } from "../src/runtime/index.ts";
import { type Feeds, fromNumbers, random, size, type Tensor, toNumbers } from "../src/tensor/index.ts";
import type { Batch } from "../src/train/index.ts";
import { cutBatch } from "../src/train/parts.ts";
import { firstBatches, type StageCase, stageCase, startStage } from "./support/stage-case.ts";

type Gather = FlavaConfig["contrastiveGather"];

const BATCH = 8;
const BETA = 0.9;
const STAGE = {
  sampling: { pairs: 0, contrast: 1, images: 0, texts: 0 },
  optimizer: { betas: [BETA, 0.999] },
  clipNorm: null,
};

let device: Device;
let batch: Batch;
/** Parameters, and a random direction among them. */
let parameters: Record<string, Tensor>;
let direction: Record<string, Tensor>;

beforeAll(async () => {
  device = await openDevice("interpret");
  const one = await at("global", 1);
  batch = (await firstBatches(one, 1))[0]!;
  using started = await startStage(one, device);
  // Away from where they begin: image positions are all 0 there, and a normalised 0 is too steep for finite differences.
  const first = Object.entries(await started.tensors()).filter(([name]) => !name.startsWith("optimizer."));
  const rng = random(1, "direction");
  const noise = (t: Tensor): Tensor =>
    fromNumbers(
      Array.from({ length: size(t.shape) }, () => rng.normal()),
      t.shape,
      "float64",
    );
  direction = Object.fromEntries(first.map(([name, t]) => [name, noise(t)]));
  parameters = Object.fromEntries(
    first.map(([name, t]) => [name, fromNumbers(toNumbers(sumOf(t, noise(t), 0.1)), t.shape, "float32")]),
  );
});

async function at(gather: Gather, microBatches: number, changes: object = {}): Promise<StageCase> {
  const one = await stageCase("joint", { ...STAGE, ...changes, gradientAccumulationSteps: microBatches });
  const recipe = { ...one.recipe, model: { ...(one.recipe.model as object), contrastiveGather: gather } as never };
  return { ...one, recipe, plan: planOf(tables, recipe, one.stage) };
}

/** The derivative along the direction that each worker's first moments show. */
async function slopesOf(one: StageCase, workers: number): Promise<number[]> {
  const rows = cutBatch(batch.feeds, workers, 0);
  return Promise.all(
    workersInProcess(workers).map(async (cluster) => {
      using started = await startStage(one, device, cluster);
      started.state.writeAll(parameters);
      await started.updater.update(1, { ...batch, feeds: rows[cluster.rank]! });
      const found = await started.tensors();
      return Object.entries(found).reduce((sum, [name, t]) => {
        const parameter = name.replace(/^optimizer\.exp_avg\./, "");
        return parameter === name ? sum : sum + dot(toNumbers(t), toNumbers(direction[parameter]!)) / (1 - BETA);
      }, 0);
    }),
  );
}

interface Embedded {
  readonly images: readonly (readonly number[])[];
  readonly texts: readonly (readonly number[])[];
  readonly scale: number;
}

/** Embeddings of the batch with the parameters moved by `h` in the direction. */
function embed({ recipe }: StageCase, h: number): Embedded {
  const model = recipe.model as unknown as FlavaConfig;
  const p = new Params();
  const sizes = { batch: BATCH, textLength: 12, maskedPatches: 6, maskedTokens: 1 };
  const { image_embeds, text_embeds } = contrastivePass(p.at("flava"), model, pairBatch(model, sizes)).contrastive;
  const g = graph("embed", { image_embeds, text_embeds, scale: logitScale(p.at("flava"), model) });
  const feeds: Record<string, Tensor> = {};
  for (const name of Object.keys(g.inputs))
    feeds[name] = parameters[name] ? sumOf(parameters[name], direction[name]!, h) : (batch.feeds as Feeds)[name]!;
  const found = interpret(g, feeds);
  return { images: rowsOf(found.image_embeds!), texts: rowsOf(found.text_embeds!), scale: toNumbers(found.scale!)[0]! };
}

function sumOf(t: Tensor, other: Tensor, times: number): Tensor {
  const more = toNumbers(other);
  return fromNumbers(
    Array.from(toNumbers(t), (x, i) => x + times * more[i]!),
    t.shape,
    "float64",
  );
}

/** The mean over workers of L = ½·[CE(s·I_own·T_allᵀ, y) + CE(s·T_own·I_allᵀ, y)], flava.md §1.14. */
function definition(now: Embedded, fixed: Embedded, gather: Gather, workers: number): number {
  const each = BATCH / workers;
  let sum = 0;
  for (let row = 0; row < BATCH; row++) {
    const own = (column: number): boolean => Math.floor(row / each) === Math.floor(column / each);
    const live = (column: number): boolean => gather === "global" || (gather === "local" && own(column));
    for (const [x, columns, still] of [
      [now.images[row]!, now.texts, fixed.texts],
      [now.texts[row]!, now.images, fixed.images],
    ] as const) {
      const logits = columns.map((y, c) => Math.exp(now.scale) * dot(x, live(c) ? y : still[c]!));
      const most = Math.max(...logits);
      sum += most + Math.log(logits.reduce((total, z) => total + Math.exp(z - most), 0)) - logits[row]!;
    }
  }
  return sum / (2 * BATCH);
}

function slopeOf(one: StageCase, gather: Gather, workers: number): number {
  const h = 1e-6;
  const [less, here, more] = [-h, 0, h].map((by) => embed(one, by)) as [Embedded, Embedded, Embedded];
  return (definition(more, here, gather, workers) - definition(less, here, gather, workers)) / (2 * h);
}

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a, (x, i) => x * b[i]!).reduce((sum, x) => sum + x, 0);

function rowsOf(t: Tensor): number[][] {
  const [numbers, width] = [toNumbers(t), t.shape[1]!];
  return Array.from({ length: t.shape[0]! }, (_, r) => Array.from(numbers.slice(r * width, (r + 1) * width)));
}

describe("a step's contrastive gradient is that of the definition", () => {
  it.each([
    ["global", 2, 2],
    ["local", 2, 1],
    ["local", 2, 2],
    ["none", 2, 1],
    ["none", 1, 2],
  ] as const)("%s, %i workers × %i micro-batches", async (gather, workers, microBatches) => {
    const one = await at(gather, microBatches);
    const expected = slopeOf(one, gather, workers);
    for (const slope of await slopesOf(one, workers)) expect([slope]).toBeAllclose([expected], { rtol: 1e-6 });
  });

  it("local, one worker that keeps two parts of its batch apart", async () => {
    const one = await at("local", 1, { contrastiveParts: 2 });
    expect(await slopesOf(one, 1)).toBeAllclose([slopeOf(one, "local", 2)], { rtol: 1e-6 });
  });

  it("and the three are different", async () => {
    const one = await at("global", 1);
    const [a, b, c] = (["global", "local", "none"] as const).map((gather) => slopeOf(one, gather, 2)) as number[];
    expect(Math.min(Math.abs(a! - b!), Math.abs(b! - c!), Math.abs(a! - c!))).toBeGreaterThan(1e-3 * Math.abs(a!));
  });
});
