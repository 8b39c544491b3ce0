import { afterAll, describe, expect, it } from "vitest";
import { FlavaModel } from "../api/index.ts";
import { flavaFamily, flavaParameters, variants } from "../models/flava/index.ts";
import { initialize } from "../nn/index.ts";
import { openDevice, State } from "../runtime/index.ts";
import { fromNumbers, type Tensor } from "../tensor/index.ts";
import { bertTokenizer, SPECIAL_TOKENS } from "../text/index.ts";
import { nearestWords, textVectorOf } from "./neighbours.ts";

/** Words on a circle, by their angle in degrees; "berry" is also the end of "strawberry". */
const ANGLES = { fruit: 0, apple: 20, straw: 40, "##berry": 0, pear: 30, garlic: 90, onion: 100, bus: 190 };
const tokenizer = bertTokenizer([...SPECIAL_TOKENS, ...Object.keys(ANGLES)]);
const config = { ...variants.tiny, text: { ...variants.tiny.text, vocabSize: tokenizer.vocabSize } };
const D = config.text.hiddenSize;
const device = await openDevice("interpret");

/** Of mean 0 and one length at every angle, so that layer normalisation leaves the angles as they are. */
const onCircle = (degrees: number): number[] => {
  const angle = (degrees * Math.PI) / 180;
  return Array.from({ length: D }, (_, d) => (d % 2 ? -1 : 1) * (d % 4 < 2 ? Math.cos(angle) : Math.sin(angle)));
};

/** A text encoder whose layers add nothing: a token's last hidden state is its entry in the table of words. */
function circleWeights(): Record<string, Tensor> {
  const weights: Record<string, Tensor> = initialize(flavaParameters(config), 1);
  for (const [name, { shape }] of Object.entries(weights))
    if (/text_model.*(output\.dense|position_embeddings|token_type_embeddings)/.test(name))
      weights[name] = fromNumbers(Array(shape.reduce((a, b) => a * b, 1)).fill(0), shape);
  const name = "flava.text_model.embeddings.word_embeddings.weight";
  const rows = [...SPECIAL_TOKENS.map(() => 77), ...Object.values(ANGLES)].map(onCircle);
  return { ...weights, [name]: fromNumbers(rows.flat(), [tokenizer.vocabSize, D]) };
}

function modelOf(weights: Record<string, Tensor>): FlavaModel {
  const state = new State(device);
  state.writeAll(weights);
  return FlavaModel.of({ model: flavaFamily.of(config), device, state, tokenizer, batchSize: 3 });
}

const weights = circleWeights();
const model = modelOf(weights);
const untrained = modelOf(
  Object.fromEntries(Object.entries(weights).filter(([name]) => !/text_projection/.test(name))),
);
afterAll(() => {
  model.dispose();
  untrained.dispose();
});
const among = ["fruit", "apple", "pear", "garlic", "bus", "Fruit", "quince"];

describe("nearestWords", () => {
  it("finds by means of tokens what is near on the circle, and how near", async () => {
    const [strawberry, onion] = await nearestWords(untrained, ["strawberry", "onion"], { among, top: 3 });
    expect(strawberry).toMatchObject({ word: "strawberry", neighbours: [{ text: "apple" }, { text: "pear" }, {}] });
    expect(strawberry!.neighbours[0]!.cosine).toBeCloseTo(1, 3);
    expect(strawberry!.neighbours[1]!.cosine).toBeCloseTo(Math.cos((10 * Math.PI) / 180), 3);
    expect(onion!.neighbours.map(({ text }) => text)).toEqual(["garlic", "pear", "apple"]);
    expect(onion!.neighbours[0]!.cosine).toBeCloseTo(Math.cos((10 * Math.PI) / 180), 3);
  });

  it("takes text_embeds where the model has them, as the api gives them", async () => {
    expect([textVectorOf(model), textVectorOf(untrained)]).toEqual(["text_embeds", "mean"]);
    const [garlic] = await nearestWords(model, ["garlic"], { among: ["apple", "bus"], top: 5 });
    const { text_embeds } = await model.encodeText(["garlic", "apple", "bus"]);
    const [a, ...others] = text_embeds.tolist() as number[][];
    const cosines = others.map((row) => row.reduce((sum, x, e) => sum + x * a![e]!, 0));
    for (const { text, cosine } of garlic!.neighbours)
      expect(cosine).toBeCloseTo(cosines[["apple", "bus"].indexOf(text)]!, 5);
  });

  it("gives a word no neighbours where the vocabulary spells no part of it, and never the word itself", async () => {
    const [quince, fruit] = await nearestWords(untrained, ["quince", "fruit"], { among, top: 2 });
    expect(quince).toEqual({ word: "quince", neighbours: [] });
    expect(fruit!.neighbours.map(({ text }) => text)).toEqual(["apple", "pear"]);
    expect(await nearestWords(untrained, ["apple"], { among: ["quince"], top: 2 })).toEqual([
      { word: "apple", neighbours: [] },
    ]);
  });
});
