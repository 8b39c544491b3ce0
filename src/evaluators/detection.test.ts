import { describe, expect, it } from "vitest";
import { type Boxed, usablePictures } from "./detection.ts";

const boxed = (key: string, classes: readonly number[]): Boxed => ({
  key,
  image: new Uint8Array(),
  objects: { classes, boxes: classes.flatMap(() => [0.5, 0.5, 1, 1]) },
});

const read = (pictures: readonly Boxed[]) => {
  const bad: string[] = [];
  const onBad = ({ key, reason }: { readonly key: string; readonly reason: string }): void => {
    bad.push(`${key}: ${reason}`);
  };
  return { usable: usablePictures(pictures, { name: "val", labels: 3, onBad }).map(({ key }) => key), bad };
};

describe("held-out pictures with boxes", () => {
  it("are left out and told where the task has not their classes", () => {
    const { usable, bad } = read([boxed("a", [0, 2]), boxed("b", [1, 3]), boxed("c", [])]);
    expect(usable).toEqual(["a", "c"]);
    expect(bad).toEqual(["b: expected classes of 0…2 (the task's labels), got 3"]);
  });

  it("of which none has a box are said to give no precision", () => {
    expect(read([boxed("a", []), boxed("b", [])]).bad).toEqual([
      "val: expected a picture with a box, got none in 2: there is no average precision",
    ]);
  });
});
