/** What passes between decodeImage and a platform's decoder. */

/** What a platform decoder is asked for, beside the bytes and their header. */
export interface PlatformOptions {
  readonly maxPixels: number;
  readonly applyOrientation: boolean;
  readonly svgSize: number | undefined;
}

/** What a platform decoder returns: interleaved bytes. Alpha is straight, not multiplied in. */
export interface Decoded {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
  readonly layout: "rgb" | "rgba" | "cmyk";
}

/** Thrown by a platform decoder that learns a forbidden size only after opening. */
export class TooLarge extends Error {}
