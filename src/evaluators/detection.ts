/** The evaluator of boxes: COCO's average precision on held-out pictures. */
import { batches, createRunner, hasParameters } from "../api/index.ts";
import type { BadSample, Objects, Source } from "../data/index.ts";
import { toNumbers } from "../tensor/index.ts";
import { type EvaluationContext, type Evaluator, once } from "./evaluator.ts";
import { builtFeeds } from "./feeds.ts";
import { type Box, type DetectedPicture, detectionScores, type FoundBox } from "./metrics/detection.ts";
import { type ReadOptions, readImages } from "./pair-set.ts";

/** A held-out picture with what is in it. */
export interface Boxed {
  readonly key: string;
  readonly image: Uint8Array;
  readonly objects: Objects;
}

/** A set that is read when first asked for. */
export type BoxedSet = () => Promise<readonly Boxed[]>;

/** The first good samples of a source with boxes. Throws DataError where there is none. */
export const boxedSet = (open: () => Promise<Source>, options: ReadOptions): BoxedSet =>
  once(async () =>
    readImages(await open(), options, ({ key, image, objects }): Boxed | string =>
      objects === undefined ? "the boxes of what is in the picture are missing" : { key, image, objects },
    ),
  );

export interface DetectionOptions {
  /** The set's; metrics start with it. */
  readonly name: string;
  readonly pictures: BoxedSet;
  /** The task of the model that finds boxes. */
  readonly task: string;
  readonly onBad?: ((bad: BadSample) => void) | undefined;
}

/** Pictures whose classes the task has. The others are told to `onBad`, and so is a set without a box. */
export function usablePictures(
  pictures: readonly Boxed[],
  { name, labels, onBad }: Pick<DetectionOptions, "name" | "onBad"> & { readonly labels: number },
): readonly Boxed[] {
  const usable = pictures.filter(({ key, objects }) => {
    const wrong = objects.classes.find((c) => c >= labels);
    const reason = `expected classes of 0…${labels - 1} (the task's labels), got ${wrong}`;
    if (wrong !== undefined) onBad?.({ source: name, key, reason });
    return wrong === undefined;
  });
  const reason = `expected a picture with a box, got none in ${usable.length}: there is no average precision`;
  if (!usable.some(hasBoxes)) onBad?.({ source: name, key: name, reason, kept: true });
  return usable;
}

/**
 * `ap`, `ap50`, `ap75`, `ar100` (see metrics/detection.ts): each query's likeliest class but "none", with its box. A picture with a class
 * that the task has not is left out and told to `onBad`. Where no picture has a box nothing is yielded, and `onBad` is told once. Undefined
 * where the model has no such task or no weights of it.
 */
export function createDetection(context: EvaluationContext, options: DetectionOptions): Evaluator | undefined {
  const { model, device, state, batchSize, signal: own } = context;
  const { name, pictures, task, onBad } = options;
  const detection = model.detection;
  const labels = detection?.labels[task];
  if (!detection || labels === undefined || !hasParameters(state, detection.graph(task, 1))) return undefined;
  const size = model.pictures!.size;
  const build = { kind: "image", image: { size, codebookSize: 0, augment: null, mask: null } } as const;
  const open = () => createRunner(device, detection.graph(task, batchSize), batchSize, { state });
  let runner: ReturnType<typeof open> | undefined;
  let usable: readonly Boxed[] | undefined;
  return {
    name,
    async *run(_step, signal = own) {
      runner ??= open();
      usable ??= usablePictures(await pictures(), { name, labels, onBad });
      if (!usable.some(hasBoxes)) return;
      const all: DetectedPicture[] = [];
      for (const [, part] of batches(usable, batchSize)) {
        const { scores, boxes } = await runner.run(await builtFeeds(build, { signal }, part), signal);
        const [said, places] = [toNumbers(scores!), toNumbers(boxes!)];
        const Q = scores!.shape[1]!;
        for (const [i, { objects }] of part.entries())
          all.push({
            truth: trueBoxes(objects),
            found: Array.from({ length: Q }, (_, q) => foundBox(said, places, i * Q + q, labels)),
          });
      }
      yield* Object.entries(detectionScores(all)!);
    },
    dispose: () => runner?.dispose(),
  };
}

const hasBoxes = ({ objects }: Boxed): boolean => objects.classes.length > 0;

const corners = ([x, y, w, h]: readonly number[]): Box => [x! - w! / 2, y! - h! / 2, x! + w! / 2, y! + h! / 2];

const trueBoxes = ({ classes, boxes }: Objects) =>
  classes.map((c, i) => ({ class: c, box: corners(boxes.slice(4 * i, 4 * i + 4)) }));

/** What query number `row` says: the likeliest of `labels` classes, "none" behind them. */
function foundBox(scores: readonly number[], boxes: readonly number[], row: number, labels: number): FoundBox {
  const own = scores.slice(row * (labels + 1), row * (labels + 1) + labels);
  const score = Math.max(...own);
  return { class: own.indexOf(score), score, box: corners(boxes.slice(4 * row, 4 * row + 4)) };
}
