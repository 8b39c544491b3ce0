import { readFile } from "node:fs/promises";
import sharp from "sharp";
import { beforeAll, describe, expect, it } from "vitest";
import { collect, listSource, temporaryFolder } from "../../../test/support/data-fixtures.ts";
import { decodeImage, filledPixels, scaledBlockMask } from "../../image/index.ts";
import { bertTokenizer } from "../../text/index.ts";
import { openSource, type Sample } from "../sources/index.ts";
import { type Example, type MaskView, makeExamples, thumbnail } from "./examples.ts";
import { sheetHtml, sheetPng } from "./sheet.ts";
import { inspectSource } from "./statistics.ts";

const tokenizer = bertTokenizer([
  "[PAD]",
  "[UNK]",
  "[CLS]",
  "[SEP]",
  "[MASK]",
  "a",
  "red",
  "cat",
  "on",
  "mat",
  "##s",
  "the",
]);
const view: MaskView = {
  size: 32,
  patches: scaledBlockMask(4, 4),
  textLength: 12,
  wholeWord: false,
  tokenizer,
  seed: 1,
};
let samples: Sample[];
beforeAll(async () => {
  samples = (await collect(await openSource({ type: "synthetic", count: 20, width: 30, height: 20 }))).map(
    ({ sample }) => sample,
  );
});

describe("inspectSource", () => {
  it("counts samples, sizes, caption lengths, labels and bad samples", async () => {
    const badFile = `${await temporaryFolder()}/bad.jsonl`;
    const list: Sample[] = [
      { key: "0", image: samples[0]!.image!, texts: ["one two three"], label: 4 },
      { key: "1", image: samples[1]!.image!, texts: ["one two three", "b"], label: 4 },
      { key: "2", texts: ["é"] },
    ];
    const source = listSource("s", list);
    const withBad = {
      ...source,
      async *samples(options: Parameters<typeof source.samples>[0] = {}) {
        options.onBad?.({ source: "s", key: "9", reason: "cut" });
        yield* source.samples(options);
      },
    };
    const { inspection } = await inspectSource(withBad, { examples: 0, badFile });
    expect(inspection).toMatchObject({
      samples: 3,
      more: false,
      images: { count: 2, formats: { png: 2 }, width: { min: 30, max: 30 }, height: { min: 20, max: 20 } },
      captions: {
        count: 3,
        perSample: { min: 1, max: 2 },
        words: { min: 1, median: 3, max: 3 },
        characters: { min: 1, max: 13 },
        repeated: 1,
        mostFrequent: { text: "one two three", count: 2 },
      },
      labels: { "4": 2 },
      bad: { count: 1, reasons: { cut: 1 }, notes: {} },
    });
    expect(JSON.parse(await readFile(badFile, "utf8"))).toEqual({ source: "s", key: "9", reason: "cut" });
  });

  it("gives every sample the same chance to be an example", async () => {
    const counts = new Array(20).fill(0);
    const runs = 500;
    for (let seed = 0; seed < runs; seed++) {
      const { examples } = await inspectSource(listSource("s", samples), { examples: 5, seed });
      expect(new Set(examples).size).toBe(5);
      for (const { key } of examples) counts[Number(key)]++;
    }
    const deviation = Math.sqrt(runs * 0.25 * 0.75);
    for (const count of counts) expect(Math.abs(count - runs / 4)).toBeLessThan(4.5 * deviation);
  });

  it("says that there is more behind the limit", async () => {
    expect((await inspectSource(listSource("s", samples), { examples: 1, limit: 20 })).inspection.more).toBe(false);
    expect((await inspectSource(listSource("s", samples), { examples: 1, limit: 19 })).inspection.more).toBe(true);
  });
});

describe("makeExamples", () => {
  it("decodes pictures and says why one cannot be", async () => {
    const [good, bad] = await makeExamples([
      samples[0]!,
      { key: "x", image: samples[1]!.image!.slice(0, 50), texts: ["t"] },
    ]);
    expect(good!.picture).toEqual(await decodeImage(samples[0]!.image!));
    expect([bad!.picture, bad!.problem]).toEqual([undefined, expect.stringMatching(/expected a whole png/)]);
  });

  it("draws masked patches grey and names masked tokens", async () => {
    const white = await sharp({ create: { width: 32, height: 32, channels: 3, background: "white" } })
      .png()
      .toBuffer();
    const sample = { key: "0", image: new Uint8Array(white), texts: ["a red cat on the mats"] };
    const [example] = await makeExamples([sample], view);
    const { data } = example!.picture!;
    const centre = (patch: number): number => data[(((patch >> 2) * 8 + 4) * 32 + (patch % 4) * 8 + 4) * 3]!;
    const grey = Array.from({ length: 16 }, (_, patch) => centre(patch) < 200);
    expect(grey.filter(Boolean).length).toBeGreaterThan(0);
    expect(grey.filter(Boolean).length).toBeLessThanOrEqual(view.patches.total);
    const { tokens } = example!;
    expect(tokens!.map(({ text, target }) => target ?? text)).toEqual(["a", "red", "cat", "on", "the", "mat", "##s"]);
    expect(tokens!.some(({ target }) => target !== undefined)).toBe(true);
  });
});

describe("thumbnail", () => {
  it("keeps proportions on light grey", () => {
    const { data } = thumbnail(filledPixels(40, 20, [10, 20, 30]), 16);
    const at = (x: number, y: number): number[] => [...data.slice((y * 16 + x) * 3, (y * 16 + x) * 3 + 3)];
    expect(at(8, 8)).toEqual([10, 20, 30]);
    expect(at(0, 4)).toEqual([10, 20, 30]);
    expect(at(8, 3)).toEqual([238, 238, 238]);
    expect(at(8, 12)).toEqual([238, 238, 238]);
  });
});

describe("sheets", () => {
  const example = (key: string, rgb: [number, number, number]): Example => ({
    key,
    caption: `caption <${key}> & more`,
    label: undefined,
    picture: filledPixels(20, 20, rgb),
    problem: undefined,
    tokens: undefined,
  });

  it("hold every picture in its place in the PNG", async () => {
    const colours: [number, number, number][] = [
      [200, 0, 0],
      [0, 150, 0],
      [0, 0, 250],
    ];
    const png = await sheetPng(
      colours.map((rgb, i) => example(`${i}`, rgb)),
      { title: "t", side: 40, columns: 2 },
    );
    const { width, data } = await decodeImage(png);
    const at = (x: number, y: number): number[] => [...data.slice((y * width + x) * 3, (y * width + x) * 3 + 3)];
    const cell = [52, 116] as const;
    for (const [i, rgb] of colours.entries())
      expect(at(32 + (i % 2) * cell[0], 56 + Math.floor(i / 2) * cell[1])).toEqual(rgb);
    expect(at(width - 4, 4)).toEqual([255, 255, 255]);
  });

  it("hold pictures and escaped captions in the HTML, and nothing from elsewhere", async () => {
    const masked: Example = {
      ...example("m", [1, 2, 3]),
      tokens: [
        { text: "[MASK]", target: "<cat>" },
        { text: "on", target: undefined },
      ],
    };
    const html = await sheetHtml([example("0", [9, 9, 9]), masked], { title: "a & b" });
    expect(html).toContain("caption &#60;0&#62; &#38; more");
    expect(html).toContain('<mark title="[MASK]">&#60;cat&#62;</mark> on');
    expect(html).not.toMatch(/(src|href)="(?!data:)/);
    const [, base64] = /src="data:image\/png;base64,([^"]+)"/.exec(html)!;
    expect((await decodeImage(new Uint8Array(Buffer.from(base64!, "base64")))).data.slice(0, 3)).toEqual(
      new Uint8Array([9, 9, 9]),
    );
  });
});
