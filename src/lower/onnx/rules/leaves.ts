/** Leaves, and the collectives, which are nothing on one worker. */
import { EngineError } from "../../../errors.ts";
import type { Rules } from "../rule.ts";

const collective = (
  _: unknown,
  value: { op: string },
  [x]: readonly string[],
  { workers }: { workers: number },
): string => {
  if (workers === 1) return x!;
  throw new EngineError(
    `${value.op}: not lowered: ${workers} workers take part`,
    "cut the program at its collectives; the transport between workers runs them",
  );
};

export const leaves: Rules<"input" | "constant" | "allGather" | "reduceScatter" | "allReduce"> = {
  input: (_, __, ___, { name }) => name,
  constant: (e, _, __, { value, dtype }) =>
    e.constant(
      value.dtype === dtype
        ? value
        : { ...value, dtype: "float32", data: Float32Array.from(value.data as Float64Array) },
    ),
  allGather: collective,
  reduceScatter: collective,
  allReduce: collective,
};
