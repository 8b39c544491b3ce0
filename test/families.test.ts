/** What a model of each family answers with a picture and a text, and why it does not do the rest. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FlavaModel } from "../src/api/index.ts";
import { systemAnswers } from "../src/cli/systems.ts";
import { tunableOf } from "../src/finetune/index.ts";
import type { FamilyName } from "../src/models/index.ts";
import { ANSWERS, type Answers } from "./support/family-answers.ts";
import { savedFamily } from "./support/saved-family.ts";

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
