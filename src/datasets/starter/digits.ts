/** The 10,000 MNIST digits of the package `mnist` as pictures: its floats are grey values over 255, rounded. */
import { z } from "zod";
import { DataError } from "../../errors.ts";
import { fnv1a, random } from "../../tensor/index.ts";
import { type PackageFiles, readJson } from "./tarball.ts";

export interface Digit {
  readonly key: string;
  readonly label: string;
  /** 28 × 28 grey values, white on black. */
  readonly values: Uint8Array;
}

const SIDE = 28;
const schema: z.ZodType<{ data: number[] }> = z.looseObject({ data: z.array(z.number()) });

/** All digits in an order that mixes the classes. Throws DataError where a file holds no whole pictures. */
export function readDigits(pack: PackageFiles): Digit[] {
  const digits = Array.from({ length: 10 }, (_, digit) => {
    const file = schema.safeParse(readJson(pack, `src/digits/${digit}.json`));
    if (!file.success || file.data.data.length % SIDE ** 2 !== 0) {
      throw new DataError(`${pack.name} src/digits/${digit}.json: expected data of ${SIDE} by ${SIDE} pictures`);
    }
    const { data } = file.data;
    return Array.from({ length: data.length / SIDE ** 2 }, (_, i) => ({
      key: `mnist-${digit}-${String(i).padStart(4, "0")}`,
      label: String(digit),
      values: Uint8Array.from(data.slice(i * SIDE ** 2, (i + 1) * SIDE ** 2), (value) => Math.round(value * 255)),
    }));
  }).flat();
  const rank = (key: string): number => random(1, "starter-digits", fnv1a(key)).bits();
  return digits.sort((a, b) => rank(a.key) - rank(b.key));
}

export const DIGIT_SIDE: number = SIDE;
