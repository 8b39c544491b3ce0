/** Pictures of three formats and many sizes, as files. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { noiseBytes } from "../golden/image/pictures.ts";

/** Writes ten of them, named by their numbers, and gives their bytes. */
export async function makePictures(folder: string): Promise<Uint8Array[]> {
  mkdirSync(folder);
  const pictures: Uint8Array[] = [];
  for (let i = 0; i < 10; i++) {
    const [width, height] = [37 + 23 * i, 41 + 17 * ((i * 7) % 10)];
    const noise = noiseBytes(`web ${i}`, 9 * 7 * 3);
    const image = sharp(noise, { raw: { width: 9, height: 7, channels: 3 } }).resize(width, height, { fit: "fill" });
    const encoded = [image.jpeg({ quality: 88 }), image.png(), image.webp({ lossless: i % 2 === 0 })][i % 3]!;
    pictures.push(new Uint8Array(await encoded.toBuffer()));
    writeFileSync(join(folder, `${i}`), pictures[i]!);
  }
  return pictures;
}
