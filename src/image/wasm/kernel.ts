/**
 * The inner loops of the image path as WebAssembly, because plain loops took half of all the time that a picture needs: integers, which are the
 * same in Node and in every browser, tested against the plain TypeScript that defines them (passes.ts, normalize.ts).
 *
 * Resampling is SIMD. A weight w is split as 2¹¹·high + low, two 16-bit halves, so that one `dot` multiplies and adds eight of them. Both sums are
 * kept modulo 2³², as in passes.ts, hence equal to the bit. tape.ts describes the order in which weights are read.
 */
import { PRECISION_BITS } from "../filters.ts";
import { type Code, i8x16, i16x8, i32, i32x4, type Local, repeat, v128 } from "./instructions.ts";
import { type Func, func, type Scope } from "./module.ts";
import { LOW_BITS } from "./tape.ts";

const { add, mul } = i32;
const { dot } = i32x4;
const number = i32.const;
const advance = (pointer: Local, bytes: Code): Code => pointer.set(add(pointer.get, bytes));

/** Four sums of four lanes, which become 16 bytes. */
interface Sums {
  readonly clear: Code;
  /** Adds two neighbouring inputs, each times its weight, to the i-th sum. */
  add(i: number, inputs: Code, weights: Weights): Code;
  readonly bytes: Code;
}

/** Halves of two neighbouring weights, in all lanes. */
interface Weights {
  readonly high: Local;
  readonly low: Local;
  load(tape: Code, offset: number): Code;
}

function weightPair(scope: Scope): Weights {
  const [high, low] = [scope.local("v128"), scope.local("v128")];
  const load = (tape: Code, offset: number): Code => [
    ...high.set(v128.load32Splat(tape, offset)),
    ...low.set(v128.load32Splat(tape, offset + 4)),
  ];
  return { high, low, load };
}

function fourSums(scope: Scope): Sums {
  const sums = [0, 1, 2, 3].map(() => ({ high: scope.local("v128"), low: scope.local("v128") }));
  const zero = i32x4.splat(number(0));
  const half = i32x4.splat(number(1 << (PRECISION_BITS - 1)));
  const [a, b, c, d] = sums.map(({ high, low }) =>
    i32x4.shrS(i32x4.add(i32x4.shl(high.get, number(LOW_BITS)), low.get), number(PRECISION_BITS)),
  );
  return {
    clear: sums.flatMap(({ high, low }) => [...high.set(zero), ...low.set(half)]),
    add: (i, inputs, weights) => {
      const { high, low } = sums[i]!;
      return [
        ...high.set(i32x4.add(high.get, dot(inputs, weights.high.get))),
        ...low.set(i32x4.add(low.get, dot(inputs, weights.low.get))),
      ];
    },
    bytes: i8x16.narrowU(i16x8.narrowS(a!, b!), i16x8.narrowS(c!, d!)),
  };
}

const ZERO = 0x80;
/** R, G and B of two pixels side by side, as 16-bit lanes; the last pair of lanes stays 0. */
const pixelPair = (first: number): Code =>
  v128.const([0, 3, 1, 4, 2, 5].flatMap((byte) => [first + byte, ZERO]).concat(ZERO, ZERO, ZERO, ZERO));

/**
 * columns(source, stride, out, outStride, tape, outputs): the horizontal pass of four rows. Reads up to three pixels and four bytes
 * more than a row has, writes one byte more.
 */
const columns: Func = func("columns", (scope) => {
  const [source, stride, out, outStride] = [scope.param(), scope.param(), scope.param(), scope.param()];
  const [tape, outputs] = [scope.param(), scope.param()];
  const [quads, target] = [scope.local("i32"), scope.local("i32")];
  const rows = [0, 1, 2, 3].map(() => scope.local("i32"));
  const [pixels, near, far, sums] = [scope.local("v128"), weightPair(scope), weightPair(scope), fourSums(scope)];
  const lanes = scope.local("v128");
  return [
    repeat(
      outputs,
      rows[0]!.set(add(source.get, mul(i32.load(tape.get), number(3)))),
      ...rows.slice(1).map((row, i) => row.set(add(rows[i]!.get, stride.get))),
      quads.set(i32.shrU(add(i32.load(tape.get, 4), number(1)), number(1))),
      advance(tape, number(8)),
      sums.clear,
      repeat(
        quads,
        near.load(tape.get, 0),
        far.load(tape.get, 8),
        ...rows.flatMap((row, i) => [
          pixels.set(v128.load(row.get)),
          sums.add(i, i8x16.swizzle(pixels.get, pixelPair(0)), near),
          sums.add(i, i8x16.swizzle(pixels.get, pixelPair(6)), far),
          advance(row, number(12)),
        ]),
        advance(tape, number(16)),
      ),
      lanes.set(sums.bytes),
      target.set(out.get),
      ...rows.flatMap((_, i) => [v128.store32Lane(target.get, lanes.get, i), advance(target, outStride.get)]),
      advance(out, number(3)),
    ),
  ];
});

const BYTES = Array.from({ length: 8 }, (_, i) => i);

/**
 * rows(source, stride, out, outStride, tape, outputs, blocks): the vertical pass, `blocks` times 16 bytes wide. Reads up to one row more than
 * the weights ask for.
 */
const rows: Func = func("rows", (scope) => {
  const [source, stride, out, outStride] = [scope.param(), scope.param(), scope.param(), scope.param()];
  const [tape, outputs, blocks] = [scope.param(), scope.param(), scope.param()];
  const [top, pairs, target, left] = [scope.local("i32"), scope.local("i32"), scope.local("i32"), scope.local("i32")];
  const [row, weights, count] = [scope.local("i32"), scope.local("i32"), scope.local("i32")];
  const [above, below, low, high] = [
    scope.local("v128"),
    scope.local("v128"),
    scope.local("v128"),
    scope.local("v128"),
  ];
  const [pair, sums] = [weightPair(scope), fourSums(scope)];
  const interleave = (start: number): Code =>
    i8x16.shuffle(
      above.get,
      below.get,
      BYTES.flatMap((byte) => [start + byte, start + byte + 16]),
    );
  return [
    repeat(
      outputs,
      top.set(add(source.get, mul(i32.load(tape.get), stride.get))),
      pairs.set(i32.load(tape.get, 4)),
      advance(tape, number(8)),
      target.set(out.get),
      left.set(blocks.get),
      repeat(
        left,
        row.set(top.get),
        weights.set(tape.get),
        count.set(pairs.get),
        sums.clear,
        repeat(
          count,
          pair.load(weights.get, 0),
          above.set(v128.load(row.get)),
          below.set(v128.load(add(row.get, stride.get))),
          low.set(interleave(0)),
          high.set(interleave(8)),
          sums.add(0, i16x8.extendLowU(low.get), pair),
          sums.add(1, i16x8.extendHighU(low.get), pair),
          sums.add(2, i16x8.extendLowU(high.get), pair),
          sums.add(3, i16x8.extendHighU(high.get), pair),
          advance(row, i32.shl(stride.get, number(1))),
          advance(weights, number(8)),
        ),
        v128.store(target.get, sums.bytes),
        advance(target, number(16)),
        advance(top, number(16)),
      ),
      advance(out, outStride.get),
      advance(tape, i32.shl(i32.and(add(pairs.get, number(1)), number(-2)), number(3))),
    ),
  ];
});

/** Where planes() finds and leaves its things, at most PLANE_PIXELS pixels at a time: all of it in the first 64 KiB. */
export const PLANE_PIXELS = 4096;
export const TABLES_AT = 0;
export const PIXELS_AT: number = 3 * 1024;
export const PLANES_AT: number = PIXELS_AT + 3 * PLANE_PIXELS;

/** planes(pixels): looks up each byte in its channel's 256 numbers, channels first. */
const planes: Func = func("planes", (scope) => {
  const [pixels, source, target] = [scope.param(), scope.local("i32"), scope.local("i32")];
  const channel = (c: number): Code => {
    const byte = i32.load8U(source.get, PIXELS_AT + c);
    const value = i32.load(i32.shl(byte, number(2)), TABLES_AT + 1024 * c);
    return i32.store(target.get, value, PLANES_AT + 4 * PLANE_PIXELS * c);
  };
  return [repeat(pixels, channel(0), channel(1), channel(2), advance(source, number(3)), advance(target, number(4)))];
});

export const KERNEL: readonly Func[] = [columns, rows, planes];
