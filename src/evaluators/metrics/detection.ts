/** Average precision of detections by COCO's definition (pycocotools' COCOeval: boxes of all sizes, 100 detections a picture). */

/** A box: left, top, right, bottom, in any unit that all boxes of a picture share. */
export type Box = readonly [left: number, top: number, right: number, bottom: number];

/** What is in a picture. */
export interface TrueBox {
  readonly class: number;
  readonly box: Box;
}

/** What a model says of a picture. */
export interface FoundBox extends TrueBox {
  readonly score: number;
}

/** One picture. */
export interface DetectedPicture {
  readonly truth: readonly TrueBox[];
  readonly found: readonly FoundBox[];
}

/** Means over the classes that occur. */
export interface DetectionScores {
  /** Mean over the overlaps 0.50, 0.55, …, 0.95. */
  readonly ap: number;
  readonly ap50: number;
  readonly ap75: number;
  /** The most that is found of what there is, mean over the same overlaps. */
  readonly ar100: number;
}

/** Intersections over union from which on a box counts as found. */
const OVERLAPS: readonly number[] = Array.from({ length: 10 }, (_, i) => 0.5 + 0.05 * i);
/** Of a picture and a class, the likeliest so many count. */
const MOST = 100;
/** Recalls at which precision is read. */
const RECALLS: readonly number[] = Array.from({ length: 101 }, (_, i) => i / 100);

/** Undefined where no picture has a box. */
export function detectionScores(pictures: readonly DetectedPicture[]): DetectionScores | undefined {
  const classes = new Set(pictures.flatMap(({ truth }) => truth.map((one) => one.class)));
  if (classes.size === 0) return undefined;
  const curves = [...classes].map((c) => ofClass(pictures, c));
  const mean = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0) / numbers.length;
  const precisionAt = (overlap: number): number => mean(curves.map(({ precision }) => precision[overlap]!));
  return {
    ap: mean(OVERLAPS.map((_, i) => precisionAt(i))),
    ap50: precisionAt(0),
    ap75: precisionAt(5),
    ar100: mean(curves.map(({ recall }) => mean(recall))),
  };
}

interface Match {
  readonly score: number;
  /** Of each overlap, whether it is a box that is there. */
  readonly right: readonly boolean[];
}

/** Average precision and largest recall of one class at each overlap. */
function ofClass(pictures: readonly DetectedPicture[], c: number): { precision: number[]; recall: number[] } {
  let count = 0;
  const matches: Match[] = [];
  for (const { truth, found } of pictures) {
    const own = truth.filter((one) => one.class === c);
    count += own.length;
    const best = byScore(found.filter((one) => one.class === c)).slice(0, MOST);
    const ious = best.map(({ box }) => own.map((one) => iou(box, one.box)));
    const right = OVERLAPS.map((overlap) => matched(ious, overlap));
    for (const [d, { score }] of best.entries()) matches.push({ score, right: right.map((each) => each[d]!) });
  }
  const sorted = byScore(matches);
  const curves = OVERLAPS.map((_, i) =>
    curve(
      sorted.map(({ right }) => right[i]!),
      count,
    ),
  );
  return { precision: curves.map(({ precision }) => precision), recall: curves.map(({ recall }) => recall) };
}

/** The likeliest first; of equal scores the earlier. */
const byScore = <T extends { readonly score: number }>(list: readonly T[]): T[] =>
  [...list].sort((a, b) => b.score - a.score);

/** Whether each detection, in turn, takes a true box: the one that it covers best of those that are left, the last of equal ones. */
function matched(ious: readonly (readonly number[])[], overlap: number): boolean[] {
  const taken = new Set<number>();
  return ious.map((row) => {
    let best = -1;
    let most = Math.min(overlap, 1 - 1e-10);
    for (const [g, value] of row.entries())
      if (!taken.has(g) && value >= most) {
        best = g;
        most = value;
      }
    if (best >= 0) taken.add(best);
    return best >= 0;
  });
}

/** Precision, made to fall as recall rises, at 101 recalls, mean; and the largest recall. */
function curve(right: readonly boolean[], count: number): { precision: number; recall: number } {
  const recalls: number[] = [];
  const precisions: number[] = [];
  let hits = 0;
  for (const [i, one] of right.entries()) {
    if (one) hits++;
    recalls.push(hits / count);
    precisions.push(hits / (i + 1));
  }
  for (let i = precisions.length - 2; i >= 0; i--) precisions[i] = Math.max(precisions[i]!, precisions[i + 1]!);
  let [sum, at] = [0, 0];
  for (const wanted of RECALLS) {
    while (at < recalls.length && recalls[at]! < wanted) at++;
    if (at < recalls.length) sum += precisions[at]!;
  }
  return { precision: sum / RECALLS.length, recall: recalls.at(-1) ?? 0 };
}

/** Intersection over union. */
function iou(a: Box, b: Box): number {
  const side = (i: 0 | 1): number => Math.max(0, Math.min(a[i + 2]!, b[i + 2]!) - Math.max(a[i]!, b[i]!));
  const area = ([left, top, right, bottom]: Box): number => (right - left) * (bottom - top);
  const shared = side(0) * side(1);
  return shared === 0 ? 0 : shared / (area(a) + area(b) - shared);
}
