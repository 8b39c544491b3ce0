/** What makes a run again: its command, or its commands where it went on with other values. */
import type { RunInfo } from "../record/index.ts";

export interface Repeat {
  /** A line each, in order. Going on unchanged gives the same bits, so such commands are left out. */
  readonly commands: string;
  /** `after step 44 of joint: stages.joint.steps: was 200, now 60`. */
  readonly changes: readonly string[];
}

export function repeatOf({ command, history = [] }: Pick<RunInfo, "command" | "history">): Repeat {
  const changed = history
    .map(({ changes, ...rest }) => ({ ...rest, changes: changes.filter((line) => !line.startsWith("mayChange:")) }))
    .filter(({ changes }) => changes.length > 0);
  return {
    commands: [command, ...changed.map((resumed) => resumed.command)].join("\n"),
    changes: changed.flatMap(({ stage, step, changes }) =>
      changes.map((line) => `after step ${step} of ${stage}: ${line}`),
    ),
  };
}
