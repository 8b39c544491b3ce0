/** The commands that use a model, with a tiny one of drawn weights: what they say, and how they fail. */
import { readdirSync } from "node:fs";
import { mkdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { COLOURS, colourPicture } from "../../test/support/colour-pictures.ts";
import { temporaryFolder, writeFiles } from "../../test/support/data-fixtures.ts";
import { type Ran, runCommand } from "../../test/support/run-command.ts";
import { savedFamily } from "../../test/support/saved-family.ts";
import { tinyModelFolder } from "../../test/support/tiny-model.ts";
import { FlavaModel } from "../api/index.ts";
import { define as classify } from "./classify.ts";
import { define as data } from "./data.ts";
import { define as embed } from "./embed.ts";
import { define as evaluate } from "./eval.ts";
import { define as fill } from "./fill.ts";
import { define as match } from "./match.ts";
import { define as neighbours } from "./neighbours.ts";
import { define as search } from "./search.ts";

let model: string;
let folder: string;
let red: string;
beforeAll(async () => {
  model = await tinyModelFolder();
  folder = await temporaryFolder();
  const pictures = Object.entries(COLOURS).map(([name, colour]) => [`p/${name}.ppm`, colourPicture(colour)]);
  await writeFiles(folder, {
    ...Object.fromEntries(pictures),
    "labels.txt": "\uFEFFcat\r\ndog \r\n\r\nball\r\n",
    "names.json": '{"0": "cat",\n"1": "dog"}',
    "texts.jsonl": '{"text": "a cat"}\n',
    "t.txt": "a {} on a beach\n",
  });
  await utimes(join(folder, "p", "red.ppm"), new Date("2026-01-01"), new Date("2026-01-01"));
  red = join(folder, "p", "red.ppm");
});
afterAll(() => rm(model, { recursive: true }));

const VERBS = [embed, classify, match, fill, neighbours, search, data, evaluate];
const flava = (verb: string, ...args: string[]): Promise<Ran> => runCommand(VERBS, verb, ...args);
const withTiny = (verb: string, ...args: string[]): Promise<Ran> => flava(verb, ...args, "--model", model);

describe("a command that uses a model", () => {
  it.each(["embed", "classify", "match", "fill", "neighbours", "search"])(
    "%s has an example in its help",
    async (verb) => {
      const { stdout } = await flava(verb, "--help");
      expect(stdout).toMatch(new RegExp(`Examples:\n  flava ${verb} `));
    },
  );

  it("says which model it can take where none is named", async () => {
    const before = process.cwd();
    process.chdir(folder); // not where `npm start` may have left a model
    const { error } = await flava("fill", "a [MASK]").finally(() => process.chdir(before));
    expect(error).toMatchObject({
      code: "E_CONFIG",
      message: expect.stringMatching(/none in runs\/starter\n.*npm start/),
    });
  });

  it("says what of a folder it passes over, and only that", async () => {
    const file = colourPicture([255, 0, 0]);
    await writeFiles(folder, {
      "h/red.ppm": file,
      "h/.red.ppm": file,
      "o/red.ppm": file,
      "o/a.txt": "a",
      "o/b.txt": "b",
    });
    const said = async (place: string) =>
      /passed over.*/.exec((await withTiny("classify", join(folder, place), "--labels", "cat,dog")).stderr)?.[0];
    expect(await said("h")).toBe("passed over: a hidden file");
    expect(await said("o")).toBe("passed over: 2 files that are no pictures");
  });

  it("says which words the model does not know", async () => {
    const { stderr } = await withTiny("match", red, "a purple dog", "a zebra");
    expect(stderr).toContain("the model does not know 2 words: purple, zebra");
  });
});

describe("classify", () => {
  it("scores the labels of each picture as the api does", async () => {
    const { json, stderr } = await withTiny(
      "classify",
      join(folder, "p"),
      "--labels",
      "cat,dog,ball",
      "--top",
      "2",
      "--json",
    );
    expect(json.results.map(({ key }: { key: string }) => key)).toEqual(
      Object.keys(COLOURS)
        .sort()
        .map((name) => join(folder, "p", `${name}.ppm`)),
    );
    await using opened = await FlavaModel.fromPretrained(model);
    const { logits_per_image } = await opened.similarity(red, ["cat", "dog", "ball"]);
    const row = [...logits_per_image.row(0)];
    const total = row.reduce((sum, x) => sum + Math.exp(x), 0);
    const best = row.map((x, i) => ({ label: ["cat", "dog", "ball"][i]!, score: Math.exp(x) / total }));
    const found = json.results.find(({ key }: { key: string }) => key === red).labels;
    for (const [i, { label, score }] of best
      .sort((a, b) => b.score - a.score)
      .slice(0, 2)
      .entries())
      expect(found[i]).toEqual({ label, score: expect.closeTo(score, 4) });
    expect(stderr).toContain('captions: "{}"');
  });

  it("takes labels and templates from files, and prints a table", async () => {
    const { stdout } = await withTiny(
      "classify",
      red,
      "--labels",
      join(folder, "labels.txt"),
      "--templates",
      join(folder, "t.txt"),
    );
    expect(stdout.trimEnd().split("\n")).toHaveLength(3);
    expect(stdout).toMatch(/^ +\d+\.\d % {2}(cat|dog|ball)$/m);
  });

  it.each([
    [["x.png", "--labels", "none.txt"], /--labels none.txt: expected a file or labels.*no such file/],
    [["x.png", "--labels", "cat,cat"], /expected each label once/],
    [["x.png", "--labels", "FOLDER/names.json"], /names.json: expected a JSON list of labels, or a label on each line/],
    [["FOLDER/texts.jsonl", "--labels", "a,b"], /^FOLDER\/texts.jsonl:1: expected a picture, got a text/],
    [["x.png", "--labels", "a,b", "--templates", "none.txt"], /none.txt: expected a file, got ENOENT/],
    [["x.png", "--labels", "a,b"], /^x.png: expected a readable file, got ENOENT/],
    [["http://127.0.0.1:9/x.png", "--labels", "a,b"], /^http:\/\/127.0.0.1:9\/x.png: /],
  ])("names what is wrong: %j", async (args, message) => {
    const { error } = await withTiny("classify", ...args.map((word) => word.replace("FOLDER", folder)));
    expect(error?.message.replaceAll(folder, "FOLDER")).toMatch(message);
  });
});

describe("embed", () => {
  it("answers what it can, lists the rest, and fails in the end", async () => {
    const [out, bad] = [join(folder, "e.jsonl"), join(folder, "bad.jsonl")];
    await writeFile(join(folder, "broken.png"), "no picture");
    const args = [
      join(folder, "p"),
      join(folder, "broken.png"),
      "none*.jpg",
      "--text",
      "a cat",
      "--out",
      out,
      "--bad",
      bad,
    ];
    const { error, stdout } = await withTiny("embed", ...args);
    expect(error?.message).toMatch(
      /^2 of 7 inputs could not be used:\n {2}none\*.jpg: .*\n {2}.*broken.png: expected JPEG/,
    );
    expect(stdout).toContain("4 pictures, 1 texts");
    expect((await readFile(out, "utf8")).trimEnd().split("\n")).toHaveLength(5);
    expect((await readFile(bad, "utf8")).trimEnd().split("\n")).toHaveLength(2);
    const again = await withTiny("embed", ...args, "--resume");
    expect(again.stderr).toContain("is whole already");
  });

  it("and search take pictures with a model that has no tokenizer, which is named where it is needed", async () => {
    const mute = await tinyModelFolder();
    await rm(join(mute, "tokenizer.json"));
    const using = ["--model", mute];
    const { error, stdout } = await flava("embed", red, "--out", join(folder, "mute.npy"), ...using);
    expect([error, stdout]).toEqual([undefined, expect.stringContaining("1 pictures")]);
    expect((await flava("search", join(folder, "p"), "--image", red, "--json", ...using)).json.results).toHaveLength(4);
    const asked = await flava("embed", "--text", "a cat", "--out", join(folder, "mute.jsonl"), ...using);
    expect(asked.error).toMatchObject({
      code: "E_CHECKPOINT",
      message: expect.stringMatching(/expected tokenizer.json/),
    });
    await rm(mute, { recursive: true });
  });

  it("names a single input that cannot be used, and writes no file", async () => {
    await mkdir(join(folder, "empty"));
    const out = join(folder, "none.npy");
    const { error } = await withTiny("embed", join(folder, "empty"), "--out", out);
    expect(error?.message).toBe(
      `${join(folder, "empty")}: expected pictures below this folder, found none (0 other files)`,
    );
    const other = await withTiny("embed", "missing.jpg", "--out", out);
    expect(other.error?.message).toMatch(/^missing.jpg: expected a readable file/);
    expect((await withTiny("embed", "--out", "x.csv")).error?.message).toMatch(
      /^--out x.csv: expected a name that ends in/,
    );
    expect(readdirSync(folder).filter((name) => name.startsWith("none"))).toEqual([]);
  });
});

describe("match and fill", () => {
  it("give the api's probabilities", async () => {
    const { json } = await withTiny("match", red, "a cat", "a dog", "--json");
    await using opened = await FlavaModel.fromPretrained(model);
    const [cat, dog] = await opened.match(red, ["a cat", "a dog"]);
    const by = Object.fromEntries(json.results.map((one: { text: string; match: number }) => [one.text, one.match]));
    expect(by).toEqual({ "a cat": expect.closeTo(cat!, 5), "a dog": expect.closeTo(dog!, 5) });
    const filled = await withTiny("fill", "a [MASK] on [MASK]", "--image", red, "--top", "3", "--json");
    expect(filled.json.masks.map((words: unknown[]) => words.length)).toEqual([3, 3]);
    expect((await withTiny("fill", "a [MASK]")).stdout.trimEnd().split("\n")).toHaveLength(5);
  });

  it("say what a model without embeddings of its own says of pairs, and why one without a head says nothing", async () => {
    const vilt = await savedFamily("vilt");
    const found = await flava("match", red, "red", "a cat", "--json", "--model", vilt.folder);
    expect(found.error).toBeUndefined();
    expect(found.json.results.map((one: object) => Object.keys(one))).toEqual([
      ["text", "match"],
      ["text", "match"],
    ]);
    const { stdout } = await flava("match", red, "red", "--model", vilt.folder);
    expect(stdout).toMatch(/^ *match +text\n *[\d.]+ % +red/);
    const clip = await savedFamily("clip");
    expect((await flava("match", red, "red", "--model", clip.folder)).error?.message).toMatch(
      /CLIP has no matching head/,
    );
  });

  it("name a picture that is none and a text without [MASK]", async () => {
    expect((await withTiny("match", folder, "a cat")).error?.message).toBe(`${folder}: expected a file, got a folder`);
    expect((await withTiny("fill", "a cat")).error?.message).toMatch(/expected a text with \[MASK\], got "a cat"$/);
    expect((await withTiny("fill", "a [mask]")).error?.message).toMatch(/help: write it as \[MASK\]/);
  });
});

describe("neighbours", () => {
  it("orders words as the api's embeddings do, and says which it does not know", async () => {
    await writeFile(join(folder, "among.txt"), "dog\nball\nzebra\ntree\n");
    const among = ["--among", join(folder, "among.txt")];
    const { json, stderr } = await flava("neighbours", model, "cat", "okapi", ...among, "--top", "2", "--json");
    await using opened = await FlavaModel.fromPretrained(model);
    const [cat, ...others] = (
      await opened.encodeText(["cat", "dog", "ball", "tree"])
    ).text_embeds.tolist() as number[][];
    const cosines = others.map((row) => row.reduce((sum, x, e) => sum + x * cat![e]!, 0));
    const best = ["dog", "ball", "tree"]
      .map((text, i) => ({ text, cosine: expect.closeTo(cosines[i]!, 4), at: cosines[i]! }))
      .sort((a, b) => b.at - a.at)
      .map(({ text, cosine }) => ({ text, cosine }));
    expect(json).toMatchObject({ by: "text_embeds", among: 4 });
    expect(json.words).toEqual([
      { word: "cat", neighbours: best.slice(0, 2) },
      { word: "okapi", neighbours: [] },
    ]);
    expect(stderr).toContain("the model does not know a word: okapi");
  });

  it("looks in the vocabulary where no list is given, and refuses an empty one", async () => {
    const { stdout } = await flava("neighbours", model, "cat", "okapi");
    expect(stdout).toMatch(
      /^cat {4}[a-z]+ \(-?\d\.\d\d\)(, [a-z]+ \(-?\d\.\d\d\)){4}\nokapi {2}not a word that the model knows\n$/,
    );
    expect(stdout).not.toMatch(/\bcat \(|\bof \(/);
    await writeFile(join(folder, "none.txt"), "\n");
    const { error } = await flava("neighbours", model, "cat", "--among", join(folder, "none.txt"));
    expect(error?.message).toMatch(/--among .*none.txt: expected a word on each line, got none/);
  });
});

describe("search", () => {
  it("finds the picture itself first, judges the first ones, and writes a page", async () => {
    const pictures = join(folder, "p");
    const first = await withTiny("search", pictures, "--image", red, "--json");
    expect(first.json.index).toMatchObject({ pictures: 4, encoded: 4 });
    expect(first.json.results[0]).toEqual({ path: "red.ppm", score: expect.closeTo(1, 4) });
    const page = join(folder, "page.html");
    const again = await withTiny(
      "search",
      pictures,
      "a",
      "red",
      "ball",
      "--rerank",
      "2",
      "--top",
      "3",
      "--html",
      page,
      "--json",
    );
    expect(again.json.index.encoded).toBe(0);
    expect(again.json.query).toBe("a red ball");
    const judged = again.json.results.map((one: { match?: number }) => one.match);
    expect(judged).toEqual([expect.any(Number), expect.any(Number), undefined]);
    expect(judged[0]).toBeGreaterThanOrEqual(judged[1]);
    expect((await readFile(page, "utf8")).match(/<li>/g)).toHaveLength(3);
    const timed = await withTiny("search", pictures, "a cat", "--timings");
    expect(timed.stdout).toMatch(/query embedded +\d+\.\d ms\npictures compared +\d+\.\d ms/);
  });

  it("names what cannot be", async () => {
    expect((await withTiny("search", join(folder, "nothing"), "cat")).error?.message).toMatch(
      /nothing: expected a folder, got ENOENT/,
    );
    expect((await withTiny("search", join(folder, "empty"), "cat")).error?.message).toMatch(/empty: expected pictures/);
    expect((await withTiny("search", folder, "cat", "--image", red)).error?.message).toMatch(/got both/);
  });
});

describe("data extract", () => {
  it("writes the pictures of a source as files that are a source again", async () => {
    const out = join(folder, "out");
    const { json } = await flava("data", "extract", "synthetic:3x16", out, "--json");
    expect(json.pictures).toBe(3);
    expect(readdirSync(out)).toHaveLength(4);
    const { json: seen } = await flava("data", "inspect", out, "--json");
    expect(seen).toMatchObject({ samples: 3, bad: { count: 0 } });
    expect((await flava("data", "extract", "synthetic:3x16", out)).error?.message).toMatch(
      /expected a new or an empty folder/,
    );
  });
});

describe("eval --list", () => {
  it("names the paper's tasks and those of the starter data, and how to get what is not there", async () => {
    const { stdout } = await flava("eval", "--list", "--data-root", folder);
    expect(stdout).toMatch(/^– pets {2,}put .+robots\.ox/m);
    expect(stdout).toMatch(/^(✓ starter-families +the starter data|– starter-families +flava data fetch starter)$/m);
  });
});
