import { expect, test } from "vitest";
import { onnxModel } from "../../test/onnx-model.ts";
import { fromNumbers, type Tensor, toNumbers } from "../tensor/index.ts";
import { openEngine } from "./open.ts";
import type { Buffer } from "./session.ts";

test.each(["ort-native", "ort-js"] as const)("%s runs matmul on host tensors and buffers", async (engine) => {
  const e = await openEngine({ engine });
  const s = await e.createSession(
    onnxModel({
      inputs: [
        ["a", "float32", ["m", 2]],
        ["b", "float32", [2, 2]],
      ],
      outputs: [["c", "float32", ["m", 2]]],
      nodes: [{ op: "MatMul", inputs: ["a", "b"], outputs: ["c"] }],
    }),
  );
  const a = fromNumbers([1, 2, 3, 4, 5, 6], [3, 2]);
  const b = fromNumbers([1, 1, 0, 1], [2, 2]);
  const { c } = await s.run({ a, b }, { c: "host" });
  expect(toNumbers(c as Tensor)).toEqual([1, 3, 3, 7, 5, 11]);
  const { c: kept } = await s.run({ a, b: e.upload(b) }, { c: "buffer" });
  expect(toNumbers(await (kept as Buffer).read())).toEqual([1, 3, 3, 7, 5, 11]);
});
