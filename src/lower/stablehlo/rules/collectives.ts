/** Collectives between the replicas of one program; nothing on one worker. */
import type { Rules } from "../rule.ts";
import type { Attributes, Ref, Region, Writer } from "../writer.ts";

/** All workers in one group. */
function groups(workers: number): Attributes {
  const ids = Array.from({ length: workers }, (_, i) => i).join(", ");
  return { replica_groups: `dense<[[${ids}]]> : tensor<1x${workers}xi64>` };
}

function adding({ dtype }: Ref): Region {
  const element = { shape: [], dtype };
  const body = (w: Writer, [a, b]: readonly Ref[]): Ref[] => [w.each("add", a!, b!)];
  return { parameters: [element, element], body };
}

export const collectives: Rules<"allGather" | "reduceScatter" | "allReduce"> = {
  allGather: (w, value, [x], { workers }) =>
    workers === 1 ? x! : w.op("all_gather", [x!], value, { all_gather_dim: "0 : i64", ...groups(workers) }),
  reduceScatter: (w, value, [x], { workers }) =>
    workers === 1
      ? x!
      : w.op("reduce_scatter", [x!], value, { scatter_dimension: "0 : i64", ...groups(workers) }, adding(x!)),
  allReduce: (w, value, [x], { workers }) =>
    workers === 1 ? x! : w.op("all_reduce", [x!], value, groups(workers), adding(x!)),
};
