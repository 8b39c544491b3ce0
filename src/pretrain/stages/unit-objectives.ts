/** What UniT's stage trains on a batch of each kind of task. */
import { add, broadcastTo, constant, input, mul, type Value } from "../../graph/index.ts";
import { type UnitConfig, unitBoxes, unitLabels, unitStates } from "../../models/unit/index.ts";
import type { Params } from "../../nn/index.ts";
import {
  answerLoss,
  assignmentCost,
  type BoxSet,
  cheapestRows,
  maskedCrossEntropy,
  setLosses,
} from "../../objectives/index.ts";
import { fromNumbers, type Tensor, toNumbers } from "../../tensor/index.ts";
import type { Objective } from "../../train/index.ts";
import type { UnitStage, UnitTaskChoice } from "./unit.ts";

/** What the parts of the loss of boxes count (DETR). */
export const UNIT_WEIGHTS = { classes: 1, distance: 5, overlap: 2 } as const;

/** Boxes: the losses of every decoder layer, each with an assignment of its own that is found on the host before the step. */
export function detectionObjective(model: UnitConfig, { batchSize }: UnitStage, name: string): Objective {
  const { queries: Q, labels } = model.tasks[name]!;
  const { imageSize: side, channels } = model.image;
  const { layers } = model.decoder;
  const sets = (p: Params, batch: number): BoxSet[] => {
    const pixels = input("pixel_values", [batch, channels, side, side]);
    return unitStates(p, model, name, { pixels }).map((states) => unitBoxes(p, model, name, states));
  };
  const targets = (batch: number) => ({
    classes: input("box_classes", [batch, Q], "int32"),
    boxes: input("boxes", [batch, Q, 4]),
  });
  return {
    batchSize,
    before: {
      results: (p, batch) =>
        Object.fromEntries(sets(p, batch).map((set, i) => [`cost.${i}`, assignmentCost(set, targets(batch))])),
      feeds: (costs, { box_classes: classes }) =>
        Object.fromEntries(
          Object.entries(costs).map(([cost, t]) => [cost.replace("cost", "queries"), assigned(t, classes!)]),
        ),
    },
    losses(p, batch, part) {
      const wanted = targets(batch);
      const each = sets(p, batch).map((set, i) =>
        setLosses(set, wanted, input(`queries.${i}`, [batch, Q], "int32"), part),
      );
      const total = (loss: keyof typeof UNIT_WEIGHTS): Value =>
        mul(
          each.map((one) => one[loss]).reduce((a, b) => add(a, b)),
          UNIT_WEIGHTS[loss],
        );
      return {
        losses: Object.fromEntries(
          (["classes", "distance", "overlap"] as const).map((loss) => [`${name}_${loss}`, total(loss)]),
        ),
        metrics: {},
        chance: { [`${name}_classes`]: layers * Math.log(labels + 1) },
      };
    },
  };
}

/** The cheapest assignment of each sample: costs (B, Q, N) and classes (B, N), negative for none → queries int32 (B, N), −1 for none. */
function assigned(costs: Tensor, classes: Tensor): Tensor {
  const [B, Q, N] = costs.shape as [number, number, number];
  const [all, numbers] = [toNumbers(costs), toNumbers(classes)];
  const found: number[] = [];
  for (let b = 0; b < B; b++) {
    const count = numbers.slice(b * N, (b + 1) * N).filter((c) => c >= 0).length; // objects come first
    const own = Array.from({ length: Q }, (_, q) => all.slice((b * Q + q) * N, (b * Q + q) * N + count)).flat();
    const rows = cheapestRows(own, Q, count);
    found.push(...rows, ...new Array<number>(N - count).fill(-1));
  }
  return fromNumbers(found, [B, N], "int32");
}

/** A label of a picture and a text, or of a text. */
export function labelObjective(
  model: UnitConfig,
  { batchSize, textLength }: UnitStage,
  name: string,
  { labels, textPairs }: UnitTaskChoice,
): Objective {
  const { kind, labels: count } = model.tasks[name]!;
  const { imageSize: side, channels } = model.image;
  return {
    batchSize,
    losses(p, batch, part) {
      const places = (field: string): Value => input(field, [batch, textLength], "int32");
      const text = {
        ...{ ids: places("input_ids"), keep: places("attention_mask") },
        ...(kind === "glue" && textPairs && { types: places("token_type_ids") }),
      };
      const pixels = kind === "vl" ? input("pixel_values", [batch, channels, side, side]) : undefined;
      const logits = unitLabels(p, model, name, unitStates(p, model, name, { pixels, text }).at(-1)!);
      if (labels === "answers") {
        const { loss, chance } = answerLoss(logits, input("scores", [batch, count]));
        return { losses: { [name]: loss }, metrics: {}, chance: { [name]: chance } };
      }
      const targets = input(labels === "matching" ? "itm_labels" : "labels", [batch], "int32");
      const weights = broadcastTo(constant(1, logits.dtype), [batch]);
      const { loss, accuracy, chance } = maskedCrossEntropy({ logits, targets, weights }, part);
      return {
        losses: { [name]: loss },
        metrics: { [`${name}/accuracy`]: accuracy },
        chance: { [name]: chance, [`${name}/accuracy`]: 1 / count },
      };
    },
  };
}
