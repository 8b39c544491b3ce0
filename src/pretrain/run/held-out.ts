/** The held-out data of a run: sets of pairs, labelled images and texts, each read when it is first asked for. */
import type { DataSpec } from "../../datasets/index.ts";
import { boxedSet, labelledSet, once, type PairSet, pairSet } from "../../evaluators/index.ts";
import type { HeldOut } from "../stages/stage.ts";
import { modelOf } from "../tables.ts";
import type { RunContext } from "./context.ts";
import { uncaptionedWords } from "./uncaptioned-words.ts";

type Spec = string | DataSpec;

/** Opens nothing yet: each set is read when it is first asked for. */
export function heldOut({ recipe, sources, signal, onBad, tables }: RunContext): HeldOut {
  const { validation, test, labelled, texts, boxes, maxPairs } = recipe.evaluation;
  const captionless = recipe.data.pairs.length === 0;
  const regions = modelOf(tables, recipe).regions !== undefined;
  const sets = (specs: Readonly<Record<string, Spec>>): Record<string, PairSet> =>
    Object.fromEntries(
      Object.entries(specs).map(([name, spec]) => [
        name,
        pairSet(() => sources.open(spec), { maxPairs, signal, onBad, captionless, regions }),
      ]),
    );
  const images = (spec: Spec) => labelledSet(() => sources.open(spec), { max: maxPairs, signal, onBad });
  const all = (specs: readonly Spec[]) => () => Promise.all(specs.map((spec) => sources.open(spec)));
  return {
    validation: sets(validation),
    test: sets(test),
    labelled: labelled ? { train: images(labelled.train), test: images(labelled.test) } : undefined,
    boxes: Object.fromEntries(
      Object.entries(boxes).map(([name, spec]) => [
        name,
        boxedSet(() => sources.open(spec), { max: maxPairs, signal, onBad }),
      ]),
    ),
    texts: all(texts),
    trainingTexts: () => Promise.all(recipe.data.texts.map(sources.training)),
    maxTexts: maxPairs,
    words: once(() => uncaptionedWords(recipe, sources, signal)),
    onBad,
  };
}
