/** Means of metrics between two lines of the log: a joint stage has other losses from step to step, and none is left out. */
import type { Metrics } from "./stage.ts";

export interface Means {
  add(metrics: Metrics): void;
  /** The mean of each metric over the steps that had it, and a new start. */
  take(): Metrics;
}

/** Sums are kept in the order of the steps, so the same steps give the same means. */
export function means(): Means {
  let sums = new Map<string, { sum: number; count: number }>();
  return {
    add(metrics) {
      for (const [name, value] of Object.entries(metrics)) {
        const known = sums.get(name) ?? { sum: 0, count: 0 };
        sums.set(name, { sum: known.sum + value, count: known.count + 1 });
      }
    },
    take() {
      const taken = Object.fromEntries([...sums].map(([name, { sum, count }]) => [name, sum / count]));
      sums = new Map();
      return taken;
    },
  };
}
