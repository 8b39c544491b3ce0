import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from "hyparquet";
import { describe, expect, it } from "vitest";
import { colourEncoder, colourPicture } from "../../../test/support/colour-pictures.ts";
import { temporaryFolder, writeFiles } from "../../../test/support/data-fixtures.ts";
import { openSafetensors } from "../../hub/index.ts";
import type { Input } from "../inputs/index.ts";
import { type EmbedJob, embedToFile } from "./embed-to-file.ts";

/** Twelve pictures, one of them broken, one given twice, and a row with a text of its own. */
async function someInputs(): Promise<{ folder: string; inputs: Input[] }> {
  const folder = await temporaryFolder();
  const names = Array.from({ length: 12 }, (_, i) => `${i}.ppm`);
  await writeFiles(folder, Object.fromEntries(names.map((name, i) => [name, colourPicture([20 * i, 90, 7])])));
  await writeFile(join(folder, "5.ppm"), "P6 4 4 255\nshort");
  const inputs: Input[] = names.map((key) => ({ key, image: join(folder, key) }));
  inputs[3] = { ...inputs[3]!, text: "red" };
  return { folder, inputs: [...inputs, { ...inputs[0]!, key: "again" }, { key: "t:1", text: "blue" }] };
}

const run = (job: Omit<EmbedJob, "encoder">) => embedToFile({ encoder: colourEncoder(), workers: 0, ...job });

async function jsonLines(path: string): Promise<{ key: string; kind: string; text?: string; embedding: number[] }[]> {
  return (await readFile(path, "utf8"))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}

describe("embedToFile", () => {
  it("writes the rows of all formats in the order of the inputs, without those that cannot be used", async () => {
    const { folder, inputs } = await someInputs();
    const paths = ["jsonl", "npy", "safetensors", "parquet"].map((ending) => join(folder, `out.${ending}`));
    for (const out of paths) {
      const result = await run({ inputs, out, about: { model: "colours" } });
      expect(result).toMatchObject({ images: 12, texts: 2, width: 3, resumed: 0 });
      expect(result.bad).toEqual([{ key: "5.ppm", reason: expect.stringMatching(/^expected a whole ppm image/) }]);
    }
    const [jsonl, npy, safetensors, parquet] = paths as [string, string, string, string];
    const rows = await jsonLines(jsonl);
    const expected = inputs.flatMap(({ key, text }) => (text && key !== "t:1" ? [key, key] : [key]));
    expect(rows.map(({ key }) => key)).toEqual(expected.filter((key) => key !== "5.ppm"));
    expect(rows.filter(({ kind }) => kind === "text").map(({ text }) => text)).toEqual(["red", "blue"]);
    expect(rows[0]!.embedding).toEqual(rows.find(({ key }) => key === "again")!.embedding);
    const flat = Float32Array.from(rows.flatMap(({ embedding }) => embedding));

    const bytes = await readFile(npy);
    const start = 10 + bytes.readUInt16LE(8);
    expect(start % 64).toBe(0);
    expect(bytes.subarray(10, start).toString()).toMatch(
      /^\{'descr': '<f4', 'fortran_order': False, 'shape': \(14, 3\), \} *\n$/,
    );
    expect(new Float32Array(bytes.buffer.slice(bytes.byteOffset + start, bytes.byteOffset + bytes.length))).toEqual(
      flat,
    );
    const keys = await jsonLines(join(folder, "out.npy.keys.jsonl"));
    expect(keys).toEqual(rows.map(({ embedding: _, ...info }) => info));
    expect(await jsonLines(join(folder, "out.safetensors.keys.jsonl"))).toEqual(keys);

    const groups = await parquetMetadataAsync(await asyncBufferFromFile(parquet));
    expect(groups.key_value_metadata).toContainEqual({ key: "model", value: "colours" });
    const table = await parquetReadObjects({ file: await asyncBufferFromFile(parquet) });
    expect(table.map(({ key, kind }) => [key, kind])).toEqual(rows.map(({ key, kind }) => [key, kind]));
    expect(Float32Array.from(table.flatMap(({ embedding }) => embedding))).toEqual(flat);

    await using file = await openSafetensors(safetensors);
    const images = rows.filter(({ kind }) => kind === "image").flatMap(({ embedding }) => embedding);
    expect((await file.read("image_embeds")).data).toEqual(Float32Array.from(images));
    expect((await file.read("text_embeds")).shape).toEqual([2, 3]);
    expect(file.metadata.model).toBe("colours");
  });

  it("goes on where it was stopped, and gives the file of a run that was not", async () => {
    const { folder, inputs } = await someInputs();
    const [out, whole] = [join(folder, "a.jsonl"), join(folder, "b.jsonl")];
    await run({ inputs, out: whole });
    const stopping = new AbortController();
    const onProgress = (done: number) => void (done >= 8 && stopping.abort());
    await expect(run({ inputs, out, onProgress, signal: stopping.signal })).rejects.toThrow();
    expect(await readdir(folder)).toContain("a.jsonl.partial");
    await expect(run({ inputs, out })).rejects.toThrow(/stopped after \d+ embeddings\n {2}help: add --resume/);
    const other = { ...colourEncoder("beef"), width: 3 };
    await expect(embedToFile({ inputs, out, resume: true, encoder: other })).rejects.toThrow(/of another/);
    const encoder = colourEncoder();
    const result = await embedToFile({ inputs, out, resume: true, encoder, workers: 0 });
    expect(result.resumed).toBeGreaterThanOrEqual(4);
    expect(encoder.seen.pictures).toBeLessThanOrEqual(7);
    expect(await readFile(out, "utf8")).toBe(await readFile(whole, "utf8"));
    expect(await readdir(folder)).not.toContain("a.jsonl.partial");
  });

  it("says what to do where what was left is damaged", async () => {
    const { folder, inputs } = await someInputs();
    const out = join(folder, "a.jsonl");
    const stopping = new AbortController();
    const onProgress = (done: number) => void (done >= 8 && stopping.abort());
    await expect(run({ inputs, out, onProgress, signal: stopping.signal })).rejects.toThrow();
    const work = `${out}.partial`;
    const rows = (await readdir(work)).find((name) => name.endsWith(".f32"))!;
    const bytes = await readFile(join(work, rows));
    bytes[2]! ^= 0xff;
    await writeFile(join(work, rows), bytes);
    await expect(run({ inputs, out, resume: true })).rejects.toThrow(
      /is damaged: .*\n {2}help: remove .*a.jsonl.partial/,
    );
  });

  it("refuses a name that says no format, and a folder", async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, "x.npy"));
    await expect(run({ inputs: [], out: join(folder, "x.npy") })).rejects.toThrow(
      /expected a file to write, got a fol/,
    );
    expect(await readdir(folder)).toEqual(["x.npy"]);
    await expect(run({ inputs: [], out: "x.txt" })).rejects.toThrow(/ends in .parquet, .jsonl, .npy, .safetensors/);
  });
});
