import { expect, it } from "vitest";
import { captionsOf } from "./captions.ts";

it("captionsOf puts each label into each template as it is written, whatever signs it has", () => {
  expect(captionsOf(["$& $1", "dog"], ["{}", "a {}, a {}"])).toEqual([
    "$& $1",
    "a $& $1, a $& $1",
    "dog",
    "a dog, a dog",
  ]);
});
