/**
 * What a step takes on workers that are not here: the arithmetic of one of them at a speed that was measured, then its messages.
 * The times add up: what of the sums travels beside the backward pass is not taken off.
 */

/** What one of `workers` workers does in a step, a mean over the kinds of batches. */
export interface Work {
  readonly workers: number;
  /** Floating-point operations. */
  readonly flops: number;
  /** Bytes that it sends. */
  readonly sent: number;
  /** Collectives, one after the other. */
  readonly messages: number;
  /** The share of the parameters that it updates. */
  readonly updated: number;
}

/** How long a worker computes: a time that no share of the batch makes shorter, which is that of the update, and one for each operation. */
export interface Machine {
  /** Seconds. */
  readonly fixed: number;
  /** Floating-point operations a second. */
  readonly speed: number;
}

export interface Network {
  /** Bytes a second that a machine sends. */
  readonly bandwidth: number;
  /** Seconds until a message has arrived. */
  readonly latency: number;
  /** Workers that share a machine's connection. */
  readonly perMachine: number;
}

/** Seconds of a step, and where they go. */
export interface Prediction {
  readonly workers: number;
  readonly step: number;
  /** A worker's share of what one worker alone computes. */
  readonly shared: number;
  /** What every worker computes again: the update of small parameters, logits of the whole batch. */
  readonly repeated: number;
  readonly transfer: number;
  readonly waiting: number;
  /** Time of one worker alone, over time on all × their number. */
  readonly efficiency: number;
  /** What costs most beside the shared work; "nothing" for one worker. */
  readonly bottleneck: "repeated" | "transfer" | "waiting" | "nothing";
}

/** Where the workers are. */
export interface Place {
  /** A worker's speed beside the others of its machine. */
  readonly machine: Machine;
  /** That of a worker with no other on its machine; the same unless said. */
  readonly lone?: Machine | undefined;
  readonly network: Network;
}

/** The step of each of `works`, against that of one worker alone. */
export function predict(
  alone: Work,
  works: readonly Work[],
  { machine, lone = machine, network }: Place,
): Prediction[] {
  return works.map((work) => {
    const here = work.workers === 1 ? lone : machine;
    const shared = seconds(alone, here) / work.workers;
    const repeated = Math.max(0, seconds(work, here) - shared);
    const { transfer, waiting } = messages(work, network);
    const step = shared + repeated + transfer + waiting;
    const costs = { repeated, transfer, waiting };
    const [most, cost] = Object.entries(costs).reduce((a, b) => (b[1] > a[1] ? b : a));
    const bottleneck = cost > 0 ? (most as keyof typeof costs) : "nothing";
    return {
      workers: work.workers,
      step,
      shared,
      ...costs,
      efficiency: seconds(alone, lone) / (work.workers * step),
      bottleneck,
    };
  });
}

const seconds = ({ flops, updated }: Work, { fixed, speed }: Machine): number => fixed * updated + flops / speed;

/** Workers of one machine share its connection; a collective takes a round out and one back between halves of the machines. */
function messages(
  { workers, sent, messages: count }: Work,
  { bandwidth, latency, perMachine }: Network,
): { readonly transfer: number; readonly waiting: number } {
  const sharing = Math.min(workers, perMachine);
  return { transfer: (sent * sharing) / bandwidth, waiting: count * 2 * Math.ceil(Math.log2(workers)) * latency };
}
