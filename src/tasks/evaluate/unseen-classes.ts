/** Classes of a test that nothing can have learned. */
import { DataError } from "../../errors.ts";
import type { TaskPlace } from "../layouts/index.ts";

/** Throws DataError where a class of the test has no training sample. */
export function requireClasses({ task, root }: TaskPlace, trained: Iterable<string>, tested: Iterable<string>): void {
  const known = new Set(trained);
  const unseen = [...new Set(tested)].filter((label) => !known.has(label));
  if (unseen.length > 0)
    throw new DataError(
      `task ${task.name}: ${root}: expected training samples for each class of the test, got none for ${unseen.slice(0, 5).join(", ")}${unseen.length > 5 ? ", …" : ""}`,
      "is the training part complete?",
    );
}
