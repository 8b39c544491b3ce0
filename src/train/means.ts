/** Means of metrics between two lines of the log: a joint stage has other losses from step to step, and none is left out. */
import type { Metrics } from "./plan.ts";

/** Running means of metrics. */
export interface Means {
  add(metrics: Metrics): void;
  /** The mean of each metric over the steps that had it, and a new start. */
  take(): Metrics;
  /** What `means` continues from: saved in a checkpoint between two lines of the log. */
  sums(): Sums;
}

/** By name: the sum, and over how many steps. */
export type Sums = Readonly<Record<string, readonly [sum: number, count: number]>>;

/** Sums are kept in the order of the steps, so the same steps give the same means. */
export function means(saved: Sums = {}): Means {
  let sums = new Map(Object.entries(saved));
  return {
    add(metrics) {
      for (const [name, value] of Object.entries(metrics)) {
        const [sum, count] = sums.get(name) ?? [0, 0];
        sums.set(name, [sum + value, count + 1]);
      }
    },
    take() {
      const taken = Object.fromEntries([...sums].map(([name, [sum, count]]) => [name, sum / count]));
      sums = new Map();
      return taken;
    },
    sums: () => Object.fromEntries(sums),
  };
}
