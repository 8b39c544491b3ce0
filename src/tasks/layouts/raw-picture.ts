/** Pixels of data sets that hold nothing else, as netpbm pictures: a header before them is all that a decoder needs. */

/** Grey values, row by row. */
export const greyPicture = (values: Uint8Array, width: number, height: number): Uint8Array =>
  picture("P5", values, width, height);

/** Planes of red, green and blue, each row by row, or column by column where `columns`. */
export function planesPicture(planes: Uint8Array, width: number, height: number, columns = false): Uint8Array {
  const size = width * height;
  const out = new Uint8Array(3 * size);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const from = columns ? x * height + y : y * width + x;
      for (let c = 0; c < 3; c++) out[3 * (y * width + x) + c] = planes[c * size + from]!;
    }
  return picture("P6", out, width, height);
}

/** Red, green and blue of each pixel in turn, row by row. */
export const interleavedPicture = (values: Uint8Array, width: number, height: number): Uint8Array =>
  picture("P6", values, width, height);

function picture(magic: "P5" | "P6", values: Uint8Array, width: number, height: number): Uint8Array {
  const header = new TextEncoder().encode(`${magic}\n${width} ${height}\n255\n`);
  const out = new Uint8Array(header.length + values.length);
  out.set(header);
  out.set(values, header.length);
  return out;
}
