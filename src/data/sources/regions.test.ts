/** Dumps of region features, as parquet and npz: what is read of them, and what is wrong with them. */
import { parquetWriteBuffer } from "hyparquet-writer";
import { beforeAll, describe, expect, it } from "vitest";
import { collect, temporaryFolder, utf8, writeFiles } from "../../../test/support/data-fixtures.ts";
import { zipBytes } from "../../../test/support/torch-bytes.ts";
import { DataError } from "../../errors.ts";
import { checkedRegions, openSource, type Regions } from "./index.ts";
import { parseNpy } from "./npy.ts";

let folder: string;
beforeAll(async () => {
  folder = await temporaryFolder();
});

/** An .npy file as NumPy 1.0 writes it. */
function npy(descr: string, shape: readonly number[], body: ArrayBufferView, fortran = false): Uint8Array {
  const tuple = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const said = `{'descr': '${descr}', 'fortran_order': ${fortran ? "True" : "False"}, 'shape': (${tuple}), }`;
  const header = utf8(`${said.padEnd(117)}\n`);
  const bytes = new Uint8Array(10 + header.length + body.byteLength);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length & 255, header.length >> 8]);
  bytes.set(header, 10);
  bytes.set(new Uint8Array(body.buffer, body.byteOffset, body.byteLength), 10 + header.length);
  return bytes;
}

const npz = (arrays: Readonly<Record<string, Uint8Array>>): Promise<Uint8Array> =>
  zipBytes(Object.entries(arrays).map(([name, bytes]) => ({ name: `${name}.npy`, data: bytes })));

const FEATURES = Float32Array.from({ length: 2 * 3 }, (_, i) => i / 8);
const BOXES = Float32Array.of(10, 20, 50, 60, 0, 0, 100, 80);
const SHARES = [0.1, 0.25, 0.5, 0.75, 0, 0, 1, 1];

const expectRegions = (regions: Regions | undefined): void => {
  expect(regions).toMatchObject({ count: 2, width: 3, features: FEATURES });
  for (const [i, x] of SHARES.entries()) expect(regions!.boxes[i]).toBeCloseTo(x, 6);
};

describe(".npz files with a picture each", () => {
  it("are read from a folder, with captions by name or by the number at its end", async () => {
    const whole = {
      features: npy("<f4", [2, 3], FEATURES),
      bbox: npy("<f4", [2, 4], BOXES),
      image_w: npy("<i4", [], Int32Array.of(100)),
      image_h: npy("<i8", [], BigInt64Array.of(80n)),
    };
    const normed = {
      features: npy("<f8", [2, 3], Float64Array.from(FEATURES)),
      norm_bb: npy("<f8", [2, 6], Float64Array.of(0.1, 0.25, 0.5, 0.75, 9, 9, 0, 0, 1, 1, 9, 9)),
      soft_labels: npy("<f4", [2, 4], new Float32Array(8).fill(0.25)),
      tags: npy("<U3", [2], Uint32Array.of(99, 97, 116, 99, 117, 112)),
    };
    await writeFiles(folder, {
      "npz/coco_val2014_000000000007.npz": await npz(whole),
      "npz/dog.npz": await npz(normed),
      "captions.json": JSON.stringify({
        annotations: [
          { image_id: 7, caption: "seven" },
          { image_id: 7, caption: "7" },
        ],
      }),
      "captions.jsonl": '{"image":"a/dog.jpg","captions":["a dog"]}\n{"image_id":7,"caption":"seven"}\n',
    });
    const bad: string[] = [];
    const source = await openSource({
      type: "regions",
      path: `${folder}/npz`,
      captions: `${folder}/captions.jsonl`,
      features: 3,
    });
    const [seven, dog] = (await collect(source)).map(({ sample }) => sample);
    expect([seven!.texts, dog!.texts]).toEqual([["seven"], ["a dog"]]);
    expectRegions(seven!.regions);
    expectRegions(dog!.regions);
    expect([dog!.regions!.tags, dog!.regions!.classes!.length]).toEqual([["cat", "cup"], 8]);
    const coco = await openSource({ type: "regions", path: `${folder}/npz`, captions: `${folder}/captions.json` });
    const kept = await collect(coco, { onBad: ({ key, reason }) => bad.push(`${key}: ${reason}`) });
    expect(kept.map(({ sample }) => sample.texts)).toEqual([["seven", "7"]]);
    expect(bad).toEqual(['dog.npz: no captions of "dog"']);
  });

  it("that are damaged are bad samples with a reason", async () => {
    const good = { features: npy("<f4", [2, 3], FEATURES), norm_bb: npy("<f4", [2, 4], Float32Array.from(SHARES)) };
    await writeFiles(folder, {
      "bad/a.npz": "no zip at all",
      "bad/b.npz": await npz({ ...good, features: npy("|O", [2], Uint8Array.of(1, 2)) }),
      "bad/c.npz": await npz({ ...good, features: npy("<f4", [2, 3], FEATURES, true) }),
      "bad/d.npz": await npz({ ...good, features: npy("<f4", [2, 9], FEATURES) }),
      "bad/e.npz": await npz({ norm_bb: good.norm_bb }),
      "bad/f.npz": await npz({ features: good.features }),
    });
    const bad: string[] = [];
    await collect(await openSource(`regions:${folder}/bad`), { onBad: ({ reason }) => bad.push(reason) });
    const reasons = [
      /zip archive/,
      /type \|O \(pickled objects\)/,
      /fortran_order/,
      /expected 18 elements of 4 bytes, got 24/,
      /features of regions, got none/,
      /a box for each region/,
    ];
    expect(bad).toHaveLength(reasons.length);
    for (const [i, reason] of reasons.entries()) expect(bad[i]).toMatch(reason);
  });

  it("are refused where there are none", async () => {
    await writeFiles(folder, { "none/x.txt": "x" });
    await expect(openSource({ type: "regions", path: `${folder}/none` })).rejects.toThrow(
      /expected .npz files .* got none/,
    );
  });
});

describe("parquet files with a row a picture", () => {
  const base64 = (x: Float32Array): string => btoa(String.fromCharCode(...new Uint8Array(x.buffer)));
  it("are read with their captions and tags, from any row on", async () => {
    const columnData = [
      { name: "image_id", data: ["a", "b", "c"], type: "STRING" as const },
      {
        name: "features",
        data: [base64(FEATURES), base64(FEATURES), base64(FEATURES.subarray(0, 5).slice())],
        type: "STRING" as const,
      },
      { name: "boxes", data: [base64(BOXES), base64(BOXES), base64(BOXES)], type: "STRING" as const },
      { name: "image_w", data: [100, 100, 100], type: "INT32" as const },
      { name: "image_h", data: [80, 60, 80], type: "INT32" as const },
      { name: "tags", data: ["cat, cup", "dog", "dog"], type: "STRING" as const },
      { name: "caption", data: ["one", "two", "three"], type: "STRING" as const },
    ];
    await writeFiles(folder, { "a.parquet": new Uint8Array(parquetWriteBuffer({ columnData })) });
    const source = await openSource({ type: "regions", path: `${folder}/a.parquet` });
    const bad: string[] = [];
    const [placed] = await collect(source, { onBad: ({ key, reason }) => bad.push(`${key}: ${reason}`) });
    expectRegions(placed!.sample.regions);
    expect([placed!.sample.texts, placed!.sample.regions!.tags]).toEqual([["one"], ["cat", "cup"]]);
    expect(bad).toEqual([
      "a.parquet:1: region 1: the box 0, 0, 100, 80 lies outside the picture of 100 × 60",
      "a.parquet:2: expected one feature a box, got 5 numbers and 2 boxes",
    ]);
    expect(await collect(source, { cursor: placed!.cursor })).toEqual([]);
  });

  it("without features are refused with the columns that there are", async () => {
    const columnData = [{ name: "caption", data: ["one"], type: "STRING" as const }];
    await writeFiles(folder, { "b.parquet": new Uint8Array(parquetWriteBuffer({ columnData })) });
    await expect(collect(await openSource({ type: "regions", path: `${folder}/b.parquet` }))).rejects.toThrow(
      /expected a column with the features of regions, got caption/,
    );
  });
});

describe("regions", () => {
  const good = {
    features: [
      [1, 2, 3],
      [4, 5, 6],
    ],
    boxes: [
      [0, 0, 1, 1],
      [0, 0.5, 0.5, 1],
    ],
  };
  it.each<[string, object, RegExp]>([
    [
      "features of another width",
      {
        features: [
          [1, 2],
          [3, 4],
        ],
      },
      /expected features of 3 numbers, got 2/,
    ],
    ["a feature too few", { features: [1, 2, 3, 4, 5] }, /expected one feature a box, got 5 numbers and 2 boxes/],
    [
      "not a number",
      {
        features: [
          [1, Number.NaN, 3],
          [4, 5, 6],
        ],
      },
      /region 0: expected finite numbers, got NaN/,
    ],
    [
      "boxes of three numbers",
      {
        boxes: [
          [0, 0, 1],
          [0, 0, 1],
        ],
      },
      /expected boxes of 4 numbers, got 6 numbers for 2/,
    ],
    [
      "a box before the picture",
      {
        boxes: [
          [-0.2, 0, 1, 1],
          [0, 0, 1, 1],
        ],
      },
      /region 0: the box -0.2\S*, 0, 1, 1 lies outside/,
    ],
    [
      "a box that ends before it begins",
      {
        boxes: [
          [0, 0, 1, 1],
          [0.5, 0, 0.2, 1],
        ],
      },
      /region 1: expected left, top, right, bottom/,
    ],
    [
      "pixels without a size",
      {
        boxes: [
          [0, 0, 30, 40],
          [0, 0, 9, 9],
        ],
      },
      /expected boxes as shares, or the picture's width/,
    ],
    [
      "probabilities of another count",
      {
        classes: [
          [1, 0, 0],
          [0, 1, 0],
        ],
      },
      /expected probabilities of 4 classes, got 3/,
    ],
    ["a class that there is not", { objects: [3, 4] }, /expected classes below 4, got 4/],
  ])("with %s are refused", (_, change, message) => {
    expect(checkedRegions({ ...good, ...change }, 3, 4)).toMatch(message);
  });
  it("may have classes by number, and tags as one text", () => {
    const found = checkedRegions({ ...good, objects: [3, 0], tags: " cat;dog, cat" }, 3, 4) as Regions;
    expect([Array.from(found.classes!), found.tags]).toEqual([
      [0, 0, 0, 1, 1, 0, 0, 0],
      ["cat", "dog"],
    ]);
  });
});

describe("arrays of NumPy", () => {
  it("of halves, bytes and whole numbers become numbers", () => {
    expect(parseNpy("x", npy("<f2", [2], Uint16Array.of(0x3c00, 0xc000))).numbers).toEqual(Float32Array.of(1, -2));
    expect(parseNpy("x", npy("|u1", [1, 2], Uint8Array.of(7, 255)))).toEqual({
      shape: [1, 2],
      numbers: Float32Array.of(7, 255),
    });
  });
  it("that are none, or cut off, are refused", () => {
    expect(() => parseNpy("x", utf8("0123456789abcdef"))).toThrow(DataError);
    expect(() => parseNpy("x", npy("<f4", [2], Float32Array.of(1, 2)).subarray(0, 60))).toThrow(/header is cut off/);
    expect(() => parseNpy("x", npy(">f4", [1], Float32Array.of(1)))).toThrow(/got the type >f4/);
  });
});
