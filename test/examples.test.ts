/** Every example runs with a tiny model, in one process, and prints what its README shows, but for the numbers and what follows from them. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { colourPicture } from "./support/colour-pictures.ts";
import { temporaryFolder, writeFiles } from "./support/data-fixtures.ts";
import { tinyModelFolder } from "./support/tiny-model.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const number = String.raw`-?\d+\.\d+`;

/** The lines of each, as patterns. */
const LINES: Readonly<Record<string, readonly string[]>> = {
  "01-embed": ["image_embeds 1 x \\d+", "text_embeds 2 x \\d+", `${number} .+`, `${number} .+`],
  "02-zero-shot": Array.from({ length: 3 }, () => `${number} % \\w+`),
  "03-search-folder": [
    "\\d+ pictures, \\d+ of them new, \\d+ that cannot be used",
    ...Array.from({ length: 3 }, () => `${number} \\S+\\.(png|ppm)`),
  ],
  "04-match-and-rerank": Array.from({ length: 3 }, () => `match ${number} cosine ${number} \\S+\\.(png|ppm)`),
  "05-fill-masked-caption": ["text", "picture"].map((how) => `${how}: (\\S+ ${number} %(, )?){3}`),
  "06-probe-on-your-labels": ["\\d labels: .+", "\\d+ pictures trained on, \\d+ of \\d+ others right"],
  "07-pretrain-on-your-pairs": ["done: \\S+/model.safetensors"],
  "08-own-objective": [`\\d+ pairs, loss ${number} → ${number} in \\d+ steps`],
  "09-export-and-run": [
    ...["vision", "text"].map(
      (kind) => `onnx/${kind}_model_quantized.onnx: ${number} MB, \\w+_embeds at a cosine of ${number} .+`,
    ),
    `${number} .+`,
    `${number} .+`,
  ],
};

const folder = (name: string): string => `${root}examples/${name}/`;
const names = readdirSync(`${root}examples`).filter((name) => /^\d\d-/.test(name));

let model: string;
let place: string;
let printed: Record<string, string[]>;
beforeAll(async () => {
  [model, place] = [await tinyModelFolder(), await temporaryFolder()];
  const shades = Array.from({ length: 10 }, (_, i) => 140 + 10 * i);
  const red = shades.map((shade, i) => [`red/${i}.ppm`, colourPicture([shade, 9, 9])] as const);
  const blue = shades.map((shade, i) => [`blue/${i}.ppm`, colourPicture([9, 9, shade])] as const);
  const captions = [...red, ...blue].map(([name], i) =>
    JSON.stringify({ file_name: name, text: `a ${name.split("/")[0]} ${["cat", "dog", "ball"][i % 3]}` }),
  );
  await writeFiles(place, { ...Object.fromEntries([...red, ...blue]), "metadata.jsonl": captions.join("\n") });
  const picture = join(place, "red/3.ppm");
  const runs: [string, string[]][] = [
    ["01-embed", [picture, "a red ball", "a blue dog"]],
    ["02-zero-shot", [picture, "cat,dog,ball"]],
    ["03-search-folder", [place, "red"]],
    ["04-match-and-rerank", [place, "a red ball"]],
    ["05-fill-masked-caption", [picture]],
    ["06-probe-on-your-labels", [place]],
    ["07-pretrain-on-your-pairs", [place, join(place, ".run"), "3"]],
    ["08-own-objective", [place]],
    ["09-export-and-run", [picture, "a red ball", "a blue dog"]],
  ];
  const runner = fileURLToPath(new URL("support/run-examples.mjs", import.meta.url));
  const env = { ...process.env, MODEL: model };
  printed = JSON.parse(
    execFileSync(process.execPath, [runner, JSON.stringify(runs)], { cwd: place, env, encoding: "utf8" }),
  );
});
afterAll(() => rm(model, { recursive: true }));

describe("examples", () => {
  it.each(names)("%s prints what its README shows", (name) => {
    const readme = readFileSync(`${folder(name)}README.md`, "utf8");
    const shown = /^```text\n([\s\S]*?)\n```$/m.exec(readme)?.[1]?.split("\n");
    const expected = LINES[name]!.map((line) => expect.stringMatching(new RegExp(`^${line}$`)));
    expect(printed[name]).toEqual(expected);
    expect(shown).toEqual(expected);
  });

  it.each(names)("%s has less than 80 lines, and its README says how it is run", (name) => {
    expect(readFileSync(`${folder(name)}main.ts`, "utf8").split("\n").length).toBeLessThan(80);
    expect(readFileSync(`${folder(name)}README.md`, "utf8")).toContain(`npm run example ${name.slice(0, 2)}`);
  });

  it("find what is there: colours tell the labels apart, the own loss falls, an embedding is of length 1", () => {
    expect(printed["06-probe-on-your-labels"]![1]).toBe("16 pictures trained on, 4 of 4 others right");
    const [first, last] = [...printed["08-own-objective"]![0]!.matchAll(/\d+\.\d+/g)].map(Number) as [number, number];
    expect(last).toBeLessThan(first);
    expect(printed["03-search-folder"]![0]).toBe("20 pictures, 20 of them new, 0 that cannot be used");
    const shares = printed["02-zero-shot"]!.map((line) => Number.parseFloat(line));
    expect(shares.reduce((a, b) => a + b)).toBeCloseTo(100, 0);
  });
});
