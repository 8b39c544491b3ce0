/** What a model of each family answers with a picture and a text, what it is exported as, and why it does not do the rest. */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FlavaModel } from "../src/api/index.ts";
import { systemAnswers } from "../src/cli/systems.ts";
import { exportOnnx } from "../src/export/index.ts";
import { tunableOf } from "../src/finetune/index.ts";
import type { FamilyName } from "../src/models/index.ts";
import { savedFamily } from "./support/saved-family.ts";

/** What is asked: with a result, or the reason why there is none. */
interface Answers {
  readonly embedsPictures: true | RegExp;
  readonly embedsTexts: true | RegExp;
  /** By names of classes: both embeddings compared. */
  readonly classifies: true | RegExp;
  readonly matches: true | RegExp;
  /** A masked word beside a picture. */
  readonly fills: true | RegExp;
  readonly exports: readonly string[];
  /** What heads of tasks read. */
  readonly tunes: readonly ("text" | "image" | "pair")[];
}

const SPACE = /no contrastive space/;
const DETECTOR = /what a detector saw in a picture .*the detector is no part of it/s;
const HEADS = /no matching head/;
const regions = {
  ...{ embedsPictures: DETECTOR, embedsTexts: DETECTOR, classifies: DETECTOR, matches: DETECTOR, fills: DETECTOR },
  exports: ["regions"],
  tunes: [],
};
const twoTowers = {
  ...({ embedsPictures: true, embedsTexts: true, classifies: true, matches: HEADS, fills: HEADS } as const),
  exports: ["image", "text"],
  tunes: ["text", "image"],
} as const;

const ANSWERS: { readonly [F in FamilyName]: Answers } = {
  flava: {
    ...{ embedsPictures: true, embedsTexts: true, classifies: true, matches: true, fills: true },
    exports: ["image", "text", "multimodal", "full", "words"],
    tunes: ["text", "image", "pair"],
  },
  clip: { ...twoTowers },
  align: { ...twoTowers },
  albef: {
    ...{ embedsPictures: true, embedsTexts: true, classifies: true, matches: true, fills: true },
    exports: ["image", "text", "multimodal", "full"],
    tunes: ["text", "image", "pair"],
  },
  vilt: {
    ...{ embedsPictures: SPACE, embedsTexts: SPACE, classifies: SPACE, matches: true, fills: true },
    exports: ["image", "text", "multimodal", "full"],
    tunes: ["pair"],
  },
  simvlm: {
    ...{
      kind: "simvlm",
      embedsPictures: SPACE,
      embedsTexts: SPACE,
      classifies: SPACE,
      matches: HEADS,
      fills: /no masked words/,
    },
    exports: ["image", "text", "multimodal", "full"],
    tunes: ["text", "image", "pair"],
  },
  unit: {
    ...{
      kind: "unit",
      embedsPictures: SPACE,
      embedsTexts: SPACE,
      classifies: SPACE,
      matches: true,
      fills: /no masked words/,
    },
    exports: ["image", "text", "multimodal"],
    tunes: [],
  },
  vinvl: { ...regions },
  volta: { ...regions },
};

describe.each(Object.entries(ANSWERS) as [FamilyName, Answers][])("a %s", (name, answers) => {
  let saved: Awaited<ReturnType<typeof savedFamily>>;
  let model: FlavaModel;
  const picture = { width: 24, height: 20, data: Uint8Array.from({ length: 1440 }, (_, i) => (7 * i) % 251) };
  beforeAll(async () => {
    saved = await savedFamily(name);
    model = await FlavaModel.fromPretrained(saved.folder, { threads: 1 });
  });
  afterAll(() => model?.dispose());

  const ask: { readonly [K in Exclude<keyof Answers, "exports" | "tunes">]: () => Promise<unknown> } = {
    embedsPictures: () => model.encodeImage([picture], { outputs: ["image_embeds"] }),
    embedsTexts: () => model.encodeText(["a red circle"], { outputs: ["text_embeds"] }),
    classifies: () => model.similarity([picture], ["a red circle", "a blue square"]),
    matches: () => model.match([picture], ["a red circle"]),
    fills: () => model.fillMask("a [MASK] circle", { image: picture }),
  };
  it.each(Object.keys(ask) as (keyof typeof ask)[])("%s, or says why not", async (what) => {
    const expected = answers[what];
    if (expected === true) await expect(ask[what]()).resolves.toBeDefined();
    else await expect(ask[what]()).rejects.toThrow(expected);
  });
  it("is exported as graphs that ONNX Runtime computes like the model", async () => {
    const { files } = await exportOnnx(saved.folder, join(saved.folder, "exported"), { threads: 1 });
    expect(files.map(({ graph }) => graph)).toEqual(answers.exports);
    for (const { output, max, size } of files.flatMap(({ parity }) => parity))
      expect(max / Math.max(size, 1e-6), output).toBeLessThan(1e-4);
  });
  it("has the ticks of the systems' table for what it answers", () => {
    const ticks = systemAnswers(saved.model);
    expect(ticks["CV&L"]).toBe(answers.embedsPictures === true && answers.embedsTexts === true);
    expect(ticks["MV&L"]).toBe(answers.exports.some((graph) => ["multimodal", "regions"].includes(graph)));
  });
  it("is tuned on what its heads can read, and says what that is", () => {
    for (const inputs of ["text", "image", "pair"] as const) {
      const tune = () => tunableOf(model.loaded, inputs).width(inputs);
      if (answers.tunes.includes(inputs)) expect(tune()).toBeGreaterThan(1);
      else expect(tune).toThrow(answers.tunes.length === 0 ? (answers.fills as RegExp) : /it can be tuned on/);
    }
  });
});
