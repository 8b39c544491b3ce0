/**
 * From samples to the named arrays of a batch. What is made of each sample is a function of the sample and of its draw
 * key alone, so a batch is the same whoever makes it and in how many pieces.
 */
import { ConfigError } from "../../errors.ts";
import type { TextTokenizer } from "../../text/index.ts";
import { dinoFields, dvaeFields, imageFields, labelFields } from "./image.ts";
import { objectFields } from "./objects.ts";
import { regionFields, regionTexts } from "./regions.ts";
import type { Field } from "./rows.ts";
import { taskFields } from "./task.ts";
import { pairFields, textFields } from "./text.ts";
import type { BatchBuild, Encode, Part } from "./types.ts";

export interface Builder {
  readonly fields: readonly Field[];
  readonly needsImage: boolean;
  readonly encode: Encode;
}

/** The builder of a kind of batch. Throws ConfigError where a text kind has no tokenizer. */
export function createBuilder(build: BatchBuild, tokenizer: TextTokenizer | undefined): Builder {
  const parts = partsOf(build, tokenizer);
  const encode: Encode = (item, pixels, rows, row) => {
    for (const part of parts) part.encode(item, pixels, rows, row);
  };
  return { fields: parts.flatMap((part) => part.fields), needsImage: readsImages(build), encode };
}

/** Whether samples of such batches need a picture. */
export function readsImages(build: BatchBuild): boolean {
  if (build.kind === "regions") return build.regions.grid !== null;
  return build.kind === "task" ? build.task.image !== undefined : build.kind !== "text";
}

/** Whether they need a text. */
export const readsTexts = (build: BatchBuild): boolean =>
  build.kind === "task" ? build.task.text !== undefined : ["text", "pair", "regions"].includes(build.kind);

function partsOf(build: BatchBuild, tokenizer: TextTokenizer | undefined): Part[] {
  const words = (): TextTokenizer => {
    if (tokenizer) return tokenizer;
    throw new ConfigError(
      `${build.kind} batches: expected a tokenizer, got none`,
      "pass one with the loader's options",
    );
  };
  switch (build.kind) {
    case "image":
      return [imageFields(build.image), ...(build.image.labels ? [labelFields(build.image.labels)] : [])];
    case "text":
      return [textFields(build.text, words())];
    case "pair":
      return [
        imageFields(build.image),
        pairFields(build.text, words()),
        ...(build.image.labels ? [labelFields(build.image.labels)] : []),
      ];
    case "objects":
      return [imageFields(build.image), objectFields(build.objects)];
    case "task":
      return taskFields(build.task, words);
    case "regions":
      return [regionFields(build.regions), regionTexts(build.text, build.tags, words())];
    case "dino":
      return dinoFields(build.dino);
    case "dvae":
      return [dvaeFields(build.size, build.augment)];
  }
}
