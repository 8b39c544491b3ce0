/** What `flava doctor` finds, and how it is printed. */
import { FlavaError } from "../../errors.ts";

/** `note`: something is absent that most people need not have. `broken`: flava does not work so. */
export type Status = "ok" | "note" | "warning" | "broken";

/** One thing that was looked at. */
export interface Finding {
  readonly name: string;
  readonly status: Status;
  /** What was found, in one line. */
  readonly found: string;
  /** What to do. */
  readonly help?: string | undefined;
}

const MARKS: Readonly<Record<Status, string>> = { ok: "✓", note: "·", warning: "!", broken: "✗" };

/** Names in one column, what was found in the next, what to do below it. */
export function findingsText(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ name }) => name.length));
  const lines = findings.flatMap(({ name, status, found, help }) => [
    `${MARKS[status]} ${name.padEnd(width)}  ${found}`,
    ...(help === undefined ? [] : [`  ${"".padEnd(width)}  help: ${help}`]),
  ]);
  const count = (status: Status): number => findings.filter((finding) => finding.status === status).length;
  const [broken, warnings] = [count("broken"), count("warning")];
  const said = [broken && `${broken} broken`, warnings && plural(warnings, "warning")].filter(Boolean).join(", ");
  return [...lines, "", said || "everything that flava needs works"].join("\n");
}

const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? "" : "s"}`;

/** A failure as a finding: its first line, and its help. */
export function failed(name: string, status: Status, error: unknown, help?: string): Finding {
  const found = (error instanceof Error ? error.message : String(error)).split("\n")[0]!;
  return { name, status, found, help: (error instanceof FlavaError ? error.help : undefined) ?? help };
}

/** Runs a check; one that fails in a way nobody thought of is a finding, too. */
export async function checked(name: string, check: () => Promise<Finding | Finding[]>): Promise<Finding[]> {
  try {
    return [await check()].flat();
  } catch (error) {
    return [failed(name, "broken", error)];
  }
}
