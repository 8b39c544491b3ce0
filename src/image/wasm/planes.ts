/** Bytes to float planes by the kernel, some thousand pixels at a time. */
import { openKernel, reserve } from "./instance.ts";
import { PIXELS_AT, PLANE_PIXELS, PLANES_AT, TABLES_AT } from "./kernel.ts";

/** Fills `planes` as toPlanes says, or gives false where WebAssembly is missing or forbidden. */
export function simdPlanes(data: Uint8Array, table: readonly Float32Array[], planes: Float32Array): boolean {
  const kernel = openKernel();
  if (!kernel) return false;
  const memory = reserve(kernel, PLANES_AT + 12 * PLANE_PIXELS);
  const numbers = new Float32Array(memory.buffer);
  for (const [c, values] of table.entries()) numbers.set(values, TABLES_AT / 4 + c * 256);
  const plane = planes.length / 3;
  for (let start = 0; start < plane; start += PLANE_PIXELS) {
    const count = Math.min(PLANE_PIXELS, plane - start);
    memory.set(data.subarray(start * 3, (start + count) * 3), PIXELS_AT);
    kernel.planes(count);
    for (let c = 0; c < 3; c++) {
      const from = PLANES_AT / 4 + c * PLANE_PIXELS;
      planes.set(numbers.subarray(from, from + count), c * plane + start);
    }
  }
  return true;
}
