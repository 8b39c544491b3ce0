/** A training run on the terminal: notes, and a progress line a stage. */
import type { RunReporter } from "../pretrain/run/reporter.ts";
import type { Io } from "./command.ts";
import type { Progress } from "./progress.ts";

/** Prints through the command's own progress line: rewritten on a terminal, a line an interval in a pipe. */
export function consoleReporter(io: Pick<Io, "note" | "progress">): RunReporter {
  let progress: Progress | undefined;
  const end = (): void => {
    progress?.end();
    progress = undefined;
  };
  return {
    note: (line) => (progress ? progress.note(line) : io.note(line)),
    begin(stage, steps, done) {
      end();
      progress = io.progress({ label: stage, unit: "steps", total: steps, start: done });
    },
    step: (step, text) => progress?.update(step, text),
    end,
  };
}
