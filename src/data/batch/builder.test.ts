import { beforeAll, describe, expect, it } from "vitest";
import { ConfigError, DataError } from "../../errors.ts";
import {
  blockMask,
  cropResize,
  decodeImage,
  dinoOptions,
  dinoViews,
  flavaEvalImage,
  flavaTrainImage,
  mapPixelsTable,
  type Pixels,
  randomCropRegion,
  toPlanes,
} from "../../image/index.ts";
import { random, type Tensor } from "../../tensor/index.ts";
import { bertTokenizer, maxMaskTargets } from "../../text/index.ts";
import { openSource } from "../sources/index.ts";
import { createBuilder } from "./builder.ts";
import { allocateRows, type BatchBuild, type BatchItem, joinRows, type Rows } from "./index.ts";

const WORDS =
  "a an large small red green blue yellow orange purple pink brown black white gray circle square triangle diamond ring cross on background to the left of above".split(
    " ",
  );
const tokenizer = bertTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ...new Set(WORDS)]);
const T = 16;
const Kt = maxMaskTargets(T);
const mask = { rows: 4, columns: 4, total: 6, minBlock: 2 };
const crop = { scale: [0.5, 1] as const };
const image = { size: 32, codebookSize: 16, augment: { crop, flip: 0.5 }, mask } as const;
const text = { length: T, mask: { wholeWord: true, maxTargets: Kt } };
const STREAM = "pairs/0";

let items: (BatchItem & { text: string })[];
let pictures: Pixels[];

beforeAll(async () => {
  items = [];
  const source = await openSource({ type: "synthetic", count: 12, width: 40, height: 24 });
  for await (const { sample } of source.samples())
    items.push({
      key: sample.key,
      draw: { seed: 9, stream: STREAM, epoch: 2, ordinal: items.length + 100 },
      image: sample.image,
      text: sample.texts![0]!,
      label: sample.label as number,
    });
  pictures = await Promise.all(items.map((item) => decodeImage(item.image!)));
});

function build(spec: BatchBuild, list: readonly BatchItem[] = items): Record<string, Tensor> {
  const { fields, encode } = createBuilder(spec, tokenizer);
  const rows = allocateRows(fields, list.length);
  for (const [row, item] of list.entries()) encode(item, pictures[row], rows, row);
  return joinRows(fields, [{ rows, from: 0, to: list.length }]);
}

const shapes = (batch: Record<string, Tensor>): Record<string, string> =>
  Object.fromEntries(Object.entries(batch).map(([name, { dtype, shape }]) => [name, `${dtype} ${shape.join("×")}`]));

const rowOf = ({ data, shape }: Tensor, row: number): number[] => {
  const one = data.length / shape[0]!;
  return Array.from(data.subarray(row * one, (row + 1) * one) as ArrayLike<number>);
};

describe("image batches", () => {
  it("have the fields of the interface", () => {
    expect(shapes(build({ kind: "image", image: { ...image, labels: true } }))).toEqual({
      pixel_values: "float32 12×3×32×32",
      codebook_pixel_values: "float32 12×3×16×16",
      bool_masked_pos: "bool 12×16",
      mim_positions: "int32 12×6",
      mim_position_mask: "bool 12×6",
      labels: "int32 12",
    });
  });

  it("hold what the image room makes with the sample's own draws", () => {
    const batch = build({ kind: "image", image });
    for (const [row, item] of items.entries()) {
      const { ordinal } = item.draw;
      const options = { size: 32, codebookSize: 16, crop, flip: 0.5 };
      const expected = flavaTrainImage(pictures[row]!, options, random(9, `crop:${STREAM}`, 2, ordinal));
      expect(rowOf(batch.pixel_values!, row)).toEqual([...expected.pixel_values.data]);
      expect(rowOf(batch.codebook_pixel_values!, row)).toEqual([...expected.codebook_pixel_values.data]);
      expect(rowOf(batch.bool_masked_pos!, row)).toEqual([
        ...blockMask(mask, random(9, `block-mask:${STREAM}`, 2, ordinal)),
      ]);
    }
  });

  it("list the masked patches in order, then zeros", () => {
    const batch = build({ kind: "image", image });
    for (const row of items.keys()) {
      const masked = rowOf(batch.bool_masked_pos!, row).flatMap((bit, patch) => (bit ? [patch] : []));
      const padding = new Array(6 - masked.length).fill(0);
      expect(masked.length).toBeGreaterThan(0);
      expect(rowOf(batch.mim_positions!, row)).toEqual([...masked, ...padding]);
      expect(rowOf(batch.mim_position_mask!, row)).toEqual([...masked.map(() => 1), ...padding]);
    }
  });

  it("take the whole picture where nothing is augmented", () => {
    const batch = build({ kind: "image", image: { ...image, augment: null, mask: null } });
    expect(Object.keys(batch)).toEqual(["pixel_values", "codebook_pixel_values"]);
    const expected = flavaEvalImage(pictures[3]!, { size: 32, codebookSize: 16 });
    expect(rowOf(batch.pixel_values!, 3)).toEqual([...expected.pixel_values.data]);
  });

  it("refuse a sample without a numeric label where labels are asked for", () => {
    expect(() =>
      build({ kind: "image", image: { ...image, labels: true } }, [{ ...items[0]!, label: undefined }]),
    ).toThrow(DataError);
  });

  it("number classes by their place in a list, the same for a set that lacks one", () => {
    const labels = ["ant", "bee", "7"];
    const of = (list: readonly (string | number)[]): number[] =>
      Array.from(
        build(
          { kind: "image", image: { ...image, labels } },
          list.map((label) => ({ ...items[0]!, label })),
        ).labels!.data as Int32Array,
      );
    expect(of(["bee", "ant", 7])).toEqual([1, 0, 2]);
    expect(of(["bee"])).toEqual([1]);
    expect(() => of(["cat"])).toThrow(/expected a label among 3 classes, got cat/);
  });
});

describe("text batches", () => {
  it("have the fields of the interface", () => {
    expect(shapes(build({ kind: "text", text }))).toEqual({
      input_ids: `int32 12×${T}`,
      attention_mask: `int32 12×${T}`,
      input_ids_masked: `int32 12×${T}`,
      mlm_labels: `int32 12×${T}`,
      mlm_positions: `int32 12×${Kt}`,
      mlm_targets: `int32 12×${Kt}`,
    });
  });

  it("agree between ids, masked ids, labels, positions and targets", () => {
    const batch = build({ kind: "text", text });
    for (const [row, item] of items.entries()) {
      const ids = rowOf(batch.input_ids!, row);
      const labels = rowOf(batch.mlm_labels!, row);
      expect(ids).toEqual([...tokenizer.encode(item.text, { maxLength: T, padding: "max_length" }).inputIds]);
      expect(rowOf(batch.attention_mask!, row)).toEqual(ids.map((id) => (id === 0 ? 0 : 1)));
      const positions = labels.flatMap((label, at) => (label === -100 ? [] : [at]));
      const padding = new Array(Kt - positions.length).fill(0);
      expect(positions.length).toBeGreaterThan(0);
      expect(rowOf(batch.mlm_positions!, row)).toEqual([...positions, ...padding]);
      expect(rowOf(batch.mlm_targets!, row)).toEqual([...positions.map((at) => ids[at]), ...padding.map(() => -100)]);
      const masked = rowOf(batch.input_ids_masked!, row);
      for (const [at, id] of masked.entries()) if (labels[at] === -100) expect(id).toBe(ids[at]);
    }
  });

  it("take packed rows as they are", () => {
    const ids = Int32Array.from({ length: T }, (_, i) => (i < 9 ? 5 + i : 0));
    const batch = build({ kind: "text", text: { length: T, mask: null } }, [{ ...items[0]!, ids }]);
    expect(rowOf(batch.input_ids!, 0)).toEqual([...ids]);
    expect(Object.keys(batch)).toEqual(["input_ids", "attention_mask"]);
  });

  it("need a tokenizer", () => {
    expect(() => createBuilder({ kind: "text", text }, undefined)).toThrow(ConfigError);
  });
});

describe("pair batches", () => {
  const spec: BatchBuild = { kind: "pair", image, text };

  it("have all fields of images and texts, and itm_labels", () => {
    expect(Object.keys(build(spec)).sort()).toEqual(
      [
        ...Object.keys(build({ kind: "image", image })),
        ...Object.keys(build({ kind: "text", text })),
        "itm_labels",
      ].sort(),
    );
  });

  it("replace the caption of a negative in every text field, and nothing else", () => {
    const negative = "a blue ring";
    const [own] = [build(spec, [items[0]!])];
    const other = build(spec, [{ ...items[0]!, negative }]);
    const asOwn = build(spec, [{ ...items[0]!, text: negative }]);
    expect([...own.itm_labels!.data]).toEqual([1]);
    expect([...other.itm_labels!.data]).toEqual([0]);
    for (const name of Object.keys(own)) {
      if (name === "itm_labels") continue;
      expect(other[name]).toEqual(asOwn[name]);
    }
    expect(other.pixel_values).toEqual(own.pixel_values);
  });

  it("keep a pair whose other caption comes to the same tokens as a match", () => {
    const long = "a red circle above a blue square on a green background ".repeat(3);
    const batch = build(spec, [{ ...items[0]!, text: `${long} red`, negative: `${long} blue` }]);
    expect([...batch.itm_labels!.data]).toEqual([1]);
  });
});

describe("dino batches", () => {
  it("hold the views of each resolution, view by view", () => {
    const dino = dinoOptions({ globalSize: 16, localSize: 8, localCrops: 3 });
    const batch = build({ kind: "dino", dino });
    expect(shapes(batch)).toEqual({ global_crops: "float32 2×12×3×16×16", local_crops: "float32 3×12×3×8×8" });
    const views = dinoViews(pictures[5]!, dino, random(9, `dino:${STREAM}`, 2, 105));
    const global = (view: number): Float32Array =>
      (batch.global_crops!.data as Float32Array).subarray((view * 12 + 5) * 768, (view * 12 + 6) * 768);
    const local = (view: number): Float32Array =>
      (batch.local_crops!.data as Float32Array).subarray((view * 12 + 5) * 192, (view * 12 + 6) * 192);
    for (const view of [0, 1]) expect([...global(view)]).toEqual([...views[view]!.data]);
    for (const view of [0, 1, 2]) expect([...local(view)]).toEqual([...views[view + 2]!.data]);
  });
});

describe("dvae batches", () => {
  it("hold the codebook pixels of a random crop alone", () => {
    const batch = build({ kind: "dvae", size: 24, augment: { crop } });
    expect(shapes(batch)).toEqual({ codebook_pixel_values: "float32 12×3×24×24" });
    const picture = pictures[7]!;
    const region = randomCropRegion(40, 24, crop, random(9, `crop:${STREAM}`, 2, 107));
    const expected = toPlanes(cropResize(picture, region, 24, 24, "lanczos"), mapPixelsTable());
    expect(rowOf(batch.codebook_pixel_values!, 7)).toEqual([...expected.data]);
  });
});

describe("joinRows", () => {
  it("joins pieces of rows to the batch that one piece gives, with views and without", () => {
    for (const spec of [
      { kind: "pair", image, text },
      { kind: "dino", dino: dinoOptions({ globalSize: 8, localSize: 4, localCrops: 2 }) },
    ] as const) {
      const { fields, encode } = createBuilder(spec, tokenizer);
      const fill = (from: number, to: number): Rows => {
        const rows = allocateRows(fields, to - from);
        for (let i = from; i < to; i++) encode(items[i]!, pictures[i], rows, i - from);
        return rows;
      };
      const pieces = [
        { rows: fill(0, 5), from: 1, to: 5 },
        { rows: fill(5, 9), from: 0, to: 4 },
        { rows: fill(9, 12), from: 0, to: 2 },
      ];
      expect(joinRows(fields, pieces)).toEqual(joinRows(fields, [{ rows: fill(1, 11), from: 0, to: 10 }]));
    }
  });
});
