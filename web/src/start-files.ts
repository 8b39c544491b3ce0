/** The beginning of a training, as `web/make-start.ts` writes it: files of the folder `start`. */
export const START_FILES = [
  "recipe.json",
  "run.json",
  "tokenizer.json",
  "decoder.safetensors",
  "checkpoint/state.json",
  "checkpoint/model.safetensors",
] as const;

/** One of them. */
export type StartFile = (typeof START_FILES)[number];

/** Its address. */
export const startAddress = (base: string, file: StartFile): string => new URL(`start/${file}`, base).href;
