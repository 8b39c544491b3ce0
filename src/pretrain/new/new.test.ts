import { readdir, readFile, writeFile } from "node:fs/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { lossesOf } from "../../../test/support/below-chance.ts";
import { temporaryFolder, writeFiles } from "../../../test/support/data-fixtures.ts";
import { type OwnData, ownData } from "../../../test/support/own-data.ts";
import { resolveRecipe } from "../recipe/index.ts";
import { pretrain } from "../run/run.ts";
import { type NewRequest, newRecipe } from "./index.ts";

let data: OwnData;
let out: string;
beforeAll(async () => {
  data = await ownData(60);
  out = await temporaryFolder();
});

const notes: string[] = [];
const make = (source: string, more: Partial<NewRequest> = {}) =>
  newRecipe(
    { source, size: "tiny", minutes: 0.2, seed: 0, out: `${out}/${notes.push("") - 1}.yaml`, ...more },
    { note: () => undefined, speed: 5e9 },
  );

/** Trains with few steps and gives every loss beside its chance level. */
async function trained(path: string, set: readonly string[]) {
  const runDir = `${path}-run`;
  const { recipe } = await resolveRecipe(path, { set: [`runDir=${runDir}`, "data.workers=0", ...set] });
  return lossesOf(runDir, await pretrain({ recipe, command: "a test" }));
}

describe("newRecipe", () => {
  it.each([
    ["JSONL of captions", "jsonl", "pairs"],
    ["tar shards", "tars", "pairs"],
    ["pictures with text files beside", "folder", "pairs"],
    ["pictures without captions", "pictures", "images"],
    ["a CSV table", "csv", "pairs"],
    ["texts", "texts", "texts"],
  ] as const)("makes of %s a recipe with what is held out beside it", async (_, which, kind) => {
    const made = await make(data[which]);
    expect(made.kind).toBe(kind);
    expect(made.facts.join("\n")).toMatch(/60 samples: [\s\S]*held out: 6 for validation/);
    const { recipe } = await resolveRecipe(made.path);
    expect(Object.keys(recipe.stages)).toEqual(
      { pairs: ["codebook", "text", "image", "joint"], images: ["codebook", "image"], texts: ["text"] }[kind],
    );
    expect(recipe.data[kind][0]!.without![0]!.by).toBe(kind === "pairs" ? "concept" : "caption");
    expect((await readdir(made.heldOut!)).sort()).toEqual(
      { pairs: ["test", "validation"], images: ["validation"], texts: ["validation.txt"] }[kind],
    );
    await expect(make(data[which], { out: made.path })).rejects.toThrow(/expected a new file[\s\S]*--force/);
    const text = await readFile(made.path, "utf8");
    expect((await make(data[which], { out: made.path, force: true })).path).toBe(made.path);
    expect(await readFile(made.path, "utf8")).toBe(text);
  });

  it("trains on pictures without captions to losses below chance", async () => {
    const { path } = await make(data.pictures);
    const losses = await trained(path, ["stages.codebook.steps=10", "stages.image.steps=30"]);
    expect(losses.map(({ name }) => name)).toEqual(["image/mim"]);
    for (const { name, loss, chance } of losses) expect(loss, name).toBeLessThan(0.9 * chance);
  });

  it("trains the text encoder on texts that go with pairs, without those that are held out", async () => {
    const { path } = await make(data.jsonl, { texts: data.texts, size: "tiny" });
    const only = ["codebook", "image", "joint"].map((stage) => `stages.${stage}=null`);
    const losses = await trained(path, [...only, "stages.text.steps=60"]);
    expect(losses[0]!.loss).toBeLessThan(0.9 * losses[0]!.chance);
  });

  it("says how a table's own columns and pictures elsewhere are named", async () => {
    const root = await temporaryFolder();
    const rows = Array.from({ length: 20 }, (_, i) => ({ file: `${i}.png`, words: `number ${i} of some` }));
    await writeFile(`${root}/rows.jsonl`, rows.map((row) => JSON.stringify(row)).join("\n"));
    await expect(make(`${root}/rows.jsonl`)).rejects.toThrow(/among the keys file, words[\s\S]*--text-column/);
    const columns = { imageColumn: "file", textColumn: "words" };
    await expect(make(`${root}/rows.jsonl`, columns)).rejects.toThrow(/--images DIR/);
    const made = await make(`${root}/rows.jsonl`, { ...columns, images: data.pictures });
    expect(made.recipe.data.pairs[0]!.source).toMatchObject({ image: "file", text: "words", root: data.pictures });
    const more = await make(data.jsonl, { images: data.pictures });
    expect(more.recipe.data.images).toHaveLength(2);
  });

  it("counts what cannot be used, and lists it", async () => {
    const root = await temporaryFolder();
    const files: [string, Uint8Array][] = [];
    for (let i = 0; i < 20; i++) {
      const bytes = await readFile(`${data.pictures}/${i >> 2}.png`);
      files.push([`${i}.PnG`, i % 2 ? bytes : bytes.subarray(0, 60)]);
    }
    await writeFiles(root, Object.fromEntries(files));
    const made = await make(root);
    expect(made.facts.join("\n")).toMatch(/10 pictures[\s\S]*5 are copies[\s\S]*cannot be used: 10/);
    expect((await readFile(`${made.heldOut}/bad.jsonl`, "utf8")).trimEnd().split("\n")).toHaveLength(10);
  });

  const nonsense: [string, Record<string, string>, RegExp][] = [
    ["an empty folder", {}, /expected tar or parquet shards.*got nothing[\s\S]*right folder/],
    ["a picture alone", { "a.png": "?" }, /expected samples that can be used, got none; 1 cannot be used/],
    ["damaged pictures", { "a.png": "x", "b.jpg": "y" }, /2 cannot be used, \d of them like/],
    ["a table without columns", { "metadata.csv": "x,y\n1,2\n" }, /got x, y[\s\S]*--image-column and --text-column/],
    ["text in place of JSON", { "metadata.jsonl": "once upon\na time\n" }, /got none; 2 cannot be used.*expected JSON/],
  ];
  it.each(nonsense)("refuses %s", async (_, files, message) => {
    const root = await temporaryFolder();
    await writeFiles(root, files);
    await expect(make(root)).rejects.toThrow(message);
  });

  it("refuses captions that are all the same, texts as pictures, and pictures as texts", async () => {
    const root = await temporaryFolder();
    const rows = Array.from({ length: 9 }, (_, i) =>
      JSON.stringify({ image: `${data.pictures}/${i}.png`, text: "it" }),
    );
    await writeFile(`${root}/same.jsonl`, rows.join("\n"));
    const same = make(`${root}/same.jsonl`, { outside: true });
    await expect(same).rejects.toThrow(/expected captions that differ, got 9 times the same[\s\S]*--ignore-captions/);
    expect((await make(`${root}/same.jsonl`, { outside: true, ignoreCaptions: true })).kind).toBe("images");
    await expect(make(data.jsonl, { images: data.texts })).rejects.toThrow(
      /expected pictures, got 60 samples with none/,
    );
    await expect(make(data.jsonl, { texts: data.pictures })).rejects.toThrow(
      /expected texts, got 60 samples with none/,
    );
    await expect(make(data.pictures, { texts: data.texts })).rejects.toThrow(/expected pairs to go with them/);
    await expect(make(data.texts, { textColumn: "x" })).rejects.toThrow(/expected a table where columns are named/);
  });
});
