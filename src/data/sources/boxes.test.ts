/** Boxes as COCO and Visual Genome write them. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { COLOURS, colourPicture } from "../../../test/support/colour-pictures.ts";
import { temporaryFolder } from "../../../test/support/data-fixtures.ts";
import { type BoxesOptions, boxSource, hasBoxes } from "./boxes.ts";
import type { BadSample, Sample } from "./source.ts";

let folder = "";
beforeAll(async () => {
  folder = await temporaryFolder();
  const [first] = Object.values(COLOURS);
  for (const name of ["a.png", "b.png", "VG_100K_2/7.jpg"]) {
    await mkdir(join(folder, "VG_100K_2"), { recursive: true });
    await writeFile(join(folder, name), colourPicture(first!, 1));
  }
});

const instances = {
  images: [
    { id: 1, file_name: "a.png", width: 100, height: 50 },
    { id: 2, file_name: "b.png", width: 100, height: 50 },
    { id: 3, file_name: "c.png", height: 50 },
  ],
  annotations: [
    { image_id: 1, category_id: 17, bbox: [10, 5, 20, 10], iscrowd: 0 },
    { image_id: 1, category_id: 90, bbox: [90, 40, 30, 30] }, // ends outside
    { image_id: 1, category_id: 90, bbox: [200, 0, 10, 10] }, // lies outside
    { image_id: 1, category_id: 17, bbox: [0, 0, 50, 50], iscrowd: 1 },
    { image_id: 9, category_id: 17, bbox: [0, 0, 5, 5] },
    { image_id: 1, category_id: 4, bbox: [0, 0, 5, 5] },
    { image_id: 1, bbox: "none" },
  ],
  categories: [
    { id: 17, name: "cat" },
    { id: 90, name: "brush" },
  ],
};

async function read(name: string, value: unknown, options: BoxesOptions = {}) {
  const path = join(folder, name);
  await writeFile(path, typeof value === "string" ? value : JSON.stringify(value));
  const bad: BadSample[] = [];
  const samples: Sample[] = [];
  for await (const { sample } of (await boxSource("boxes", path, options)).samples({
    onBad: (one) => void bad.push(one),
  }))
    samples.push(sample);
  return { samples, bad };
}

describe("COCO's boxes", () => {
  it("are shares of their pictures, cut at the edge, by the numbers of their categories", async () => {
    const { samples, bad } = await read("instances_val.json", instances);
    expect(samples.map(({ key, objects }) => [key, objects!.classes])).toEqual([
      ["a.png", [17, 90]],
      ["b.png", []],
    ]);
    expect(samples[0]!.objects!.boxes.map((x) => Number(x.toFixed(6)))).toEqual([
      0.2, 0.2, 0.2, 0.2, 0.95, 0.9, 0.1, 0.2,
    ]);
    expect(bad.filter(({ kept }) => !kept)).toEqual([
      { source: "boxes", key: "images#2", reason: "expected an image with id, file_name, width and height" },
    ]);
    expect(bad.filter(({ kept }) => kept).map(({ reason }) => reason)).toEqual([
      "1 boxes around crowds, which are no objects",
      "1 boxes of no image",
      "1 boxes of no category",
      "1 annotations without image_id, category_id and bbox",
      "1 box has no area inside the picture",
    ]);
  });
  it("may be numbered by the order of the categories", async () => {
    const { samples } = await read("instances_val.json", instances, { classes: "order" });
    expect(samples[0]!.objects!.classes).toEqual([0, 1]);
    await expect(read("instances_val.json", instances, { classes: "x" })).rejects.toThrow(
      /expected ids or order, got "x"/,
    );
  });
  it("are told from captions by the beginning of a file", () => {
    expect(hasBoxes(JSON.stringify(instances))).toBe(true);
    expect(hasBoxes('{"images":[],"annotations":[{"image_id":1,"caption":"a cat"}]}')).toBe(false);
  });
  it.each([
    ["{", /expected JSON/],
    ["3", /expected an object or a list/],
    [{ images: [], annotations: [{ image_id: 1, caption: "a" }], categories: [] }, /expected COCO's boxes/],
  ])("%j is refused", async (value, message) => {
    await expect(read("bad.json", value)).rejects.toThrow(message);
  });
});

describe("Visual Genome's boxes", () => {
  const objects = [
    {
      image_id: 7,
      objects: [
        { x: 0, y: 0, w: 10, h: 20, names: ["Egg Yolk"] },
        { x: 0, y: 0, w: 1, h: 1, names: ["sky"] },
      ],
    },
    { image_id: 8, objects: [] },
    {},
  ];
  it("take the class of their name, and say what is in none", async () => {
    const images = [{ image_id: 7, width: 20, height: 40, url: "https://x.edu/images/VG_100K_2/7.jpg" }];
    await writeFile(join(folder, "image_data.json"), JSON.stringify(images));
    await writeFile(join(folder, "vocabulary.txt"), "dog\nyolk,egg yolk\n");
    const { samples, bad } = await read("objects.json", objects, { classes: join(folder, "vocabulary.txt") });
    expect(samples.map(({ key, objects: own }) => [key, own])).toEqual([
      ["7", { classes: [2], boxes: [0.25, 0.25, 0.5, 0.5] }],
    ]);
    expect(bad.map(({ reason }) => reason)).toEqual([
      "1 objects whose names are in no class",
      "image_data.json does not say how large the picture is",
      "expected an entry with image_id and objects",
    ]);
  });
  it("of a picture that stands twice are refused, and names on two lines of the classes are said", async () => {
    await writeFile(join(folder, "twice.txt"), "cat,dog\ndog,hound\n");
    const objects = [{ x: 0, y: 0, w: 5, h: 5, names: ["dog"] }];
    const twice = [
      { image_id: 7, objects },
      { image_id: 7, objects: [] },
    ];
    const { samples, bad } = await read("objects.json", twice, { classes: join(folder, "twice.txt") });
    expect(samples.map(({ key, objects: own }) => [key, own!.classes])).toEqual([["7", [2]]]);
    expect(bad.map(({ reason }) => reason)).toEqual([
      "1 names on two lines of the classes, of which the last counts",
      "another entry has the image_id 7",
    ]);
  });
  it("without a name are in no class, also where a line of the classes ends with a comma", async () => {
    await writeFile(join(folder, "commas.txt"), "cat,\n,dog,,\n");
    const described = [
      {
        image_id: 7,
        objects: [
          { x: 0, y: 0, w: 5, h: 5 },
          { x: 0, y: 0, w: 5, h: 5, names: [""] },
        ],
      },
    ];
    const { samples, bad } = await read("objects.json", described, { classes: join(folder, "commas.txt") });
    expect(samples[0]!.objects!.classes).toEqual([]);
    expect(bad.map(({ reason }) => reason)).toContain("2 objects whose names are in no class");
  });

  it("need a list of classes", async () => {
    await expect(read("objects.json", objects)).rejects.toThrow(/expected a file with a class a line/);
  });
});
