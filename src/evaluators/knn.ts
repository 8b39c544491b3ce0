/** k-NN classification by the image encoder's CLS (Wu et al., arXiv:1805.01978; DINO's eval_knn.py): no training, no choices. */

import { batches, createRunner, hasParameters, processorOf, Rows, type Runner } from "../api/index.ts";
import type { ModelGraph } from "../models/index.ts";
import { initialize } from "../nn/index.ts";
import type { Tensor } from "../tensor/index.ts";
import type { EvaluationContext, Evaluator } from "./evaluator.ts";
import type { Labelled, LabelledSet } from "./labelled.ts";
import { scores, topK } from "./retrieval.ts";

/** Labelled images, and which features are compared. */
export interface KnnOptions {
  readonly train: LabelledSet;
  readonly test: LabelledSet;
  /** `pixel_values` → `features` (B, D) of length 1, where it is not the model's own encoder that is asked (DINO's). */
  readonly features?: ((batch: number, scope?: string) => ModelGraph) | undefined;
  /** Before the encoder's names: "teacher" for DINO's teacher. */
  readonly scope?: string | undefined;
}

/** DINO's. */
const NEIGHBOURS = 20;
const TEMPERATURE = 0.07;

/**
 * `accuracy`: top 1 of a weighted vote of the 20 nearest; `random_init_accuracy`: the same of the encoder's first weights;
 * `majority_accuracy`: of always saying the commonest class of the training set. Undefined where the model has no image features.
 */
export function createKnn(context: EvaluationContext, options: KnnOptions): Evaluator | undefined {
  const { device, state, model, batchSize, seed } = context;
  const { train, test, features = model.features, scope = "" } = options;
  if (!features) return undefined;
  const graph = features(batchSize, scope);
  const runner = createRunner(device, graph, batchSize, { state });
  const processor = processorOf(context);
  const chance: Record<string, number> = {};

  async function accuracy(by: Runner, signal: AbortSignal | undefined): Promise<number> {
    const [known, asked] = [await train(), await test()];
    const featuresOf = async (images: readonly Labelled[]): Promise<Tensor<"float32">> => {
      const rows = new Rows(images.length);
      for (const [first, part] of batches(images, batchSize)) {
        const feeds = await processor.images(part, { ...(signal && { signal }) });
        rows.add(
          (await by.run({ ...feeds }, signal)).features!,
          Array.from(part, (_, i) => first + i),
        );
      }
      return rows.tensor([0]);
    };
    const labels = known.map(({ label }) => label);
    const said = nearestLabels(await featuresOf(known), labels, await featuresOf(asked));
    return asked.filter(({ label }, i) => label === said[i]).length / asked.length;
  }

  async function untrainedAccuracy(signal: AbortSignal | undefined): Promise<number> {
    const bare = features!(batchSize);
    const fresh = createRunner(device, bare, batchSize, { weights: initialize(bare.params, seed) });
    try {
      return await accuracy(fresh, signal);
    } finally {
      fresh.dispose();
    }
  }
  let untrained: number | undefined;

  return {
    name: "knn",
    chance,
    async *run(_step, signal = context.signal) {
      if (!hasParameters(state, graph)) return;
      chance.accuracy = majorityAccuracy(await train(), await test());
      yield ["accuracy", await accuracy(runner, signal)];
      untrained ??= await untrainedAccuracy(signal);
      yield ["random_init_accuracy", untrained];
      yield ["majority_accuracy", chance.accuracy];
    },
    dispose: () => runner.dispose(),
  };
}

/**
 * For each query row (Q, D) the label with the largest sum of exp(cosine / temperature) among the nearest rows of (N, D), all
 * of length 1; of equal sums that of the nearest neighbour.
 */
export function nearestLabels(
  known: Tensor<"float32">,
  labels: readonly string[],
  queries: Tensor<"float32">,
  { neighbours = NEIGHBOURS, temperature = TEMPERATURE }: { neighbours?: number; temperature?: number } = {},
): string[] {
  const [Q, D] = queries.shape as [number, number];
  return Array.from({ length: Q }, (_, q) => {
    const row = scores({ ...queries, shape: [1, D], data: queries.data.subarray(q * D, (q + 1) * D) }, known);
    const votes = new Map<string, number>();
    for (const i of topK(row, neighbours))
      votes.set(labels[i]!, (votes.get(labels[i]!) ?? 0) + Math.exp(row[i]! / temperature));
    return [...votes].reduce((best, vote) => (vote[1] > best[1] ? vote : best))[0];
  });
}

function majorityAccuracy(train: readonly Labelled[], test: readonly Labelled[]): number {
  const counts = new Map<string, number>();
  for (const { label } of train) counts.set(label, (counts.get(label) ?? 0) + 1);
  const [commonest] = [...counts].reduce((best, one) => (one[1] > best[1] ? one : best));
  return test.filter(({ label }) => label === commonest).length / test.length;
}
