/** Batches of detection: whole pictures, and the boxes of what is in them. */
import { DataError } from "../../errors.ts";
import { type Field, rowOf } from "./rows.ts";
import type { ObjectBuild, Part } from "./types.ts";

/** What stands for no object. */
const NONE = -1;

/** `box_classes` int32 (B, N), −1 where there is no object, and `boxes` (B, N, 4): centre, width and height as shares. */
export function objectFields({ most, classes }: ObjectBuild): Part {
  const classField: Field = { name: "box_classes", dtype: "int32", shape: [most] };
  const boxField: Field = { name: "boxes", dtype: "float32", shape: [most, 4] };
  const encode: Part["encode"] = ({ key, objects }, _pixels, rows, row) => {
    if (objects === undefined) throw new DataError(`${key}: expected the boxes of what is in the picture, got none`);
    const count = objects.classes.length;
    if (count > most)
      throw new DataError(`${key}: expected ${most} objects at most (the task's queries), got ${count}`);
    const wrong = objects.classes.find((c) => !(Number.isInteger(c) && c >= 0 && c < classes));
    if (wrong !== undefined)
      throw new DataError(`${key}: expected classes of 0…${classes - 1} (the task's labels), got ${wrong}`);
    rowOf<Int32Array>(rows, classField, row).fill(NONE).set(objects.classes);
    rowOf<Float32Array>(rows, boxField, row).fill(0).set(objects.boxes);
  };
  return { fields: [classField, boxField], encode };
}
