/** Progress for the person watching a run. The loop calls this interface; the command line prints. */

export interface RunReporter {
  /** Something is about to be done that takes a while, or happened: a line of its own. */
  note(line: string): void;
  /** A stage begins at step `done` of `steps`. */
  begin(stage: string, steps: number, done: number): void;
  /** Step `step` is done; `text` says how it goes. */
  step(step: number, text: string): void;
  end(): void;
}

/** Says nothing. */
export const silentReporter: RunReporter = {
  note: () => undefined,
  begin: () => undefined,
  step: () => undefined,
  end: () => undefined,
};

/** The newest value of each loss of a stage, beside what a guess would score, as one line. */
export interface LossBoard {
  /** Takes in the metrics of a step; resolves to the line. */
  update(metrics: Readonly<Record<string, number>>): string;
}

/**
 * A board of the losses (not accuracies, `itm/accuracy`) that have a chance level, the rate and the share of time without data. A joint stage has other
 * losses from step to step; the board shows the newest of each. `samples_per_second` and `time/data` are shown if logged.
 */
export function lossBoard(chance: Readonly<Record<string, number>>): LossBoard {
  const newest = new Map<string, number>();
  return {
    update(metrics) {
      for (const [name, value] of Object.entries(metrics)) newest.set(name, value);
      const losses = Object.entries(chance).flatMap(([name, level]) => {
        const value = newest.get(name);
        return value === undefined || name.includes("/")
          ? []
          : [`${name} ${value.toFixed(2)} (chance ${level.toFixed(2)})`];
      });
      const loss = newest.get("loss");
      if (losses.length === 0 && loss !== undefined) losses.push(`loss ${loss.toPrecision(4)}`);
      const rate = newest.get("samples_per_second");
      if (rate !== undefined) losses.push(`${rate < 10 ? rate.toFixed(1) : Math.round(rate)} samples/s`);
      const waiting = newest.get("time/data");
      if (waiting !== undefined) losses.push(`data wait ${(100 * waiting).toFixed(0)} %`);
      return losses.join(", ");
    },
  };
}
