import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../../test/support/data-fixtures.ts";
import { matFile } from "../../../test/support/mat-file.ts";
import { dataRoot, labelsOf, pictures, read, taskOf } from "../../../test/support/task-data.ts";
import type { Sample } from "../../data/index.ts";
import { decodeImage } from "../../image/index.ts";
import { findTask, requireTask } from "./open.ts";

describe("layouts: folders and lists", () => {
  it("class folders: a split's own, and names of classes that the data spell otherwise", async () => {
    const root = await dataRoot(
      "fer2013",
      pictures("train/angry/a.png", "train/fear/b.png", "test/surprise/c.png", "test/stray.png"),
    );
    expect(await labelsOf("fer2013", root)).toEqual({
      train: ["angry", "fearful"],
      validation: [],
      test: ["surprised"],
    });
    expect((await read("fer2013", root, "test")).refused).toEqual([
      "test/stray.png: the picture lies in no folder of a class",
    ]);
  });

  it("class folders without splits: those of EuroSAT by name, those of Caltech101 drawn, always the same and apart", async () => {
    const names = Array.from({ length: 34 }, (_, i) => `ant/${i}.png`);
    const root = await dataRoot("caltech101", pictures(...names, "bass/0.png"));
    const [train, test] = [await read("caltech101", root, "train"), await read("caltech101", root, "test")];
    expect([train.samples.length, test.samples.length]).toEqual([31, 4]);
    const keys = (found: typeof train): string[] => found.samples.map(({ key }) => key);
    expect(new Set([...keys(train), ...keys(test)]).size).toBe(35);
    expect(keys(await read("caltech101", root, "train"))).toEqual(keys(train));
    const sat = await dataRoot("eurosat", pictures("Forest/Forest_1.jpg", "River/River_1.jpg"));
    expect((await read("eurosat", sat, "train")).labels).toEqual(["Forest", "River"]);
    await expect(read("eurosat", sat, "test")).rejects.toThrow(
      /task eurosat: .*expected samples in the split test, got none/,
    );
  });

  it("lists of paths: Food101, DTD, UCF101's frames", async () => {
    const food = await dataRoot("food101", {
      "meta/train.txt": "apple_pie/1\npizza/2\n",
      "meta/test.txt": "pizza/3\npizza/4\n",
      ...pictures("images/apple_pie/1.jpg", "images/pizza/2.jpg", "images/pizza/3.jpg"),
    });
    expect(await labelsOf("food101", food)).toEqual({ train: ["apple_pie", "pizza"], validation: [], test: ["pizza"] });
    expect((await read("food101", food, "test")).refused).toEqual([
      "pizza/4: expected a picture pizza/4.jpg, found none",
    ]);
    const dtd = await dataRoot("dtd", {
      "labels/train1.txt": "dotted/dotted_1.jpg\n",
      "labels/val1.txt": "lined/lined_1.jpg\n",
      "labels/test1.txt": "woven/woven_1.jpg\n",
      ...pictures("images/dotted/dotted_1.jpg", "images/lined/lined_1.jpg", "images/woven/woven_1.jpg"),
    });
    expect(await labelsOf("dtd", dtd)).toEqual({ train: ["dotted"], validation: ["lined"], test: ["woven"] });
    const ucf = await dataRoot("ucf101", {
      "ucfTrainTestlist/trainlist01.txt": "Archery/v_1.avi 1\nArchery/v_2.avi 1\nBowling/v_3.avi 2\n",
      "ucfTrainTestlist/testlist01.txt": "Archery/v_4.avi\n",
      "UCF-101/Bowling/v_3.avi": "a video",
      ...pictures("UCF-101/Archery/v_1.jpg", "UCF-101/Archery/v_4.jpg"),
      ...pictures("UCF-101/Archery/v_2/01.jpg", "UCF-101/Archery/v_2/02.jpg", "UCF-101/Archery/v_2/03.jpg"),
    });
    const train = await read("ucf101", ucf, "train");
    expect(train.labels).toEqual(["Archery", "Archery"]);
    expect(train.refused).toEqual(["Bowling/v_3.avi: a video: put its middle frame beside it as v_3.jpg"]);
    expect((await read("ucf101", ucf, "test")).labels).toEqual(["Archery"]);
  });

  it("SUN397: by its lists where they are there, else drawn 70/10/20 of each class", async () => {
    const names = Array.from({ length: 10 }, (_, i) => `a/abbey/sun_${i}.jpg`);
    const drawn = await dataRoot(
      "sun397",
      pictures(...names, ...names.map((name) => name.replace("abbey", "attic/inside"))),
    );
    const found = await labelsOf("sun397", drawn);
    expect(Object.values(found).map((labels) => (labels as string[]).length)).toEqual([14, 2, 4]);
    expect(new Set(found.train as string[])).toEqual(new Set(["abbey", "attic/inside"]));
    const listed = await dataRoot("sun397", {
      "Training_01.txt": "/a/abbey/sun_0.jpg\n",
      "Testing_01.txt": "/a/abbey/sun_1.jpg\n",
      ...pictures(...names),
    });
    expect(await labelsOf("sun397", listed)).toEqual({ train: ["abbey"], validation: [], test: ["abbey"] });
  });

  it("lists with classes: Pets and Aircraft, whose names of classes have blanks", async () => {
    const pets = await dataRoot("pets", {
      "annotations/trainval.txt": "#Image CLASS-ID SPECIES BREED ID\nyorkshire_terrier_3 37 2 25\nAbyssinian_1 1 1 1\n",
      "annotations/test.txt": "Abyssinian_2 1 1 1\n",
      ...pictures("images/yorkshire_terrier_3.jpg", "images/Abyssinian_1.jpg"),
    });
    expect((await read("pets", pets, "train")).labels).toEqual(["yorkshire_terrier", "Abyssinian"]);
    expect((await read("pets", pets, "test")).refused[0]).toMatch(/^Abyssinian_2: .*expected a readable file/);
    const craft = await dataRoot("aircraft", {
      "images_variant_train.txt": "0034309 707-320\n",
      "images_variant_val.txt": "0034310 Cessna 172\n",
      "images_variant_test.txt": "0034311 F/A-18\n",
      ...pictures("images/0034309.jpg", "images/0034310.jpg", "images/0034311.jpg"),
    });
    expect(await labelsOf("aircraft", craft)).toEqual({
      train: ["707-320"],
      validation: ["Cessna 172"],
      test: ["F/A-18"],
    });
  });

  it("GTSRB, CLEVR, KITTI: classes from a table, from scenes, from the nearest vehicle", async () => {
    const signs = await dataRoot("gtsrb", {
      ...pictures("Training/00000/1.ppm", "Training/00042/1.ppm", "Final_Test/Images/00000.ppm"),
      "../GT-final_test.csv":
        "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\n00000.ppm;53;54;6;5;48;49;16\n",
    });
    expect(await labelsOf("gtsrb", signs)).toEqual({ train: ["0", "42"], validation: [], test: ["16"] });
    const scenes = (name: string, objects: number): string =>
      JSON.stringify({ scenes: [{ image_filename: name, objects: Array(objects).fill({ color: "red" }) }] });
    const clevr = await dataRoot("clevr", {
      "scenes/CLEVR_train_scenes.json": scenes("CLEVR_train_000000.png", 3),
      "scenes/CLEVR_val_scenes.json": scenes("CLEVR_val_000000.png", 10),
      ...pictures("images/train/CLEVR_train_000000.png", "images/val/CLEVR_val_000000.png"),
    });
    expect(await labelsOf("clevr", clevr)).toEqual({ train: ["3"], validation: [], test: ["10"] });
    const line = (kind: string, z: number): string => `${kind} 0.00 0 -1.5 0 0 9 9 1.5 1.6 3.7 1.0 1.5 ${z} -1.4\n`;
    const labels = [
      line("Car", 8) + line("Truck", 30),
      line("Van", 20),
      line("Truck", 20.1),
      line("Pedestrian", 3),
      line("Car", 4),
    ];
    const kitti = await dataRoot("kitti", {
      ...Object.fromEntries(labels.map((text, i) => [`training/label_2/00000${i}.txt`, text])),
      ...pictures(...labels.map((_, i) => `training/image_2/00000${i}.png`)),
    });
    const [train, test] = [await read("kitti", kitti, "train"), await read("kitti", kitti, "test")];
    expect([train.labels.length, test.labels.length]).toEqual([4, 1]);
    const of = new Map([...train.samples, ...test.samples].map(({ key, label }) => [key.slice(-5, -4), label]));
    const numbers = [..."01234"].map((i) => taskOf("kitti").data.classes!.indexOf(String(of.get(i))));
    expect(numbers).toEqual([0, 1, 2, 3, 0]);
  });

  it("MATLAB's lists: Cars and Flowers, compressed or not", async () => {
    const annotations = (name: string, label: number) => [{ bbox_x1: [1], class: [label], fname: name }];
    const cars = await dataRoot("cars", {
      "devkit/cars_train_annos.mat": matFile({ annotations: annotations("00001.jpg", 196) }, true),
      "cars_test_annos_withlabels.mat": matFile({ annotations: annotations("00002.jpg", 1) }, false),
      ...pictures("cars_train/00001.jpg", "cars_test/00002.jpg"),
    });
    expect(await labelsOf("cars", cars)).toEqual({ train: ["195"], validation: [], test: ["0"] });
    const flowers = await dataRoot("flowers102", {
      "imagelabels.mat": matFile({ labels: [77, 1, 102] }, true),
      "setid.mat": matFile({ trnid: [3], valid: [1], tstid: [2] }, true),
      ...pictures("jpg/image_00001.jpg", "jpg/image_00002.jpg", "jpg/image_00003.jpg"),
    });
    expect(await labelsOf("flowers102", flowers)).toEqual({ train: ["101"], validation: ["76"], test: ["0"] });
    await writeFile(join(flowers, "flowers-102", "setid.mat"), "no MATLAB file");
    await expect(read("flowers102", flowers, "train")).rejects.toThrow(/setid\.mat: expected a MATLAB file of level 5/);
  });
});

describe("layouts: pixels in binaries", () => {
  const decoded = async ({ image }: Sample) => decodeImage(image!, { key: "it" });

  it("CIFAR's records, with one label or two", async () => {
    const planes = new Uint8Array(3072).map((_, i) => (i < 1024 ? i % 256 : i < 2048 ? 7 : 9));
    const ten = await dataRoot("cifar10", {
      "data_batch_1.bin": Uint8Array.from([3, ...planes, 9, ...planes]),
      "data_batch_2.bin": Uint8Array.from([0, ...planes]),
      "test_batch.bin": Uint8Array.from([1, ...planes]),
    });
    const train = await read("cifar10", ten, "train");
    expect(train.labels).toEqual(["cat", "truck", "airplane"]);
    const { width, height, data } = await decoded(train.samples[2]!);
    expect([width, height, ...data.slice(3 * 33, 3 * 33 + 3)]).toEqual([32, 32, 33, 7, 9]);
    const hundred = await dataRoot("cifar100", {
      "train.bin": Uint8Array.from([4, 99, ...planes]),
      "test.bin": Uint8Array.from([4, 30, ...planes]),
    });
    expect((await read("cifar100", hundred, "train")).labels).toHaveLength(1);
    await writeFile(join(ten, "cifar-10-batches-bin", "test_batch.bin"), Uint8Array.from([11, ...planes]));
    await expect(read("cifar10", ten, "test")).rejects.toThrow(
      /task cifar10: .*test_batch\.bin:0: expected a label from 0 to 9, got 11/,
    );
    await writeFile(join(ten, "cifar-10-batches-bin", "test_batch.bin"), planes.slice(1));
    await expect(read("cifar10", ten, "test")).rejects.toThrow(/expected records of 3073 bytes, got a file of 3071/);
  });

  it("STL-10's planes go by columns", async () => {
    const planes = new Uint8Array(3 * 96 * 96);
    planes[96 * 5 + 2] = 200; // red, column 5, row 2
    const root = await dataRoot("stl10", {
      "train_X.bin": planes,
      "train_y.bin": Uint8Array.from([10]),
      "test_X.bin": planes,
      "test_y.bin": Uint8Array.from([1, 2]),
    });
    const { samples, labels } = await read("stl10", root, "train");
    expect(labels).toEqual(["truck"]);
    const { data } = await decoded(samples[0]!);
    expect([data.indexOf(200), data.filter((value) => value !== 0).length]).toEqual([3 * (2 * 96 + 5), 1]);
    await expect(read("stl10", root, "test")).rejects.toThrow(
      /expected 1 labels, one for each picture of test_X\.bin, got 2/,
    );
  });

  it("IDX, plain and gzip; FER2013's table", async () => {
    const head = (...sizes: number[]) => [0, 0, 8, sizes.length, ...sizes.flatMap((n) => [0, 0, 0, n])];
    const images = Uint8Array.from([...head(2, 2, 3), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    const root = await dataRoot("mnist", {
      "raw/train-images-idx3-ubyte": images,
      "raw/train-labels-idx1-ubyte": Uint8Array.from([...head(2), 5, 0]),
      "t10k-images.idx3-ubyte.gz": gzipSync(images),
      "t10k-labels.idx1-ubyte.gz": gzipSync(Uint8Array.from([...head(2), 9, 9])),
    });
    const { samples, labels } = await read("mnist", root, "train");
    expect(labels).toEqual(["5", "0"]);
    const { width, height, data } = await decoded(samples[1]!);
    expect([width, height, data[0], data.at(-1)]).toEqual([3, 2, 7, 12]);
    expect((await read("mnist", root, "test")).labels).toEqual(["9", "9"]);
    await writeFile(join(root, "mnist", "raw", "train-images-idx3-ubyte"), images.slice(0, -1));
    await expect(read("mnist", root, "train")).rejects.toThrow(
      /expected 2 × 2 × 3 = 12 bytes behind the header, got 11/,
    );
    await writeFile(join(root, "mnist", "t10k-labels.idx1-ubyte.gz"), gzipSync(Uint8Array.from([...head(2), 9, 10])));
    await expect(read("mnist", root, "test")).rejects.toThrow(
      /task mnist: .*t10k-labels\.idx1-ubyte\.gz:1: expected a label from 0 to 9, got 10/,
    );
    const grey = Array.from({ length: 2304 }, (_, i) => i % 256).join(" ");
    const table = `emotion,pixels,Usage\n3,"${grey}",Training\n4,${grey},PublicTest\n6,1 2,PrivateTest\n0,${grey},PrivateTest\n`;
    const fer = await dataRoot("fer2013", { "fer2013.csv": table });
    expect(await labelsOf("fer2013", fer)).toEqual({ train: ["happy"], validation: ["sad"], test: ["angry"] });
    expect((await read("fer2013", fer, "test")).refused).toEqual([
      "fer2013:3: expected 2304 grey values from 0 to 255, got 2",
    ]);
  });
});

describe("findTask and openSplit", () => {
  it("say which task has no data, and where to get them", async () => {
    const root = await temporaryFolder();
    expect(await findTask(taskOf("pets"), root)).toBeUndefined();
    await expect(requireTask(taskOf("pets"), root)).rejects.toThrow(
      /task pets: .*oxford-iiit-pet, found none\n.*robots\.ox/,
    );
  });

  it("refuse a folder of no layout of the task, and say what was expected", async () => {
    const root = await dataRoot("cifar10", { data_batch_1: "the version for Python" });
    await expect(findTask(taskOf("cifar10"), root)).rejects.toThrow(
      /task cifar10: .*expected data_batch_1\.bin .*; got data_batch_1/,
    );
  });

  it("refuse more classes than the task has, and classes that it does not have", async () => {
    const root = await dataRoot("mnist", pictures("train/ten/a.png", "test/1/b.png"));
    await expect(read("mnist", root, "train")).rejects.toThrow(
      /task mnist: .*train\/ten\/a\.png: expected a label of 0, 1, .*got ten/,
    );
    const pets = await dataRoot(
      "pets",
      pictures(...Array.from({ length: 38 }, (_, i) => `train/c${i}/a.png`), "test/c1/a.png"),
    );
    await expect(read("pets", pets, "train")).rejects.toThrow(/task pets: .*expected 37 classes, got 38/);
  });

  it("have a fingerprint that other labels change", async () => {
    const files = (label: string) => ({ "images_variant_test.txt": `1 ${label}\n`, ...pictures("images/1.jpg") });
    const root = await dataRoot("aircraft", files("a"));
    const before = await (await read("aircraft", root, "test")).source!.fingerprint!();
    await writeFile(join(root, taskOf("aircraft").data.folder, "images_variant_test.txt"), "1 b\n");
    expect((await (await read("aircraft", root, "test")).source!.fingerprint!()).hash).not.toBe(before.hash);
  });
});
