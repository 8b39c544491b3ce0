import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { COLOURS, colourPicture } from "../../../test/support/colour-pictures.ts";
import { temporaryFolder } from "../../../test/support/data-fixtures.ts";
import { tinyModelFolder } from "../../../test/support/tiny-model.ts";
import { FlavaModel } from "../../api/index.ts";
import { openSource } from "../../data/index.ts";
import { type Features, labelledFeatures } from "./features.ts";

/** A folder for each colour with four pictures, one picture that is none, and one in no class. */
async function pictureFolder(): Promise<string> {
  const folder = await temporaryFolder();
  for (const [name, colour] of Object.entries(COLOURS)) {
    await mkdir(join(folder, name));
    for (let i = 0; i < 4; i++) await writeFile(join(folder, name, `${i}.ppm`), colourPicture(colour, i));
  }
  await writeFile(join(folder, "red", "broken.png"), "no picture");
  await writeFile(join(folder, "stray.ppm"), colourPicture(COLOURS.red!));
  return folder;
}

describe("labelledFeatures", () => {
  let model: FlavaModel;
  let folder: string;
  let plain: Features;
  const read = async (cacheDir?: string, signal?: AbortSignal) => {
    const seen: number[] = [];
    const source = await openSource(`folder:${folder}`);
    const features = await labelledFeatures(model, source, { cacheDir, signal, onProgress: (n) => seen.push(n) });
    return { features, seen };
  };
  beforeAll(async () => {
    folder = await pictureFolder();
    model = await FlavaModel.fromPretrained(await tinyModelFolder(), { batchSize: 3 });
    plain = (await read()).features;
  });

  it("are the encoder's CLS, a row for each picture with a label; the others are counted with a reason", async () => {
    const { image_embeddings } = await model.encodeImage([join(folder, "blue", "0.ppm")]);
    const width = image_embeddings.shape[2]!;
    expect(plain.width).toBe(width);
    expect(plain.labels.length + plain.refused.length).toBe(18);
    expect(plain.labels).toHaveLength(16);
    expect(plain.refused.map(({ key }) => key)).toEqual(expect.arrayContaining([expect.stringContaining("broken")]));
    const blue = plain.labels.indexOf("blue");
    const row = plain.x.subarray(blue * width, (blue + 1) * width);
    const cls = image_embeddings.row(0).subarray(0, width);
    row.forEach((value, i) => {
      expect(Math.abs(value - cls[i]!)).toBeLessThan(1e-5);
    });
  });

  it("come from disk the second time, and are computed anew for other weights", async () => {
    const cacheDir = await temporaryFolder();
    const first = await read(cacheDir);
    expect(first.seen.length).toBeGreaterThan(4);
    expect(await read(cacheDir)).toEqual({ features: first.features, seen: [] });
    expect(first.features).toEqual(plain);
    await rm(join(folder, "stray.ppm"));
    expect((await read(cacheDir)).features.refused).toHaveLength(1);
  });

  it("go on behind the last batch after a stop", async () => {
    const cacheDir = await temporaryFolder();
    const stop = new AbortController();
    const source = await openSource(`folder:${folder}`);
    const stopped = labelledFeatures(model, source, {
      cacheDir,
      signal: stop.signal,
      onProgress: (done) => done >= 6 && stop.abort(new Error("stopped")),
    });
    await expect(stopped).rejects.toThrow("stopped");
    const { features, seen } = await read(cacheDir);
    expect(seen[0]).toBeGreaterThan(6);
    expect(features.labels).toHaveLength(16);
    expect(features.x).toEqual(plain.x);
    expect(features.refused).toHaveLength(1);
  });
});
