/** A single worker: what it would tell the others, it has already. */
import type { Cluster, Memory, Numbers, UnderWay } from "./cluster.ts";

const THERE: UnderWay = { arrive: async () => undefined };

/** The cluster of one process. */
export const oneWorker = (): Cluster => ({
  description: "one process",
  rank: 0,
  size: 1,
  takesAddresses: true,
  allGather: async (all, own) => own && copy(own, all),
  reduceScatter: async (all, own) => copy(all, own),
  allReduce: async () => undefined,
  beginReduceScatter: (all, own) => {
    copy(all, own);
    return THERE;
  },
  beginAllReduce: () => THERE,
  broadcast: async () => undefined,
  barrier: async () => undefined,
  abort: () => process.exit(1),
  close: async () => undefined,
  [Symbol.asyncDispose]: async () => undefined,
});

function copy(from: Memory, to: Memory): void {
  if (ArrayBuffer.isView(from) && ArrayBuffer.isView(to)) to.set(from as Numbers as never);
  else if (from !== to) throw new Error("internal: one worker keeps its sums where they are");
}
