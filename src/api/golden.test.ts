/** Every getter against the golden tiny model: in the interpreter (float64) and on the engine. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { singles, total } from "../../test/golden/run.ts";
import { tinyBatch, tinyConfig, tinyParameters } from "../../test/golden/tiny-case.ts";
import { contrastiveLogits, tensorExpectations } from "../../test/golden/tiny-tensors.ts";
import { tinyTokenizer } from "../../test/support/tiny-model.ts";
import { interpret } from "../graph/index.ts";
import { flavaFamily } from "../models/flava/index.ts";
import { type DeviceName, openDevice, State } from "../runtime/index.ts";
import type { Tensor } from "../tensor/index.ts";
import type { Images, Texts } from "./encode.ts";
import { FlavaModel } from "./flava-model.ts";

const DEVICES: readonly (readonly [DeviceName, number])[] = [
  ["interpret", 1e-8],
  ["cpu", 1e-4],
  ["wasm", 1e-4],
];

const numbers = (t: Tensor): Float64Array => t.data as Float64Array;
const model = flavaFamily.of(tinyConfig);
const weights = tinyParameters(model.parameters());
const expected = (name: string) => tensorExpectations.find((e) => e.name === name)!;

describe.each(DEVICES)("on the device %s", (name, tolerance) => {
  let flava: FlavaModel;
  let state: State;
  const feeds = (name === "interpret" ? (x: Record<string, Tensor>) => x : singles)(tinyBatch());
  const pixels = { pixel_values: feeds.pixel_values } as Images;
  const texts = { input_ids: feeds.input_ids, attention_mask: feeds.attention_mask } as Texts;

  beforeAll(async () => {
    const device = await openDevice(name, { threads: 1 });
    state = new State(device);
    state.writeAll(name === "interpret" ? weights : singles(weights));
    flava = FlavaModel.of({ model, device, state, tokenizer: tinyTokenizer(), batchSize: 2 });
  });
  afterAll(() => {
    flava.dispose();
    state.dispose();
  });

  const agrees = (found: Tensor, golden: string): void => {
    const { shape, sum, first } = expected(golden);
    expect(found.shape, golden).toEqual(shape);
    expect(Array.from(found.data.slice(0, 4) as Float64Array), golden).toBeAllclose(first, { atol: tolerance });
    expect([total(found)], golden).toBeAllclose([sum], { atol: tolerance * found.data.length ** 0.5, rtol: tolerance });
  };

  it("pictures give the reference's states, pooler and projections", async () => {
    const found = await flava.encodeImage(pixels);
    agrees(found.image_embeddings, "image last_hidden_state");
    agrees(found.pooler_output, "image pooler_output");
    agrees(found.image_features, "image contrastive projection");
    agrees(found.image_embeds, "the same, normalised");
    agrees(await flava.getImageFeatures(pixels), "image contrastive projection");
    agrees(await flava.getImagePooled(pixels), "image pooler_output");
  });

  it("texts give the reference's states", async () => {
    agrees((await flava.encodeText(texts)).text_embeddings, "text last_hidden_state");
  });

  it("pairs give the reference's states, and what the whole graph of pairs gives", async () => {
    const found = await flava.encodePair(pixels, texts);
    agrees(found.multimodal_embeddings, "multimodal last_hidden_state, unmasked");
    const { graph } = model.pair!({ batch: 3, textLength: 6 });
    const whole = interpret(
      graph,
      Object.fromEntries(Object.keys(graph.inputs).map((key) => [key, { ...weights, ...tinyBatch() }[key]!])),
    );
    for (const [key, t] of Object.entries(found))
      expect(t.data, key).toBeAllclose(numbers(whole[key]!), { atol: tolerance });
    expect((await flava.getMultimodalPooled(pixels, texts)).data).toBeAllclose(numbers(whole.pooler_output!), {
      atol: tolerance,
    });
    const matched = Array.from({ length: 3 }, (_, i) => {
      const [no, yes] = [whole.itm_logits!.data[2 * i] as number, whole.itm_logits!.data[2 * i + 1] as number];
      return Math.exp(yes) / (Math.exp(no) + Math.exp(yes));
    });
    expect(await flava.match(pixels, texts)).toBeAllclose(matched, { atol: tolerance });
  });

  it("similarities are the reference's contrastive logits", async () => {
    const { logits_per_image, logits_per_text } = await flava.similarity(pixels, texts);
    expect(logits_per_image.data).toBeAllclose(contrastiveLogits, { atol: Math.max(tolerance, 1e-6) });
    expect(logits_per_text.shape).toEqual([3, 3]);
    expect(logits_per_text.data[1]).toBe(logits_per_image.data[3]);
  });
});
