/** What evaluation costs at the sizes of the paper's tasks: recall on COCO's test split, and a linear probe of 100 classes. */
import { retrieval } from "../src/evaluators/index.ts";
import { openDevice } from "../src/runtime/index.ts";
import { fitLogistic } from "../src/tasks/index.ts";
import { random, type Tensor } from "../src/tensor/index.ts";
import { figure, peakBytes, say, seconds } from "./measure.ts";

const WIDTH = 768;
const [PICTURES, CAPTIONS] = [5000, 25_000];
const [ROWS, CLASSES] = [10_000, 100];

/** Prints the figures. */
export async function evaluation(threads: number | undefined): Promise<void> {
  const device = await openDevice("cpu", threads ? { threads } : {});
  say(`recall of ${CAPTIONS} captions and ${PICTURES} pictures, both ways`);
  const concepts = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i % PICTURES));
  const [images, texts] = [unitRows(PICTURES, "pictures"), unitRows(CAPTIONS, "captions")];
  const recall = await seconds(() =>
    retrieval(
      device,
      { embeds: images, concepts: concepts(PICTURES) },
      { embeds: texts, concepts: concepts(CAPTIONS) },
    ),
  );
  figure("recall_s", recall);
  figure("recall_peak_mib", peakBytes() / 2 ** 20);

  say(`logistic regression on ${ROWS} × ${WIDTH} of ${CLASSES} classes, C 0.01`);
  const labels = Int32Array.from({ length: ROWS }, (_, i) => i % CLASSES);
  const centres = unitRows(CLASSES, "centres").data;
  const x = unitRows(ROWS, "features").data.map((v, i) => {
    const [row, column] = [Math.floor(i / WIDTH), i % WIDTH];
    return Math.sqrt(WIDTH) * (v + 0.15 * centres[labels[row]! * WIDTH + column]!);
  });
  let iterations = 0;
  const fit = await seconds(async () => {
    const found = await fitLogistic(device, { x, width: WIDTH, labels, classes: CLASSES }, { C: 0.01 });
    iterations = found.iterations;
  });
  figure("logistic_s", fit);
  figure("logistic_iterations", iterations);
}

/** (rows, WIDTH), drawn, of length 1. */
function unitRows(rows: number, name: string): Tensor<"float32"> {
  const rng = random(0, name);
  const data = Float32Array.from({ length: rows * WIDTH }, rng.normal);
  for (let r = 0; r < rows; r++) {
    const row = data.subarray(r * WIDTH, (r + 1) * WIDTH);
    const length = Math.hypot(...row);
    for (let e = 0; e < WIDTH; e++) row[e]! /= length;
  }
  return { dtype: "float32", shape: [rows, WIDTH], data };
}
