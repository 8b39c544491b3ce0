/** Which classes a fine-tuned model takes for which, as a section of its run's page. */
import { argmaxRows } from "../evaluators/index.ts";
import type { Confusion } from "../record/index.ts";
import type { Outputs } from "./figures.ts";
import { outputsOf, type Target } from "./problem.ts";

/** The most rows that a page shows: with more classes, the commonest of them and the others together. */
const ROWS = 30;

/** The most mistakes that are named. */
const NAMED = 5;

/** The table of a part of the data; undefined where what is learned is no class. */
export function confusionSection(
  part: string,
  target: Target,
  { keys, logits, targets }: Pick<Outputs, "keys" | "logits" | "targets">,
): Confusion | undefined {
  if (target.kind !== "classes") return undefined;
  const whole = counted(argmaxRows(logits, outputsOf(target)), targets, target.names.length);
  const text = [
    `${keys.length.toLocaleString("en-US")} samples of ${part}, with the best checkpoint. A row for each class that is right, a column for each that the model names: on the diagonal it is right.`,
    ...(target.names.length > ROWS ? [`The ${ROWS - 1} commonest of ${target.names.length} classes.`] : []),
    ...mistakesOf(whole, target.names),
  ].join(" ");
  return { kind: "confusion", title: `Mistakes on ${part}`, text, ...shown(whole, target.names) };
}

type Counts = readonly (readonly number[])[];

function counted(said: Int32Array, targets: Float64Array, classes: number): Counts {
  const counts = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (const [i, target] of targets.entries()) counts[target]![said[i]!]!++;
  return counts;
}

const sum = (row: readonly number[]): number => row.reduce((total, n) => total + n, 0);

function shown(counts: Counts, names: readonly string[]): Pick<Confusion, "classes" | "counts"> {
  if (names.length <= ROWS) return { classes: names, counts };
  const order = names.map((_, k) => k).sort((a, b) => sum(counts[b]!) - sum(counts[a]!) || a - b);
  const groups = [...order.slice(0, ROWS - 1).map((k) => [k]), order.slice(ROWS - 1)];
  return {
    classes: groups.map((group, i) => (i < ROWS - 1 ? names[group[0]!]! : "all others")),
    counts: groups.map((rows) =>
      groups.map((columns) => sum(rows.flatMap((row) => columns.map((column) => counts[row]![column]!)))),
    ),
  };
}

function mistakesOf(counts: Counts, names: readonly string[]): string[] {
  const all = counts.flatMap((row, right) =>
    row.flatMap((n, said) =>
      n > 0 && said !== right ? [{ n, text: `${names[right]} for ${names[said]} (${n})` }] : [],
    ),
  );
  if (all.length === 0) return [];
  const most = all.sort((a, b) => b.n - a.n).slice(0, NAMED);
  return [`Taken most often: ${most.map(({ text }) => text).join(", ")}.`];
}
