/** What a model of each family answers, what it is exported as, and what heads of tasks read. */
import type { FamilyName } from "../../src/models/index.ts";

/** What is asked: with a result, or the reason why there is none. */
export interface Answers {
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

/** The rows of the table in docs/compared.md. */
export const ANSWERS: { readonly [F in FamilyName]: Answers } = {
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
