/** The synthetic source: PNG or JPEG pictures of coloured shapes with captions, made on the spot. */
import { indexedSamples } from "./indexed.ts";
import { drawScene, objectsOf, paintScene, SHAPE_NAMES } from "./shapes.ts";
import type { Sample, Source } from "./source.ts";

export interface SyntheticOptions {
  readonly count: number;
  /** Side of the square picture in pixels. */
  readonly size?: number | undefined;
  readonly width?: number | undefined;
  readonly height?: number | undefined;
  readonly seed?: number | undefined;
  readonly format?: "png" | "jpeg" | undefined;
}

/** `count` pictures. Sample i is a function of (seed, i, size); its label is the number of its first shape's name. */
export function syntheticSource(name: string, options: SyntheticOptions): Source {
  const { count, size = 64, width = size, height = size, seed = 0, format = "png" } = options;
  const load = async (i: number): Promise<Sample> => {
    const scene = drawScene(seed, i);
    const { default: sharp } = await import("sharp");
    const raw = sharp(paintScene(scene, width, height), { raw: { width, height, channels: 3 } });
    const encoded = format === "png" ? raw.png({ compressionLevel: 3 }) : raw.jpeg({ quality: 90 });
    const image = new Uint8Array(await encoded.toBuffer()).slice();
    const tags = scene.figures.map(({ colour, shape }) => `${colour} ${shape}`).join(", ");
    const label = SHAPE_NAMES.indexOf(scene.figures[0]!.shape);
    const objects = objectsOf(scene, width, height);
    return { key: String(i), image, texts: [scene.caption], label, objects, meta: { tags } };
  };
  return { name, count, samples: (sampling = {}) => indexedSamples(name, count, sampling, load) };
}
