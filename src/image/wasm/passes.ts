/** Both passes of resampling by the kernel. A picture goes through its memory a few rows at a time, so that they stay in the caches. */
import { type Plan, rowsRead, type View } from "../passes.ts";
import { type Kernel, MAX_BYTES, openKernel, reserve } from "./instance.ts";

/** About the rows that are copied in together; at least four. */
const BAND_BYTES = 2 ** 15;
/** The kernel reads and writes whole vectors, hence beyond an end. */
const SLACK = 16;

/** Where a plan's things lie. `strip` holds the rows between the passes. */
interface Place extends Plan {
  readonly strip: number;
  readonly stripStride: number;
  readonly acrossTape: number;
  readonly downTape: number;
}

interface Layout {
  readonly first: number;
  readonly rows: number;
  readonly band: number;
  readonly bandRows: number;
  readonly out: number;
  readonly places: readonly Place[];
  readonly bytes: number;
}

/**
 * The same as plainPasses, or undefined where WebAssembly SIMD is missing or forbidden, or the memory would not do. Throws EngineError
 * when the system gives no memory.
 */
export function simdPasses(view: View, plans: readonly Plan[]): Uint8Array<ArrayBuffer>[] | undefined {
  const kernel = openKernel();
  if (!kernel) return undefined;
  const layout = layOut(view, plans);
  if (layout.bytes > MAX_BYTES) return undefined;
  const memory = reserve(kernel, layout.bytes);
  const words = new Int32Array(memory.buffer);
  for (const { across, down, acrossTape, downTape } of layout.places) {
    if (across) words.set(across.tape, acrossTape / 4);
    if (down) words.set(down.tape, downTape / 4);
  }
  fillStrips(kernel, memory, view, layout);
  return layout.places.map((place) => finish(kernel, memory, place, layout));
}

function layOut(view: View, plans: readonly Plan[]): Layout {
  let end = 0;
  const take = (size: number): number => {
    const start = end;
    end += roundUp(size + SLACK, 16);
    return start;
  };
  const { first, count: rows } = rowsRead(view, plans);
  const bandRows = Math.min(roundUp(Math.ceil(BAND_BYTES / view.stride), 4), roundUp(rows, 4));
  const band = take(bandRows * view.stride);
  const places = plans.map((plan) => {
    const stripStride = roundUp(plan.width * 3 + SLACK, 16);
    return {
      ...plan,
      strip: take((roundUp(rows, 4) + 1) * stripStride),
      stripStride,
      acrossTape: take(plan.across?.tape.byteLength ?? 0),
      downTape: take(plan.down?.tape.byteLength ?? 0),
    };
  });
  const out = take(Math.max(...plans.map(({ width, height }) => width * height * 3)));
  return { first, rows, band, bandRows, out, places, bytes: end };
}

const roundUp = (size: number, step: number): number => Math.ceil(size / step) * step;

/** The horizontal passes. */
function fillStrips(kernel: Kernel, memory: Uint8Array, view: View, layout: Layout): void {
  const { data, offset, stride, width } = view;
  const { first, rows, band, bandRows, places } = layout;
  const start = offset + first * stride;
  for (let y = 0; y < rows; y += bandRows) {
    const size = (Math.min(bandRows, rows - y) - 1) * stride + width * 3;
    memory.set(data.subarray(start + y * stride, start + y * stride + size), band);
    for (const { across, acrossTape, strip, stripStride } of places)
      for (let row = 0; row < bandRows && y + row < rows; row += 4) {
        const target = strip + (y + row) * stripStride;
        const source = band + row * stride;
        if (across) kernel.columns(source, stride, target, stripStride, acrossTape, across.outputs);
        else
          for (let i = 0; i < 4; i++)
            memory.copyWithin(target + i * stripStride, source + i * stride, source + i * stride + width * 3);
      }
  }
}

/** The vertical pass, and the result out of the kernel's memory. */
function finish(kernel: Kernel, memory: Uint8Array, place: Place, { first, out }: Layout): Uint8Array<ArrayBuffer> {
  const { width, height, down, downTape, strip, stripStride } = place;
  const row = width * 3;
  if (down) {
    kernel.rows(strip - first * stripStride, stripStride, out, row, downTape, height, Math.ceil(row / 16));
    return memory.slice(out, out + height * row) as Uint8Array<ArrayBuffer>;
  }
  const data = new Uint8Array(height * row);
  for (let y = 0; y < height; y++) {
    const from = strip + (y - first) * stripStride;
    data.set(memory.subarray(from, from + row), y * row);
  }
  return data;
}
