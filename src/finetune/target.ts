/** From labels to what is learned: classes by name, a number, or answers of some worth. */
import { ConfigError, DataError } from "../errors.ts";
import { answerScores } from "../evaluators/index.ts";
import type { Target } from "./problem.ts";

/** What labels are taken for; "auto": numbers where they evidently are. */
export type LabelsAs = "auto" | "classes" | "number" | "answers";

/** What was chosen, and why, for people. */
export interface ChosenTarget {
  readonly target: Target;
  readonly why: string;
}

/** How labels are read. */
export interface TargetOptions {
  readonly as: LabelsAs;
  /** What a number is called. */
  readonly name: string;
  /** The classes where they are known, in their order. */
  readonly classes?: readonly string[] | undefined;
  /** The most answers that are learned: the commonest. */
  readonly answers?: number | undefined;
  /** Whose labels they are, for messages. */
  readonly of?: string | undefined;
}

/** Whole numbers with more values than this are no classes. */
const MANY = 100;

const isNumber = (label: string): boolean => /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(label);

/** How tables write a number that is not there. */
const GAP = /^([+-]?(nan|inf|infinity)|n\/?a|null)$/i;

/** Rows without a number among rows that otherwise have nothing but numbers; none where classes are given. */
export function gapsAmong<T extends { readonly label: string }>(rows: readonly T[], classes?: readonly string[]): T[] {
  const others = rows.filter(({ label }) => !isNumber(label));
  return !classes && others.length < rows.length && others.every(({ label }) => GAP.test(label)) ? others : [];
}

/** "1.0" as "1": tables that had gaps on the way write whole numbers so. Others stay as they are: 1.10 may be a version. */
const withoutPoint = (label: string): string => /^([+-]?\d+)\.0+$/.exec(label)?.[1] ?? label;

/** "1.0" as "1" where both are labels. */
export function wholeNumbers(labels: Iterable<string>): (label: string) => string {
  const known = new Set(labels);
  return (label) => (known.has(withoutPoint(label)) ? withoutPoint(label) : label);
}

/** The target of the labels of training samples. Throws DataError, ConfigError. */
export function chooseTarget(labels: readonly string[], options: TargetOptions): ChosenTarget {
  if (options.as === "answers") return answersOf(labels, options);
  const { as, why } = options.as === "auto" ? evident(labels, options) : { as: options.as, why: "as asked" };
  return as === "number" ? { target: numberOf(labels, options), why } : { ...classesOf(labels, options, why) };
}

const place = ({ of }: TargetOptions): string => (of === undefined ? "" : `${of}: `);

function evident(labels: readonly string[], { classes }: TargetOptions): { as: "classes" | "number"; why: string } {
  if (classes) return { as: "classes", why: "the classes are given" };
  const different = new Set(labels);
  const text = [...different].find((label) => !isNumber(label));
  if (text !== undefined) return { as: "classes", why: `labels such as ${JSON.stringify(text)} are no numbers` };
  const fraction = [...different].find((label) => !Number.isInteger(Number(label)));
  if (fraction !== undefined && different.size > 10)
    return {
      as: "number",
      why: `labels are ${different.size} different numbers, fractions such as ${fraction} among them`,
    };
  if (different.size > MANY) return { as: "number", why: `labels are ${different.size} different numbers` };
  return { as: "classes", why: `labels are only ${different.size} different numbers` };
}

function classesOf(labels: readonly string[], options: TargetOptions, why: string): ChosenTarget {
  const { classes } = options;
  const found = [...new Set(labels)];
  const names = classes ?? found.sort(byName);
  const unknown = found.find((label) => !names.includes(label));
  if (unknown !== undefined)
    throw new DataError(
      `${place(options)}labels: expected one of ${names.slice(0, 12).join(", ")}, got ${JSON.stringify(unknown)}`,
    );
  if (found.length < 2)
    throw new DataError(
      `${place(options)}labels: expected two classes or more, got ${found.length}: ${found.join(", ")}`,
    );
  if (!classes && found.length === labels.length)
    throw new DataError(
      `${place(options)}labels: expected classes with several samples, got ${found.length} labels for ${labels.length} samples, such as ${JSON.stringify(found[0])}`,
      "is it the right column? numbers are learned as numbers where that is asked for",
    );
  return { target: { kind: "classes", names }, why };
}

/** Numbers by size, else by name. */
const byName = (a: string, b: string): number =>
  isNumber(a) && isNumber(b) ? Number(a) - Number(b) : a < b ? -1 : a > b ? 1 : 0;

function numberOf(labels: readonly string[], options: TargetOptions): Target {
  const bad = labels.find((label) => !isNumber(label));
  if (bad !== undefined) throw new DataError(`${place(options)}labels: expected numbers, got ${JSON.stringify(bad)}`);
  const numbers = labels.map(Number);
  const mean = numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
  const scale = Math.sqrt(numbers.reduce((sum, x) => sum + (x - mean) ** 2, 0) / numbers.length);
  if (!(scale > 0))
    throw new DataError(`${place(options)}labels: expected different numbers, got ${numbers[0]} in all samples`);
  return { kind: "number", name: options.name, mean, scale };
}

/** The answers that are worth something most often, ties by name. */
function answersOf(labels: readonly string[], options: TargetOptions): ChosenTarget {
  const { answers: most = 3129 } = options;
  if (!Number.isInteger(most) || most < 2) throw new ConfigError(`answers: expected at least 2, got ${most}`);
  const counts = new Map<string, number>();
  for (const label of labels)
    for (const answer of answerScores(label.split("\n")).keys())
      if (answer !== "") counts.set(answer, (counts.get(answer) ?? 0) + 1);
  const names = [...counts]
    .sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))
    .slice(0, most)
    .map(([answer]) => answer);
  if (names.length < 2)
    throw new DataError(`${place(options)}answers: expected two or more, got ${names.join(", ") || "none"}`);
  return {
    target: { kind: "answers", names },
    why: `the ${names.length.toLocaleString("en-US")} commonest of ${counts.size.toLocaleString("en-US")} answers`,
  };
}

/**
 * A label as batches read it: a number as it stands; a class too, or the class that is the same whole number; answers as "number:score …",
 * those of the list alone.
 */
export function labelReader(target: Target): (label: string) => string {
  if (target.kind === "number") return (label) => label;
  if (target.kind === "classes") {
    const known = new Set(target.names);
    const whole = new Map(target.names.map((name) => [withoutPoint(name), name]));
    return (label) => (known.has(label) ? label : (whole.get(withoutPoint(label)) ?? label));
  }
  const places = new Map(target.names.map((name, i) => [name, i]));
  return (label) =>
    [...answerScores(label.split("\n"))]
      .flatMap(([answer, score]) => (places.has(answer) ? [`${places.get(answer)}:${Number(score.toFixed(6))}`] : []))
      .join(" ");
}
