/** Which parameters a FLAVA has, and the questions that optimizers and checkpoints ask about them. */
import { type ParamSpec, Params } from "../../nn/index.ts";
import type { BatchSizes } from "../model.ts";
import { imageBatch, pairBatch, textBatch } from "./batch.ts";
import type { FlavaConfig } from "./config.ts";
import { pretrainImages, pretrainPairs, pretrainTexts } from "./pretraining.ts";

const SMALLEST: BatchSizes = { batch: 1, textLength: 1, maskedPatches: 1, maskedTokens: 1 };

/** All parameters: encoders and projections ("flava.…"), the five heads, and the codebook where the model has one. */
export function flavaParameters(config: FlavaConfig): ParamSpec[] {
  const p = new Params();
  const masked = config.image.maskToken ? {} : { bool_masked_pos: undefined };
  pretrainPairs(p, config, { ...pairBatch(config, SMALLEST), ...masked });
  pretrainImages(p, config, { ...imageBatch(config, SMALLEST), ...masked });
  pretrainTexts(p, config, textBatch(SMALLEST));
  return p.specs();
}

/** The parameters of encoders and projections alone, as Hugging Face's FlavaModel has them (there without "flava."). */
export const isModelParameter = (name: string): boolean => name.startsWith("flava.");

/** The frozen codebook's. No loss of FLAVA reaches them. */
export const isCodebookParameter = (name: string): boolean => name.startsWith("image_codebook.");
