/** Turns a schema's complaints into messages that name the nearest key or value. */
import { z } from "zod";
import { nearest } from "../../tensor/index.ts";
import { keysAt, type Path } from "./walk.ts";

type Issue = z.core.$ZodIssue;

/** One line a problem, `✖ message → at path`. `value` is what was checked. */
export function describeIssues(schema: z.core.$ZodType, value: unknown, issues: readonly Issue[]): string {
  const plain = issues.flatMap((issue) => simplify(schema, value, issue, []));
  return z.prettifyError({
    issues: plain.map(({ path, message }) => ({ code: "custom", path, message, input: undefined })),
  });
}

interface Plain {
  readonly path: PropertyKey[];
  readonly message: string;
}

function simplify(schema: z.core.$ZodType, value: unknown, issue: Issue, prefix: Path): Plain[] {
  const path = [...prefix, ...issue.path];
  if (issue.code === "unrecognized_keys")
    return issue.keys.map((key) => ({
      path,
      message: `unknown key "${key}": ${nearest(key, keysAt(schema, value, path))}`,
    }));
  if (issue.code === "invalid_union") {
    const branch = closest(issue.errors);
    if (branch) return branch.flatMap((inner) => simplify(schema, value, inner, path));
    const got = JSON.stringify(path.reduce(childOf, value));
    const options = "options" in issue && Array.isArray(issue.options) ? issue.options.map(String) : [];
    return [
      {
        path,
        message: `expected ${options.length > 0 ? `one of ${options.join(", ")}` : "another value"}, got ${got ?? "nothing"}`,
      },
    ];
  }
  if (issue.code === "invalid_value") {
    const got = path.reduce(childOf, value);
    const values = issue.values.map(String);
    const near = typeof got === "string" ? nearest(got, values) : "";
    const hint = near.startsWith("did you mean") ? ` (${near})` : ""; // the known ones are named already
    return [
      {
        path,
        message: `expected ${values.length > 1 ? "one of " : ""}${values.join(", ")}, got ${JSON.stringify(got) ?? "nothing"}${hint}`,
      },
    ];
  }
  if (issue.code === "invalid_type") {
    const got = path.reduce(childOf, value);
    return [{ path, message: `expected ${KINDS[issue.expected] ?? issue.expected}, got ${brief(got)}` }];
  }
  return [{ path, message: issue.message }];
}

/** What a person calls the types of the schema. */
const KINDS: Readonly<Partial<Record<string, string>>> = {
  number: "a number",
  int: "a whole number",
  string: "a text",
  boolean: "true or false",
  array: "a list",
  object: "keys and values",
  record: "keys and values",
};

const brief = (value: unknown): string => {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
};

const childOf = (value: unknown, key: PropertyKey): unknown =>
  (value as Record<PropertyKey, unknown> | undefined)?.[key];

/** The complaints of the branch that fits best: one that did not already fail at the top. */
function closest(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  return (
    branches.find((issues) => issues.some((issue) => issue.path.length > 0 || issue.code === "unrecognized_keys")) ??
    branches[0]
  );
}
