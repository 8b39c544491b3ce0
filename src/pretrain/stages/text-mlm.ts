/** The text stage: masked language modelling alone (arXiv:2112.04482 §3.3 and supplement B.1). */
import { pretrainTexts, textBatch } from "../../models/flava/index.ts";
import { textObjective } from "../../objectives/index.ts";
import type { StagePlan } from "../../train/stage.ts";
import type { Recipe, TextMlmStage } from "../recipe/types.ts";
import { maskedTexts, tokenTargets } from "./masking.ts";

/** The plan of a text stage. */
export function planTextMlm({ model }: Recipe, stage: TextMlmStage): StagePlan {
  const text = maskedTexts(stage.textLength, stage.masking);
  return {
    kinds: {
      text: {
        batchSize: stage.batchSize,
        targets: (part) => ({ mlm: tokenTargets(part) }),
        judge(p, batch) {
          const { length: textLength, mask } = text;
          const sizes = { batch, textLength, maskedTokens: mask.maxTargets, maskedPatches: 0 };
          const values = pretrainTexts(p, model, textBatch(sizes));
          return { ...textObjective(values, model.lossWeights), checkpoints: values.masked.hidden_states };
        },
      },
    },
    datasets: [
      { kind: "text", data: "texts", pack: stage.pack && { breakMode: stage.pack }, build: { kind: "text", text } },
    ],
  };
}
