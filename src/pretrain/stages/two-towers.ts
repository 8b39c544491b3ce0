/** What the stages of CLIP and ALIGN share: two encoders that learn by the contrastive loss alone which pictures and texts belong together. */
import { type Augmentation, augmentOf } from "../../data/index.ts";
import { createPairs } from "../../evaluators/index.ts";
import { foundCaptions, foundPictures, mistakes, rank, wordNeighbours } from "../../pictures/index.ts";
import type { InitFrom } from "../recipe/types.ts";
import { checkLength, checkSource } from "./checks.ts";
import { type DefaultsFor, PAIR_SCALES, scaleFor, tokensFor } from "./defaults.ts";
import { knn } from "./shared.ts";
import type { PlannedDataset, Report, StageBase, StageKind, Unplaced } from "./stage.ts";
import { TINY } from "./tiny.ts";

/** Such a stage of a recipe, every default filled in. */
export interface TwoTowers extends StageBase {
  /** Tokens of a text. */
  readonly textLength: number;
  readonly augmentation: Augmentation;
  readonly init: { readonly image: InitFrom; readonly text: InitFrom };
}

type Shared = "gives" | "startsFrom" | "reads" | "measures" | "evaluators" | "test" | "pictures";

const test: NonNullable<StageKind<TwoTowers, never>["test"]> = (context, { textLength }, set) =>
  createPairs(context, { ...set, textLength, retrieval: true, matching: false });

/** The same for both. */
export const twoTowers: Pick<StageKind<TwoTowers, never>, Shared> = {
  gives: ["image", "text"],
  startsFrom: ["image", "text"],
  reads: ({ steps, batchSize }) => ({ pairs: steps * batchSize }),
  measures: { knn: "labelled" },
  evaluators: (context, held, stage) => [
    ...Object.entries(held.validation).map(([name, pairs]) => test(context, stage, { name, pairs })),
    knn(context, held),
  ],
  test,
  async *pictures(drawing) {
    const ranking = await rank(drawing.context, drawing.pairs);
    yield ["10-found-captions", await foundCaptions(drawing, ranking)];
    yield ["20-found-pictures", await foundPictures(drawing, ranking)];
    yield ["30-mistakes", await mistakes(drawing, ranking)];
    yield ["57-neighbours", await wordNeighbours(drawing, "text_embeds")];
  },
};

/** The same stage for a tiny model. */
export const tinyTowers = <S extends TwoTowers>(stage: S): S => ({ ...stage, textLength: TINY.tokens });

/** What a recipe of another size than base takes where it says nothing; texts have at most `tokens`. */
export const towerDefaults = <C extends { readonly text: { readonly maxPositions: number } }>(
  given: DefaultsFor<C>,
  tokens: number,
): Readonly<Record<string, unknown>> => ({
  ...scaleFor(given, PAIR_SCALES).raw,
  textLength: tokensFor(given, tokens),
});

interface WithTexts {
  readonly text: { readonly maxPositions: number };
}

/** Reports what contradicts the rest of the recipe. */
export function checkTowers(recipe: Unplaced<WithTexts>, { textLength, batchSize }: TwoTowers, report: Report): void {
  checkSource(recipe, "pairs", report);
  checkLength(recipe, textLength, report, ["textLength"]);
  if (batchSize < 2) report(["batchSize"], "the contrastive loss compares samples: expected 2 or more");
}

/** Pairs of pictures of this side and texts. */
export function towerPairs(size: number, { augmentation, textLength }: TwoTowers): PlannedDataset {
  const image = { size, codebookSize: 0, augment: augmentOf(augmentation), mask: null };
  const text = { length: textLength, mask: null };
  return { kind: "pair", data: "pairs", build: { kind: "pair", image, text }, negatives: 0 };
}
