import { rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { tinyModelFolder } from "../../test/support/tiny-model.ts";
import { FlavaModel } from "../api/index.ts";
import { CheckpointError } from "../errors.ts";
import { fromNumbers } from "../tensor/index.ts";
import { modelEncoder } from "./model-encoder.ts";

it("embeds pictures with a model that has no tokenizer, which says what is missing when it is asked for texts", async () => {
  const folder = await tinyModelFolder();
  await using whole = await FlavaModel.fromPretrained(folder);
  await rm(join(folder, "tokenizer.json"));
  await using mute = await FlavaModel.fromPretrained(folder);
  const [encoder, without] = [await modelEncoder(whole), await modelEncoder(mute)];
  const { size } = encoder.build;
  const pixels = fromNumbers(
    Array.from({ length: 3 * size * size }, (_, i) => Math.sin(i)),
    [1, 3, size, size],
  );
  expect(await without.images(pixels)).toEqual(await encoder.images(pixels));
  expect(without.identity).not.toBe(encoder.identity);
  await expect(without.texts(["a cat"])).rejects.toThrow(/expected tokenizer\.json or vocab\.txt/);
  expect(() => mute.unknownWords("a cat")).toThrow(CheckpointError);
});
