import { expect, it } from "vitest";
import { CheckpointError, DataError } from "../../errors.ts";
import { withWayOut } from "./tune.ts";

it("a run that was begun and cannot go on is named, with the way to begin anew; other errors stay as they are", () => {
  const found = withWayOut(
    new CheckpointError("checkpoint-180: expected the tensors of this model"),
    "out/runs/x",
  ) as Error;
  expect(found).toBeInstanceOf(CheckpointError);
  expect(found.message).toMatch(
    /cannot go on: checkpoint-180: .*\n {2}help: remove out\/runs\/x to begin its fine-tuning anew/,
  );
  const other = new DataError("no samples");
  expect(withWayOut(other, "out/runs/x")).toBe(other);
});
