import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parquetWriteBuffer } from "hyparquet-writer";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../../test/support/data-fixtures.ts";
import { dataRoot, pictures, read } from "../../../test/support/task-data.ts";

/** A data root with files where people and archives put them. */
async function rootWith(files: Readonly<Record<string, string | Uint8Array>>): Promise<string> {
  const root = await temporaryFolder();
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), content);
  }
  return root;
}

const reviews = "sentence\tlabel\nfine\t1\npoor\t0\n";
const within = (folder: string, files: Readonly<Record<string, string | Uint8Array>>) =>
  rootWith(Object.fromEntries(Object.entries(files).map(([name, content]) => [`${folder}/${name}`, content])));

describe("where a task's data lie", () => {
  it.each(["glue/SST-2", "glue/sst2", "glue_data/SST-2", "SST-2", "sst2", "GLUE/SST-2"])(
    "GLUE in %s",
    async (folder) => {
      const root = await within(folder, { "train.tsv": reviews, "dev.tsv": reviews, "../CoLA/train.tsv": "no\tcola" });
      expect((await read("sst2", root, "train")).labels).toEqual(["positive", "negative"]);
    },
  );

  it("archives that unpack into folders of their own, beside what systems leave behind", async () => {
    const classes = pictures("ant/image_0001.jpg", "ant/image_0002.jpg", "bass/image_0001.JPG", "bass/image_0002.JPG");
    const rest = { ".DS_Store": "", "Thumbs.db": "", "__MACOSX/ant/._image_0001.jpg": "" };
    const caltech = await within("caltech101/101_ObjectCategories", {
      ...classes,
      ...rest,
      "../Annotations/ant/a.mat": "",
    });
    expect((await read("caltech101", caltech, "train")).labels).toEqual(["ant", "ant", "bass", "bass"]);
    const whole = await within(
      "imagenet/ILSVRC/Data/CLS-LOC",
      pictures("train/n01440764/a.JPEG", "val/n01440764/b.JPEG"),
    );
    expect((await read("imagenet", whole, "test")).labels).toEqual(["n01440764"]);
    const sat = await within("EuroSAT/EuroSAT_RGB", pictures("Forest/Forest_1.jpg", "River/River_1.jpg"));
    expect((await read("eurosat", sat, "train")).labels).toEqual(["Forest", "River"]);
    const aircraft = await within("FGVC-Aircraft-2013b/data", {
      "images_variant_test.txt": "0001 737-200\r\n",
      ...pictures("images/0001.jpg"),
    });
    expect((await read("aircraft", aircraft, "test")).labels).toEqual(["737-200"]);
  });

  it("of Karpathy's three files in one archive the task's own, also where the pictures are a folder above", async () => {
    const file = (filepath: string | undefined, name: string): string =>
      JSON.stringify({
        images: [{ filepath, filename: `${name}.jpg`, split: "test", sentences: [{ raw: `a ${name}` }] }],
      });
    const lists = (filepath?: string) => ({
      "dataset_coco.json": file(filepath, "coco"),
      "dataset_flickr8k.json": file(undefined, "eight"),
      "dataset_flickr30k.json": file(undefined, "thirty"),
    });
    const flickr = await within("flickr30k", { ...lists(), ...pictures("flickr30k-images/thirty.jpg") });
    expect((await read("flickr30k", flickr, "test")).samples.map(({ texts }) => texts)).toEqual([["a thirty"]]);
    const coco = await within("coco/annotations", { ...lists("val2014"), ...pictures("../val2014/coco.jpg") });
    expect((await read("coco", coco, "test")).samples.map(({ texts }) => texts)).toEqual([["a coco"]]);
  });

  it("SNLI-VE with the pictures of the retrieval task", async () => {
    const root = await rootWith({
      "snli-ve/snli_ve_train.jsonl": '{"Flickr30K_ID":"1","sentence2":"x","gold_label":"entailment"}\n',
      ...pictures("flickr30k/flickr30k-images/1.jpg"),
    });
    expect((await read("snli-ve", root, "train")).labels).toEqual(["entailment"]);
  });
});

describe("GLUE as it comes", () => {
  it("counts rows without a text and rows that are cut, by their lines; quotation marks mean nothing", async () => {
    const tsv = '\ufeffsentence\tlabel\r\n"an open quote\t1\r\n\r\n\t\r\ncut\r\n \t1\r\nend "" of\t0\r\n';
    const { samples, refused } = await read(
      "sst2",
      await dataRoot("sst2", { "train.tsv": tsv, "dev.tsv": tsv }),
      "train",
    );
    expect(samples.map(({ texts, label }) => [texts![0], label])).toEqual([
      ['"an open quote', "positive"],
      ['end "" of', "negative"],
    ]);
    expect(refused).toEqual([
      "train.tsv:4: expected a text, got a blank",
      "train.tsv:5: expected 2 cells, got 1",
      "train.tsv:6: expected a text, got a blank",
    ]);
  });

  it("takes other spellings of a class, and nothing that only looks like one", async () => {
    const labelled = (label: string) =>
      dataRoot("rte", { "dev.tsv": `index\tsentence1\tsentence2\tlabel\n0\ta\tb\t${label}\n` });
    expect((await read("rte", await labelled("Not-Entailment"), "test")).labels).toEqual(["not_entailment"]);
    for (const label of ["notentailment", "-entailment", "entailment?"])
      await expect(read("rte", await labelled(label), "test"), label).rejects.toThrow(/expected a label of entailment/);
  });

  it("the Hub's parquet in shards, with names of classes that are spelt otherwise", async () => {
    const shard = (first: number): Uint8Array => {
      const names = { info: { features: { label: { names: ["not_equivalent", "equivalent"] } } } };
      const columnData = [
        { name: "sentence1", data: [`a${first}`, `b${first}`] },
        { name: "sentence2", data: ["c", "d"] },
        { name: "label", data: [first % 2, -1] },
      ];
      return new Uint8Array(
        parquetWriteBuffer({ columnData, kvMetadata: [{ key: "huggingface", value: JSON.stringify(names) }] }),
      );
    };
    const files = Object.fromEntries([0, 1, 2].map((i) => [`train-0000${i}-of-00003.parquet`, shard(i)]));
    const root = await dataRoot("mrpc", { ...files, "validation-00000-of-00001.parquet": shard(0) });
    const { samples } = await read("mrpc", root, "train");
    expect(samples.map(({ texts, label }) => [texts!.join(" "), label])).toEqual([
      ["a0 c", "not equivalent"],
      ["b0 d", undefined],
      ["a1 c", "equivalent"],
      ["b1 d", undefined],
      ["a2 c", "not equivalent"],
      ["b2 d", undefined],
    ]);
  });
});
