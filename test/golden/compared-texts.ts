/** The texts that the tiny models of the compared systems share. */
import { fromNumbers, type Tensor } from "../../src/tensor/index.ts";
import { ints } from "./compared.ts";

const ids = [
  [1, 7, 8, 9, 2, 0],
  [1, 10, 11, 2, 0, 0],
  [1, 12, 13, 14, 15, 2],
];

export const IDS: Tensor = ints(ids);
export const IDS_MASKED: Tensor = ints([
  [1, 7, 3, 9, 2, 0],
  [1, 3, 11, 2, 0, 0],
  [1, 12, 13, 3, 21, 2],
]);
export const MASK: Tensor = fromNumbers(ids.flat().map(Number).map((id) => (id === 0 ? 0 : 1)), [3, 6], "int32");

/** Where words are masked, and which they are. */
export const LABELS: Readonly<Record<"mlm_positions" | "mlm_targets", Tensor>> = {
  mlm_positions: ints([
    [2, 0],
    [1, 0],
    [3, 4],
  ]),
  mlm_targets: ints([
    [8, -100],
    [10, -100],
    [14, 15],
  ]),
};
