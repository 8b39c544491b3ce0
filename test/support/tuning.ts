/** What tests of fine-tunings share: the tiny model, texts and pictures of classes that it can learn, and requests. */

import { FlavaModel } from "../../src/api/index.ts";
import { type Sample, sourceOf } from "../../src/data/index.ts";
import { lengthFor } from "../../src/finetune/data.ts";
import {
  type DataRequest,
  type GivenSettings,
  prepareData,
  settingsFor,
  type TuningRequest,
} from "../../src/finetune/index.ts";
import { COLOURS, colourPicture } from "./colour-pictures.ts";
import { temporaryFolder } from "./data-fixtures.ts";
import { tinyModelFolder, tinyTokenizer } from "./tiny-model.ts";

/** The tiny model with wide weights. */
export const tunableModel = async (): Promise<FlavaModel> => FlavaModel.fromPretrained(await tinyModelFolder());

const ANIMALS = ["cat", "dog"];
const THINGS = ["ball", "house", "tree"];
const FRAMES = ["a {}", "the {}", "a red {}", "the blue {} is on the beach", "{} and {}"];

/** Texts of two classes that a word decides. */
export const texts = (): Sample[] =>
  [...ANIMALS, ...THINGS].flatMap((word) =>
    FRAMES.map((frame) => ({
      key: `${word}: ${frame}`,
      texts: [frame.replaceAll("{}", word)],
      label: ANIMALS.includes(word) ? "animal" : "thing",
    })),
  );

/** Pictures of one colour each. */
export const pictures = (marks: readonly number[]): Sample[] =>
  Object.entries(COLOURS).flatMap(([label, colour]) =>
    marks.map((mark) => ({ key: `${label} ${mark}`, image: colourPicture(colour, mark), label })),
  );

/** What samples must have. */
export const needs = (inputs: "text" | "image" | "pair", from: "label" | "answers" = "label") =>
  ({ inputs, textPairs: false, from }) as const;

/** Samples as they are asked for. */
export const asked = (samples: readonly Sample[], more: Partial<DataRequest> = {}): DataRequest => ({
  train: sourceOf("samples", samples),
  needs: needs("text"),
  ...{ as: "auto", name: "label", share: 0.2, seed: 0, tokenizer: tinyTokenizer() },
  ...more,
});

/** A request for a fine-tuning of the model. */
export async function request(model: FlavaModel, data: DataRequest, given: GivenSettings): Promise<TuningRequest> {
  const prepared = await prepareData(data);
  const { inputs } = data.needs;
  const settings = settingsFor(
    { batchSize: 8, steps: 40, lr: 3e-3, warmupSteps: 4, dropout: 0, weightDecay: 0, ...given },
    {
      samples: prepared.train.count,
      width: 32,
      inputs,
      textLength: lengthFor(prepared.train.tokens, 16),
      imageSize: 32,
    },
  );
  return {
    base: { loaded: model.loaded, image: model.processor.image },
    ...{
      data: prepared,
      settings,
      seed: 0,
      out: await temporaryFolder(),
      name: "test",
      command: "test",
      about: {},
    },
  };
}
