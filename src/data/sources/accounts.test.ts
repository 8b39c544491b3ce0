/** Of every format: what is read and what is listed as bad are together what was given, whatever its layout and damage. */
import { symlink } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { parquetWriteBuffer } from "hyparquet-writer";
import { beforeAll, describe, expect, it } from "vitest";
import { collect, fakeImage, temporaryFolder, utf8, writeFiles } from "../../../test/support/data-fixtures.ts";
import { type RawMember, rawTar } from "../../../test/support/tar-bytes.ts";
import { concatBytes } from "../../io/index.ts";
import type { SourceSpec } from "./formats.ts";
import { openSource } from "./open.ts";
import { buildShards } from "./shards.ts";
import type { BadSample, SampleOptions, Source } from "./source.ts";

/** A sample that a format is given: sound, or damaged in one of its ways. */
interface Given {
  /** Unique; its caption begins with it. */
  readonly id: number;
  /** undefined: sound. Any number: one of the format's damages. */
  readonly damage: number | undefined;
  /** Chooses between ways to write the same. */
  readonly way: number;
}

interface Layout {
  /** The samples of each file. */
  readonly files: readonly (readonly Given[])[];
  /** Orders members, mixes line ends. */
  readonly seed: number;
  readonly packed: boolean;
}

/** The bytes of a file of these samples. */
type Write = (given: readonly Given[], seed: number) => Uint8Array;

const given = fc.record({ damage: fc.option(fc.nat(20), { nil: undefined }), way: fc.nat(20) });
const layout: fc.Arbitrary<Layout> = fc
  .record({
    files: fc.array(fc.array(given, { maxLength: 7 }), { minLength: 1, maxLength: 3 }),
    seed: fc.nat(),
    packed: fc.boolean(),
  })
  .map(({ files, ...rest }) => ({
    ...rest,
    files: files.map((file, f) => file.map((g, i) => ({ ...g, id: f * 100 + i }))),
  }));

const pick = <T>(of: readonly T[], at: number): T => of[at % of.length]!;
const bytes = (...parts: readonly (string | number)[]): Uint8Array =>
  concatBytes(parts.map((part) => (typeof part === "string" ? utf8(part) : new Uint8Array([part]))));

/** The same order for the same seed. */
const shuffled = <T>(list: readonly T[], seed: number): T[] =>
  list
    .map((item, i) => ({ item, at: Math.sin(seed * 7.13 + i * 12.9) }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);

const joined = (rows: readonly Uint8Array[], seed: number): Uint8Array =>
  concatBytes(rows.flatMap((row, i) => [row, utf8(pick(["\n", "\r\n", "\n\n", "\r\n\n"], seed + i * 3))]));

const tar: Write = (all, seed) => {
  const members = all.flatMap(({ id, damage, way }): RawMember[] => {
    const jpg = { name: `d/${id}.jpg`, body: fakeImage(id) };
    const txt = { name: `d/${id}.txt`, body: `${id} caption` };
    const json = { name: `d/${id}.json`, body: JSON.stringify({ caption: `${id} caption`, n: id }) };
    if (damage === undefined)
      return pick<RawMember[]>(
        [
          [jpg, txt],
          [jpg, json],
          [{ ...jpg, mtime: -5 }, txt, { name: `d/._${id}.jpg`, body: "mac" }],
          [{ name: `pool/${id}`, body: fakeImage(id) }, { name: jpg.name, type: "2", link: `../pool/${id}` }, txt],
          [jpg, txt, { name: `d/${id}.json`, body: "[NaN" }, { name: `d/${id}`, type: "5" }],
        ],
        way,
      );
    return pick<RawMember[]>(
      [
        [jpg, { ...txt, body: bytes("a", 0xff) }],
        [{ ...jpg, body: "" }, txt],
        [{ name: jpg.name, type: "2", link: "nowhere.jpg" }, txt],
        [{ name: jpg.name, type: "1", link: jpg.name }, txt],
        [jpg, { ...json, body: "null" }],
        [{ ...jpg, name: `d/${id}.left.jpg` }, txt],
        [jpg, txt, { name: `d/${id}.TXT`, body: "again" }],
        [jpg, { ...txt, body: " \n" }],
      ],
      damage,
    );
  });
  return rawTar(shuffled(members, seed));
};

/** A path of its own for each row, by way of the links `0` and `1` to this folder: rows of one picture are one sample. */
const own = (file: string, id: number): string =>
  file.includes(".") ? `${[...id.toString(2)].join("/")}/${file}` : file;

async function writePictures(folder: string, files: Readonly<Record<string, Uint8Array>>): Promise<void> {
  await writeFiles(folder, files);
  for (const name of ["0", "1"]) await symlink(".", `${folder}/${name}`);
}

const csv: Write = (all, seed) => {
  const row = ({ id, damage, way }: Given): Uint8Array => {
    const image = own(pick(["x.jpg", "y.png"], id), id);
    if (damage === undefined)
      return bytes(
        pick(
          [
            `${image},${id} caption`,
            `"${image}","${id} a, b"`,
            `${image},"${id} ""so"",\nsaid"`,
            `${image},${id} 5" tall`,
            `${image},"${id}, two\n\nthree, four"`,
          ],
          way,
        ),
      );
    return pick(
      [
        bytes(`${image},"${id} never closed`),
        bytes(`"${image},${id} never closed`),
        bytes(`${image},${id},more`),
        bytes(`${image}`),
        bytes(`${image},${id} `, 0xfe),
        bytes(`${image},`),
        bytes(`missing.jpg,${id}`),
        bytes(`,${id}`),
        bytes(`${image},"${id}" b,c`),
        bytes(`${image},${id} 5", tall`),
        bytes(`${image},${id} ${"x".repeat(70_000)}`),
      ],
      damage,
    );
  };
  return joined([utf8("filepath,title"), ...all.map(row)], seed);
};

/** The other columns first, and texts with labels. */
const csvOfTexts =
  (last: readonly string[], header: string): Write =>
  (all, seed) => {
    const row = ({ id, damage, way }: Given): Uint8Array => {
      const end = own(pick(last, id), id);
      const sound = [
        `${id} caption,${end}`,
        `"${id} a, b","${end}"`,
        `"${id} ""so"",\nsaid",${end}`,
        `"${id} one\ntwo",${end}`,
        `${id} 5" tall,${end}`,
        `${id} 5",${end}`,
        `"${id}, two\n\nthree, four",${end}`,
      ];
      if (damage === undefined) return bytes(pick(sound, way));
      return bytes(
        pick([`"${id} never closed,${end}`, `${id} never closed,"${end}`, `${id},${end},more`, `${id}`], damage),
      );
    };
    return joined([utf8(header), ...all.map(row)], seed);
  };

const tsv: Write = (all, seed) => {
  const row = ({ id, damage, way }: Given): Uint8Array => {
    if (damage === undefined)
      return bytes(`${own("x.jpg", id)}\t${id} ${pick(['"', '"open', "", 'a "b"', "a,b"], way)}`);
    return pick(
      [bytes("x.jpg"), bytes(`x.jpg\t${id}\t`), bytes(`${own("x.jpg", id)}\t${id}`, 0xff), bytes(`z.jpg\t${id}`)],
      damage,
    );
  };
  return joined([utf8("filepath\ttitle"), ...all.map(row)], seed);
};

const jsonl: Write = (all, seed) => {
  const row = ({ id, damage, way }: Given): Uint8Array => {
    const text = `${id} caption`;
    if (damage === undefined)
      return bytes(
        pick(
          [
            JSON.stringify({ text }),
            JSON.stringify({ image: own("x.jpg", id), captions: [null, text] }),
            `{"caption": "${text}", "score": NaN, "id": 12345678901234567890}`,
            JSON.stringify({ title: null, text, label: 2.5 }),
          ],
          way,
        ),
      );
    return pick(
      [
        bytes('{"text": "a"'),
        bytes("[1]"),
        bytes("NaN"),
        bytes('{"text": "', 0xff, '"}'),
        bytes('{"text": null}'),
        bytes('{"text": 5}'),
        bytes('{"image": "gone.jpg", "text": "a"}'),
        bytes('{"image": 5, "text": "a"}'),
        bytes('{"other": 1}'),
      ],
      damage,
    );
  };
  return joined(all.map(row), seed);
};

const text: Write = (all, seed) => {
  const row = ({ id, damage }: Given): Uint8Array =>
    damage === undefined ? bytes(`${id} line ü`) : pick([bytes(`${id}`, 0xc3), bytes(`${id}`, 0, "x")], damage);
  return joined(all.map(row), seed);
};

const parquet: Write = (all, seed) => {
  const caption = ({ id, damage }: Given): Uint8Array | undefined =>
    damage === undefined
      ? utf8(`${id} caption`)
      : pick([utf8(`${id}`), bytes("a", 0xff), undefined, utf8(" ")], damage);
  const image = ({ id, damage }: Given): Uint8Array | undefined =>
    damage === undefined || damage % 4 > 0 ? fakeImage(id) : pick([undefined, new Uint8Array(0)], damage / 4);
  const leaf = { type: "BYTE_ARRAY" as const, repetition_type: "OPTIONAL" as const };
  const schema = [
    { name: "root", num_children: 2 },
    { name: "jpg", ...leaf },
    { name: "caption", ...leaf, converted_type: "UTF8" as const },
  ];
  const columnData = [
    { name: "jpg", data: all.map(image) },
    { name: "caption", data: all.map(caption) },
  ];
  return new Uint8Array(parquetWriteBuffer({ schema, columnData, rowGroupSize: 1 + (seed % 4) }));
};

const coco: Write = (all, seed) => {
  const images = all.map(({ id, damage, way }) =>
    damage === undefined
      ? { id: way % 2 ? id : `${id}`, file_name: "x.jpg" }
      : pick<unknown>(
          [{ id, file_name: "gone.jpg" }, { id }, null, { id, file_name: 3 }, { id: 1.5, file_name: "x.jpg" }],
          damage,
        ),
  );
  const annotations = all.flatMap(({ id, damage, way }) => {
    const image_id = damage !== undefined || way % 2 ? id : `${id}`;
    return [
      { image_id, caption: null },
      { image_id, caption: `${id} caption` },
      { image_id: -1, caption: "of none" },
    ];
  });
  return utf8(JSON.stringify({ images, annotations: shuffled(annotations, seed) }));
};

let root: string;
let runs = 0;
beforeAll(async () => {
  root = await temporaryFolder();
});

/** Reads all, in every way that there is to read a part, and compares. */
async function check(spec: string | SourceSpec, all: readonly Given[], seed: number): Promise<void> {
  const source = await openSource(spec);
  const read = async (options: SampleOptions = {}) => {
    const said: BadSample[] = [];
    const placed = await collect(source, { ...options, onBad: (bad) => said.push(bad) });
    return { placed, bad: said.filter(({ kept }) => !kept) };
  };
  const { placed, bad } = await read();
  const numbers = placed.map(({ sample }) => Number.parseInt(sample.texts![0]!, 10)).sort((a, b) => a - b);
  expect(numbers).toEqual(all.filter(({ damage }) => damage === undefined).map(({ id }) => id));
  expect(bad.length).toBe(all.length - numbers.length);
  const keys = [...placed.map(({ sample }) => sample.key), ...bad.map(({ key }) => key)];
  expect(new Set(keys).size).toBe(all.length);

  const count = 2 + (seed % 3);
  const shards = await Promise.all([...Array(count).keys()].map((index) => read({ shard: { index, count } })));
  const parts = shards.flatMap((shard) => [
    ...shard.placed.map(({ sample }) => sample.key),
    ...shard.bad.map(({ key }) => key),
  ]);
  expect(parts.sort()).toEqual(keys.sort());

  if (placed.length === 0) return;
  const at = seed % placed.length;
  const rest = await read({ cursor: JSON.parse(JSON.stringify(placed[at]!.cursor)) });
  expect(rest.placed).toEqual(placed.slice(at + 1));
  const before = bad.filter(({ key }) => !rest.bad.some((later) => later.key === key)).length;
  expect(before + rest.bad.length).toBe(bad.length);
}

const FORMATS: readonly (readonly [extension: string, write: Write, packs: boolean])[] = [
  ["tar", tar, false],
  ["parquet", parquet, false],
  ["csv", csv, true],
  ["csv", csvOfTexts(["x.jpg", "y.png"], "title,filepath"), true],
  ["csv", csvOfTexts(["1", "cat"], "text,label"), true],
  ["tsv", tsv, true],
  ["jsonl", jsonl, true],
  ["txt", text, true],
];

describe("read and refused are together what was given", () => {
  it.each(FORMATS)("in %s files", async (extension, write, packs) => {
    await fc.assert(
      fc.asyncProperty(layout, async ({ files, seed, packed }) => {
        const folder = `${root}/${extension}${runs++}`;
        const suffix = packs && packed ? `${extension}.gz` : extension;
        const names = files.map((_, i) => `${i}/data.${suffix}`);
        const bodies = files.map((all, i) =>
          suffix === extension ? write(all, seed + i) : gzipSync(write(all, seed + i)),
        );
        await writeFiles(folder, Object.fromEntries(names.map((name, i) => [name, bodies[i]!])));
        for (const name of names)
          await writePictures(`${folder}/${name.split("/")[0]}`, { "x.jpg": fakeImage(1), "y.png": fakeImage(2) });
        await check(names.map((name) => `${folder}/${name}`).join("::"), files.flat(), seed);
      }),
      { numRuns: 30 },
    );
  });

  it("in archives put together with cat", async () => {
    await fc.assert(
      fc.asyncProperty(layout, async ({ files, seed }) => {
        const name = `cat${runs++}.tar`;
        await writeFiles(root, { [name]: concatBytes(files.map((all, i) => tar(all, seed + i))) });
        await check(`${root}/${name}`, files.flat(), seed);
      }),
      { numRuns: 15 },
    );
  });

  it("in COCO files", async () => {
    await fc.assert(
      fc.asyncProperty(layout, async ({ files, seed }) => {
        const all = files[0]!;
        fc.pre(all.some(({ damage }) => damage === undefined));
        const name = `coco${runs++}/a.json`;
        await writeFiles(root, { [name]: coco(all, seed), [`${name}/../x.jpg`]: fakeImage(1) });
        await check(`${root}/${name}`, all, seed);
      }),
      { numRuns: 30 },
    );
  });

  it("in shards that are built of them", async () => {
    const { default: sharp } = await import("sharp");
    const raw = { width: 2, height: 2, channels: 3 as const };
    const picture = new Uint8Array(await sharp(new Uint8Array(12), { raw }).jpeg().toBuffer());
    await fc.assert(
      fc.asyncProperty(layout, async ({ files, seed }) => {
        const all = files.flat();
        const sound = all.filter(({ damage }) => damage === undefined);
        fc.pre(sound.length > 0);
        const folder = `${root}/built${runs++}`;
        await writePictures(folder, { "a.jsonl": jsonl(all, seed), "x.jpg": picture });
        const source = await openSource(`${folder}/a.jsonl`);
        const manifest = await buildShards([source], `${folder}/out`, { samplesPerShard: 1 + (seed % 4) });
        expect([manifest.samples, manifest.bad]).toEqual([sound.length, all.length - sound.length]);
        const plain = async (from: Source): Promise<unknown[]> =>
          (await collect(from)).map(({ sample: { image, texts, label } }) => ({ image, texts, label }));
        expect(await plain(await openSource(`${folder}/out`))).toEqual(await plain(source));
      }),
      { numRuns: 10 },
    );
  });

  it("in folders of pictures", async () => {
    await fc.assert(
      fc.asyncProperty(layout, async ({ files, seed }) => {
        const all = files.flat();
        fc.pre(all.length > 0);
        const folder = `${root}/pictures${runs++}`;
        for (const { id, damage } of all) {
          const name = `${id % 3}/${id}`;
          await writeFiles(folder, { [`${name}.png`]: damage === undefined || damage % 2 ? fakeImage(id) : "" });
          await writeFiles(folder, { [`${name}.txt`]: damage === undefined ? `${id} caption` : bytes("a", 0xff) });
        }
        await check({ type: "folder", path: folder }, all, seed);
      }),
      { numRuns: 15 },
    );
  });
});
