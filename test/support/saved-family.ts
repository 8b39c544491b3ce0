/** A tiny model of any family with drawn weights as a folder that `fromPretrained` opens. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { entriesOf, saveSafetensors } from "../../src/hub/index.ts";
import { type AnyFamily, type FamilyName, families, type Model } from "../../src/models/index.ts";
import { initialize } from "../../src/nn/index.ts";
import { bertTokenizer, SPECIAL_TOKENS, type TextTokenizer } from "../../src/text/index.ts";
import { temporaryFolder } from "./data-fixtures.ts";
import { stageCase } from "./stage-case.ts";

/** The kind of stage whose tiny case has a model of the family. */
export const kindOfFamily = (family: FamilyName) => (family === "flava" ? "joint" : family);

/** The family's model of the stage cases; with the words of `texts` instead of those of the synthetic captions. */
export async function savedFamily(
  name: FamilyName,
  texts?: readonly string[],
): Promise<{ readonly folder: string; readonly model: Model; readonly tokenizer: TextTokenizer }> {
  const family = families[name] as AnyFamily;
  const one = await stageCase(kindOfFamily(name));
  const words = [...new Set(texts?.flatMap((text) => text.split(" ")))];
  const tokenizer = texts ? bertTokenizer([...SPECIAL_TOKENS, ...words]) : one.tokenizer;
  const sizes = {
    padTokenId: tokenizer.special.pad,
    endTokenId: tokenizer.special.sep,
    vocabSize: tokenizer.vocabSize,
  };
  const config = family.withVocabulary(one.recipe.model, sizes);
  const model = family.of(config);
  const parameters = model.parameters();
  const folder = await temporaryFolder();
  const made = { lossWeights: {}, tensors: parameters.map((spec) => spec.name) };
  await writeFile(join(folder, "config.json"), family.configFile(config, made));
  await writeFile(join(folder, "tokenizer.json"), JSON.stringify(tokenizer.json));
  await saveSafetensors(join(folder, "model.safetensors"), entriesOf(initialize(parameters, 3)));
  return { folder, model, tokenizer };
}
